"""Which cache fields the upstream of a call surely takes: nothing is sent on a guess."""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache

import msgspec

from policies.base.call import Dialect
from policies.base.terms import Terms

_OPENAI = (Dialect.CHAT, Dialect.RESPONSES)
# Hosts that speak OpenAI's language, and are not its double where caching is concerned.
_FOREIGN = (
    *("openrouter.ai", "mistral.ai", "x.ai", "fireworks.ai", "groq.com", "together.xyz"),
    *("together.ai", "deepseek.com", "googleapis.com"),
)


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """Body fields by name, "" where there is none; `header` carries the session's id."""

    mark: str = ""  # on blocks: cache_control or prompt_cache_breakpoint
    key: str = ""
    salt: str = ""
    header: bytes = b""
    options: str = ""  # turns off the mark that OpenAI sets by itself

    def without(self, names: Container[str]) -> Accepted:
        """Less the fields of these names."""
        mark, key, salt, options = (
            "" if name in names else name for name in (self.mark, self.key, self.salt, self.options)
        )
        return Accepted(mark, key, salt, self.header, options)

    @property
    def fields(self) -> tuple[str, ...]:
        """The body fields."""
        return tuple(filter(None, (self.mark, self.key, self.salt, self.options)))


@lru_cache(maxsize=1024)
def accepted(dialect: Dialect, terms: Terms) -> Accepted:
    """By the kind of the backend, its host and the model's rule."""
    host, kind = terms.host, terms.backend
    if any(_at(host, domain) for domain in _FOREIGN):
        return _others(dialect, terms)
    if kind == "vllm":
        return Accepted(salt="cache_salt")
    if kind == "simulated":
        return _simulated(dialect, terms)
    if kind == "openai" or _at(host, "openai.com"):
        return _openai(dialect, terms)
    if kind == "anthropic" or _at(host, "anthropic.com"):
        marks = dialect is Dialect.MESSAGES and terms.rule == "anthropic_marks"
        return Accepted(mark="cache_control" if marks else "")
    return _others(dialect, terms)


def _openai(dialect: Dialect, terms: Terms) -> Accepted:
    if dialect not in _OPENAI or not terms.rule.startswith("openai_"):
        return Accepted()
    if terms.rule != "openai_breakpoints":
        return Accepted(key="prompt_cache_key")
    return Accepted("prompt_cache_breakpoint", "prompt_cache_key", options="prompt_cache_options")


def _simulated(dialect: Dialect, terms: Terms) -> Accepted:
    """It reads all marks in all dialects, and stands in for the rule's own provider."""
    if terms.rule == "anthropic_marks" and dialect in (Dialect.CHAT, Dialect.MESSAGES):
        return Accepted(mark="cache_control")
    if terms.rule == "vllm_blocks":
        return Accepted(salt="cache_salt")
    return _openai(dialect, terms)


def _others(dialect: Dialect, terms: Terms) -> Accepted:
    host = terms.host
    if _at(host, "openrouter.ai"):
        marks = terms.rule == "anthropic_marks" and dialect in (
            Dialect.CHAT,
            Dialect.MESSAGES,
        )
        return Accepted(mark="cache_control" if marks else "")
    if _at(host, "mistral.ai") and dialect is Dialect.CHAT:
        return Accepted(key="prompt_cache_key")
    if _at(host, "x.ai") and dialect is Dialect.CHAT:
        return Accepted(header=b"x-grok-conv-id")
    if _at(host, "x.ai") and dialect is Dialect.RESPONSES:
        return Accepted(key="prompt_cache_key")
    if _at(host, "fireworks.ai") and dialect in (*_OPENAI, Dialect.COMPLETIONS):
        return Accepted(header=b"x-session-affinity")
    return Accepted()


def _at(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)
