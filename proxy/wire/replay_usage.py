"""Whether a stored stream of chunks tells the usage, and the same stream with or without it.

OpenAI sends usage in a last chunk without choices, and a null usage in all others, when
`stream_options.include_usage` asks for it. Members other than `usage` keep their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.wire.document import read
from proxy.wire.replay_merge import CannotRender, dump
from proxy.wire.sse import Event, encode, events
from proxy.wire.usage import fields

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL = msgspec.Raw(b"null")


def adjusted(dialect: Dialect, body: bytes, usage: Usage | None, include_usage: bool) -> bytes:
    """`body` itself where it tells the usage exactly when it should, else a changed copy.

    Some upstreams tell it unasked, with the last choice: that is left as it is.
    Raises `CannotRender` when it should be told and is not known.
    """
    last = _ends_in_usage(body)
    if not include_usage:
        return b"".join(_without(events(body))) if last else body
    if last or any(map(_tells, events(body))):
        return body
    if usage is None:
        raise CannotRender("the usage is not known")
    return b"".join(_with(events(body), fields(dialect, usage)))


def _ends_in_usage(body: bytes) -> bool:
    """Whether the chunk before `[DONE]` is a usage chunk; looks at the end only."""
    _, _, chunk = body[: body.rfind(b"data:")].rpartition(b"data:")
    doc = read(chunk)
    if doc is not None:
        return _is_usage_chunk(doc)
    return any(_is_usage_chunk(read(event.data) or {}) for event in events(body))


def _is_usage_chunk(doc: dict[str, Any]) -> bool:
    return doc.get("usage") is not None and doc.get("choices") == []


def _tells(event: Event) -> bool:
    return (read(event.data) or {}).get("usage") is not None


def _with(stream: list[Event], usage: dict[str, Any]) -> Iterator[bytes]:
    """Adds the usage chunk before `[DONE]` and a null usage to every other chunk."""
    last: dict[str, msgspec.Raw] = {}
    for event in stream:
        if event.data == b"[DONE]":
            told = {"choices": msgspec.Raw(b"[]"), "usage": msgspec.Raw(dump(usage))}
            yield encode(dump(last | told))
            yield _again(event, event.data)
            return
        last = _chunk(event) | {"usage": _NULL}
        yield _again(event, dump(last))
    raise CannotRender("the stream has no end")


def _without(stream: list[Event]) -> Iterator[bytes]:
    for event in stream:
        if event.data == b"[DONE]":
            yield _again(event, event.data)
            return
        if not _is_usage_chunk(read(event.data) or {}):
            chunk = _chunk(event)
            chunk.pop("usage", None)
            yield _again(event, dump(chunk))


def _chunk(event: Event) -> dict[str, msgspec.Raw]:
    try:
        return _members(event.data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise CannotRender("a chunk is not a JSON object") from None


def _again(event: Event, data: bytes) -> bytes:
    return encode(data, None if event.event == "message" else event.event)
