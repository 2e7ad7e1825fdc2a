"""The reply that most requests get, judged at a quarter of the price: a chat that ended well."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from policies.base.usage import Usage
from proxy.wire.usage import split

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _Counts(msgspec.Struct, gc=False):
    prompt_tokens: Count
    completion_tokens: Count = 0
    total_tokens: Count = 0
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: None = None


class _Choice(msgspec.Struct, gc=False):
    index: int
    finish_reason: Literal["stop", "tool_calls", "function_call"]
    error: None = None


class _Chat(msgspec.Struct, gc=False):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Counts
    error: None = None
    type: None = None


_decode = msgspec.json.Decoder(_Chat).decode


def usage_of_usual(body: bytes) -> Usage | None:
    """The usage of a plain chat reply that is complete beyond doubt; None for any other.

    None says nothing against a reply: it may be complete and only out of the ordinary.
    """
    try:
        counts = _decode(body).usage
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    details = counts.prompt_tokens_details
    read = write = 0
    if details is not None:
        read, write = details.cached_tokens or 0, details.cache_write_tokens or 0
    return split(counts.prompt_tokens, read, write, counts.completion_tokens, counts.total_tokens)
