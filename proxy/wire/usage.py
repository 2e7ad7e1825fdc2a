"""What providers call their token counts, read into one `Usage` and written back.

Field names and sums: OpenAI's and Anthropic's API references, DeepSeek's and Gemini's notes
on OpenAI compatibility, vLLM's `UsageInfo`. A count that is no plain, sensible integer makes
the whole usage unknown: a wrong bill is worse than none.
"""

from __future__ import annotations

from typing import Any

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.wire.document import dicts

_HUGE = 2**40  # no exchange has a trillion tokens


class _MalformedError(Exception):
    """A count or an object of counts has the wrong type or size."""


def usage_of(dialect: Dialect, doc: dict[str, Any]) -> Usage | None:
    """The usage that a plain reply reports; None when it has none or a malformed one."""
    return _normal(dialect, doc.get("usage"))


def usage_of_chunks(dialect: Dialect, docs: list[dict[str, Any]]) -> Usage | None:
    """The usage that a stream, given by its events' documents, reports in the end; else None."""
    if dialect is Dialect.MESSAGES:
        return _normal(dialect, _cumulative(docs))
    if dialect is Dialect.RESPONSES:
        docs = dicts([doc.get("response") for doc in docs])
    reported = [doc["usage"] for doc in docs if doc.get("usage") is not None]
    return _normal(dialect, reported[-1]) if reported else None


def fields(dialect: Dialect, usage: Usage) -> dict[str, Any]:
    """The `usage` member that reports `usage` in a dialect."""
    if dialect is Dialect.MESSAGES:
        return {
            "input_tokens": usage.uncached,
            "cache_creation_input_tokens": usage.write,
            "cache_read_input_tokens": usage.read,
            "output_tokens": usage.output,
        }
    cached = {"cached_tokens": usage.read}
    if usage.write:
        cached["cache_write_tokens"] = usage.write
    total = usage.input + usage.output
    if dialect is Dialect.RESPONSES:
        return {
            "input_tokens": usage.input,
            "input_tokens_details": cached,
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": total,
        }
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": total,
        "prompt_tokens_details": cached,
    }


def split(total_input: int, read: int, write: int, output: int, total: int) -> Usage | None:
    """OpenAI's counts by the price they pay; None when they contradict each other."""
    if read > total_input:
        return None
    # OpenAI reports writes "unadjusted", so they may overlap with what was read.
    write = min(write, total_input - read)
    # Gemini and xAI leave thinking out of the output, yet bill it and count it in the total.
    output = max(output, total - total_input)
    return Usage(total_input - read - write, read, write, output)


def _normal(dialect: Dialect, usage: Any) -> Usage | None:
    if not isinstance(usage, dict) or dialect is Dialect.OPAQUE:
        return None
    try:
        if dialect is Dialect.MESSAGES:
            return Usage(
                uncached=_count(usage, "input_tokens", None),
                read=_count(usage, "cache_read_input_tokens"),
                write=_count(usage, "cache_creation_input_tokens"),
                output=_count(usage, "output_tokens"),
            )
        if dialect is Dialect.RESPONSES:
            return _parts(usage, "input_tokens", "output_tokens")
        return _parts(usage, "prompt_tokens", "completion_tokens")
    except _MalformedError:
        return None


def _parts(usage: dict[str, Any], asked: str, answered: str) -> Usage:
    total_input = _count(usage, asked, None)
    details = usage.get(f"{asked}_details")
    if details is None:
        details = {}
    if not isinstance(details, dict):
        raise _MalformedError
    read = _count(details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens")
    write = _count(details, "cache_write_tokens")
    output, total = _count(usage, answered), _count(usage, "total_tokens")
    found = split(total_input, read, write, output, total)
    if found is None:
        raise _MalformedError
    return found


def _count(usage: dict[str, Any], name: str, absent: int | None = 0) -> int:
    value = usage.get(name)
    if value is None:
        value = absent
    if type(value) is not int or not 0 <= value < _HUGE:
        raise _MalformedError
    return value


def _cumulative(docs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Anthropic: counts of a later event replace those of an earlier one."""
    counts: dict[str, Any] = {}
    for doc in docs:
        kind = doc.get("type")
        if kind not in ("message_start", "message_delta"):
            continue
        message = doc.get("message") if kind == "message_start" else doc
        usage = message.get("usage") if isinstance(message, dict) else None
        if isinstance(usage, dict):
            counts |= {name: value for name, value in usage.items() if value is not None}
    return counts or None
