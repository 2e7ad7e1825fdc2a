"""How much of a prompt that was sent before its provider can still read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import inf
from typing import Literal

import msgspec

from policies.base.call import Call
from policies.base.prompt import Block, fields
from policies.base.terms import Terms
from policies.base.units import seconds
from proxy.backends.wrap.entries import matched, written
from proxy.prediction.memory import Entry, Partition, Sent

# What keeps a beginning that was sent before from being read: its lifetime is over, its own
# reply had not begun, no mark or breakpoint wrote it, it is shorter than the minimum.
Lack = Literal["", "expired", "unready", "unwritten", "short"]

# Seconds, where a provider publishes no time: the shorter of what is heard of.
_LIVES = {"openai_breakpoints": 1800.0, "deepseek_units": 3600.0, "vllm_blocks": inf}
_USUAL_LIFE = 300.0
_RETAINED = 86_400.0  # OpenAI's `prompt_cache_retention: 24h`
_STEPS = {"openai_steps": 128, "vllm_blocks": 16}  # tokens
_MATCHED = 80  # breakpoints of OpenAI's that count
_ANYWHERE = frozenset({"openai_steps", "gemini_implicit", "vllm_blocks"})  # no entry is written
_MARKED = frozenset({"openai_breakpoints", "anthropic_marks"})
_ttl = re.compile(rb'(?<!\\)"ttl"\s*:\s*"([0-9.]+\s*[a-z]+)"')


class Readable(msgspec.Struct, frozen=True, gc=False):
    """How many `blocks` can be read, and what the others that were shared `lack`."""

    blocks: int
    lacks: Lack = ""


class Asked(msgspec.Struct, frozen=True):
    """A call and the chains at which its provider looks for an entry, from the longest."""

    call: Call
    terms: Terms
    chains: Sequence[bytes]


def asked(call: Call, terms: Terms) -> Asked:
    """What a call asks of the cache of an upstream with these terms."""
    if terms.rule in _ANYWHERE:
        return Asked(call, terms, ())
    chains = [chain for chain, _ in matched(call, _any_length(terms))]
    if terms.rule == "openai_breakpoints":
        chains = chains[-_MATCHED:]
    return Asked(call, terms, chains[::-1])


def readable(look: Asked, known: Sequence[Block], partition: Partition, now: float) -> Readable:
    """What can be read at `now`, in Unix seconds, of the call's blocks that were sent before."""
    if look.terms.rule in _ANYWHERE:
        return _begun(known, partition, life_of(look.call, look.terms), now)
    lacks: Lack = ""
    for chain in look.chains:
        entry = partition.entries.get(chain)
        if entry is None:
            continue
        if entry.ready <= now < entry.until:
            number = 1 + [block.chain for block in known].index(chain)
            return Readable(number, "" if number == len(known) else lacks or "unwritten")
        lacks = "expired" if now >= entry.until else "unready"
    return Readable(0, lacks or "unwritten")


def _begun(known: Sequence[Block], partition: Partition, life: float, now: float) -> Readable:
    """Any beginning that was sent within the lifetime."""
    number = _alive(known, partition, life, now)
    lacks: Lack = "expired" if number < len(known) else ""
    while number:
        if partition.latest[known[number - 1].chain].ready(number) <= now:
            return Readable(number, lacks)
        lacks = lacks or "unready"
        number -= 1
    return Readable(0, lacks)


def held(look: Asked, known: Sequence[Block], partition: Partition, now: float) -> int:
    """How many of the blocks that were sent before the provider still has, read or not."""
    if look.terms.rule in _MARKED:
        return len(known)  # entries have times of their own
    life = life_of(look.call, look.terms)
    if look.terms.rule == "deepseek_units":  # finds what prompts share among those it can read
        return _begun(known, partition, life, now).blocks
    return _alive(known, partition, life, now)


def _alive(known: Sequence[Block], partition: Partition, life: float, now: float) -> int:
    number = len(known)
    while number and now >= partition.latest[known[number - 1].chain].at + life:
        number -= 1
    return number


def note(look: Asked, sent: Sent) -> None:
    """Renew the entries that a prompt has read, and add those that it has written."""
    call, terms = look.call, look.terms
    if terms.rule in _ANYWHERE:
        return
    entries = sent.partition.entries
    for chain in look.chains:
        entry = entries.get(chain)
        if entry is not None and entry.ready <= sent.at < entry.until:
            until = max(entry.until, sent.at + entry.life)
            entries[chain] = Entry(entry.ready, until, entry.life)
            if terms.rule != "anthropic_marks":
                break
    for number, life in _written(call, sent, terms):
        chain = sent.blocks[number].chain
        ready = sent.begun[-1][1]
        made = Entry(ready, sent.at + life, life)
        old = entries.get(chain)
        if old is not None and sent.at < old.until:
            longest = max(old.life, life)
            made = Entry(min(old.ready, ready), sent.at + longest, longest)
        entries[chain] = made


def _written(call: Call, sent: Sent, terms: Terms) -> Iterator[tuple[int, float]]:
    """The blocks at whose end an entry is written, and its lifetime in seconds."""
    life = life_of(call, terms)
    if terms.rule == "deepseek_units":  # an input's end, and what two inputs have in common
        yield len(sent.blocks) - 1, life
        if sent.held:
            yield sent.held - 1, life
        return
    chains = {chain for chain, _ in written(call, _any_length(terms))}
    for number, block in enumerate(sent.blocks):
        if block.chain in chains:
            yield number, _asked(call, block) or life


def _any_length(terms: Terms) -> Terms:
    """The minimum is applied to tokens that are known better than by their bytes."""
    return msgspec.structs.replace(terms, minimum=0)


def life_of(call: Call, terms: Terms) -> float:
    """Seconds that a prompt stays in the cache, as far as is known."""
    top = fields(call)
    if top is not None and terms.rule == "openai_breakpoints":
        asked = _seconds(bytes(top.prompt_cache_options))
        if asked is not None:
            return asked
    if top is not None and b"24h" in bytes(top.prompt_cache_retention):
        return _RETAINED
    return _LIVES.get(terms.rule, _USUAL_LIFE) if terms.lifetime is None else terms.lifetime


def _asked(call: Call, block: Block) -> float | None:
    """The lifetime that a mark on this block asks for."""
    top = fields(call)
    if top is None:
        return None
    if not block.marked:
        return _seconds(bytes(top.cache_control))
    if block.path[0] == "messages" and top.messages is not None:
        return _seconds(bytes(top.messages[block.index]))
    return _seconds(bytes(getattr(top, str(block.path[0]))))


def _seconds(text: bytes) -> float | None:
    """The first lifetime that stands in JSON text."""
    match = _ttl.search(text)
    if match is None:
        return None
    try:
        return float(seconds(match[1].decode()))
    except ValueError:
        return None


def cached(tokens: int, total: int, terms: Terms) -> int:
    """Of a readable beginning of so many tokens, how many the rule counts as read."""
    step = step_of(terms)
    if terms.rule == "vllm_blocks":
        tokens = min(tokens, total - 1)  # the last token is always computed
    if terms.rule in _ANYWHERE:
        tokens -= tokens % step
    return tokens if tokens >= max(terms.minimum, 1) else 0


def step_of(terms: Terms) -> int:
    """Tokens by which a provider counts."""
    return max(terms.granularity, _STEPS.get(terms.rule, 1))
