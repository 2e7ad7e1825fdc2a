"""A stored reply in the form a client asks for: plain from a stream, a stream from plain."""

from __future__ import annotations

from typing import Any

from policies.base.call import Dialect, Headers
from policies.base.reply import Recording
from proxy.wire import replay_chat, replay_completions, replay_messages, replay_responses
from proxy.wire.document import read
from proxy.wire.replay_merge import CannotRender, dump, mapping
from proxy.wire.replay_usage import adjusted
from proxy.wire.sse import events
from proxy.wire.usage import fields

__all__ = ["CannotRender", "render"]

_PLAIN = {
    Dialect.CHAT: replay_chat.plain,
    Dialect.COMPLETIONS: replay_completions.plain,
    Dialect.RESPONSES: replay_responses.plain,
    Dialect.MESSAGES: replay_messages.plain,
}
_EVENTS = {
    Dialect.RESPONSES: replay_responses.stream,
    Dialect.MESSAGES: replay_messages.stream,
}
_CHUNKS = {  # these tell the usage only when asked
    Dialect.CHAT: replay_chat.stream,
    Dialect.COMPLETIONS: replay_completions.stream,
}
_OF_THE_FORM = frozenset({b"content-type", b"content-length", b"content-encoding", b"etag"})


def render(
    dialect: Dialect, recording: Recording, stream: bool, options: Any
) -> tuple[Headers, bytes]:
    """Headers and body of a complete recording as a stream or as a plain reply.

    `options` is the request's `stream_options`, as it came. In the same form, with usage
    told as asked, the bytes are the recording's own. Raises `CannotRender` when the
    recording cannot be put into the form faithfully; a cache then takes it for a miss.
    """
    include_usage = isinstance(options, dict) and options.get("include_usage") is True
    try:
        if stream == recording.stream or dialect is Dialect.EMBEDDINGS:
            body = recording.body
            if stream and dialect in _CHUNKS:
                body = adjusted(dialect, body, recording.usage, include_usage)
            return recording.headers, body
        if dialect not in _PLAIN:
            raise CannotRender("replies of this endpoint have one form")
        if stream:
            doc = _with_usage(dialect, recording, mapping(read(recording.body)))
            if dialect in _CHUNKS:
                body = _CHUNKS[dialect](doc, include_usage)
            else:
                body = _EVENTS[dialect](doc)
            return _headers(recording.headers, b"text/event-stream; charset=utf-8"), body
        doc = _with_usage(dialect, recording, _PLAIN[dialect](events(recording.body)))
        return _headers(recording.headers, b"application/json"), dump(doc)
    except RecursionError:
        raise CannotRender("nested too deep") from None


def _with_usage(dialect: Dialect, recording: Recording, doc: dict[str, Any]) -> dict[str, Any]:
    if doc.get("usage") is None and recording.usage is not None:
        return doc | {"usage": fields(dialect, recording.usage)}
    return doc


def _headers(headers: Headers, content_type: bytes) -> Headers:
    kept = (header for header in headers if header[0] not in _OF_THE_FORM)
    return (*kept, (b"content-type", content_type))
