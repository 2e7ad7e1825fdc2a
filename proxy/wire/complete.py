"""Whether a reply is whole and ended by itself: only then may a cache store it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from policies.base.call import OPAQUE, Dialect, Headers
from policies.base.usage import Usage
from proxy.wire import sse
from proxy.wire.document import dicts, read, skim
from proxy.wire.encoding import decode
from proxy.wire.texts import texts
from proxy.wire.usage import usage_of, usage_of_chunks
from proxy.wire.usual import usage_of_usual

__all__ = ["Finding", "decode", "inspect"]

_CHAT = Dialect.CHAT
_DONE = b"[DONE]"
_FINISHED = {
    Dialect.CHAT: frozenset({"stop", "tool_calls", "function_call"}),
    Dialect.COMPLETIONS: frozenset({"stop"}),
}
_FAILED = ("error", "response.failed", "response.incomplete")
_STOPPED = frozenset({"end_turn", "tool_use", "stop_sequence"})


class Finding(msgspec.Struct, frozen=True):
    """What a recorded reply turned out to be.

    `reason` says why it is not complete, "" when it is. `text` is the model's output, to be
    counted; it is filled only when no usage was reported.
    """

    complete: bool
    usage: Usage | None
    text: list[str]
    reason: str


def inspect(dialect: Dialect, headers: Headers, body: bytes, stream: bool) -> Finding:
    """Judge a whole 2xx reply, `body` without content encoding. Never raises.

    `stream`: the reply was asked for as an event stream.
    """
    if dialect is OPAQUE:
        return Finding(False, None, [], "replies of this endpoint are not read")
    if dialect is _CHAT and not stream and _media_type(headers) == b"application/json":
        usual = usage_of_usual(body)
        if usual is not None:
            return Finding(True, usual, [], "")
    look = skim if dialect in _FINISHED else read
    if stream and dialect is not Dialect.EMBEDDINGS:
        events = sse.events(body)
        docs = _documents(events, look)
        usage = usage_of_chunks(dialect, docs)
        faults = _stream_faults(dialect, body, events, docs)
        wanted = b"text/event-stream"
    else:
        events = [sse.Event(body)]
        docs = _documents(events, look)
        usage = usage_of(dialect, docs[0]) if docs else None
        faults = _plain_faults(dialect, docs)
        wanted = b"application/json"
    reason = "" if _media_type(headers) == wanted else "the content type does not fit"
    reason = reason or next(faults, "")
    said = [] if usage else texts(dialect, _documents(events, read))
    return Finding(not reason, usage, said, reason)


def _documents(
    events: list[sse.Event], look: Callable[[bytes], dict[str, Any] | None]
) -> list[dict[str, Any]]:
    return [doc for event in events if (doc := look(event.data)) is not None]


def _media_type(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"content-type":
            return value.partition(b";")[0].strip().lower()
    return b""


def _plain_faults(dialect: Dialect, docs: list[dict[str, Any]]) -> Iterator[str]:
    """Why a plain reply is not complete; only the first fault is sure to be one."""
    if not docs:
        yield "not a JSON object"
    doc = docs[0]
    if _is_error(doc):
        yield "an error"
    if dialect is Dialect.EMBEDDINGS:
        if not dicts(doc.get("data")):
            yield "no data"
    elif dialect is Dialect.RESPONSES:
        yield from _response_faults(doc, dicts(doc.get("output")))
    elif dialect is Dialect.MESSAGES:
        if not dicts(doc.get("content")):
            yield "no content"
        if not _is_one_of(doc.get("stop_reason"), _STOPPED):
            yield f"stop_reason {_shown(doc.get('stop_reason'))}"
    else:
        yield from _choice_faults(dialect, docs)


def _stream_faults(
    dialect: Dialect, body: bytes, events: list[sse.Event], docs: list[dict[str, Any]]
) -> Iterator[str]:
    """Why a stream is not complete; only the first fault is sure to be one."""
    if not sse.ended(body):
        yield "cut off within an event"
    done = sum(event.data == _DONE for event in events)
    if len(docs) + done != len(events):
        yield "an event that is not a JSON object"
    if done and (done > 1 or events[-1].data != _DONE):
        yield "events after the end"
    if any(_is_error(doc) for doc in docs) or any(event.event == "error" for event in events):
        yield "an error"
    if dialect is Dialect.RESPONSES:
        yield from _response_stream_faults(docs)
    elif dialect is Dialect.MESSAGES:
        yield from _message_stream_faults(docs)
    else:
        if not done:
            yield "no [DONE]"
        yield from _choice_faults(dialect, docs)


def _choice_faults(dialect: Dialect, docs: list[dict[str, Any]]) -> Iterator[str]:
    """Chat and completions, from a plain reply or from chunks."""
    finished: dict[int, bool] = {}
    for doc in docs:
        for choice in dicts(doc.get("choices")):
            index = choice.get("index")
            if type(index) is not int:
                yield "a choice without index"
                return
            reason = choice.get("finish_reason")
            if reason is not None and not _is_one_of(reason, _FINISHED[dialect]):
                yield f"finish_reason {_shown(reason)}"
            finished[index] = finished.get(index, False) or reason is not None
    if not finished:
        yield "no choices"
    if not all(finished.values()):
        yield "a choice without finish_reason"


def _response_faults(doc: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[str]:
    if doc.get("status") != "completed":
        yield f"status {_shown(doc.get('status'))}"
    if not items:
        yield "no output"
    if any(item.get("status") not in (None, "completed") for item in items):
        yield "an output item that was not completed"


def _response_stream_faults(docs: list[dict[str, Any]]) -> Iterator[str]:
    last = docs[-1] if docs else {}
    response = last.get("response")
    if last.get("type") != "response.completed" or not isinstance(response, dict):
        yield "no response.completed"
        return
    items = [doc.get("item") for doc in docs if doc.get("type") == "response.output_item.done"]
    yield from _response_faults(response, dicts(response.get("output")) or dicts(items))


def _message_stream_faults(docs: list[dict[str, Any]]) -> Iterator[str]:
    kinds = [doc.get("type") for doc in docs if doc.get("type") != "ping"]
    if kinds[:1] != ["message_start"] or kinds[-1] != "message_stop":
        yield "no message_stop"
    started = kinds.count("content_block_start")
    if not started or started != kinds.count("content_block_stop"):
        yield "no content" if not started else "an unfinished content block"
    deltas = dicts([doc.get("delta") for doc in docs if doc.get("type") == "message_delta"])
    reason = deltas[-1].get("stop_reason") if deltas else None
    if not _is_one_of(reason, _STOPPED):
        yield f"stop_reason {_shown(reason)}"


def _is_error(doc: dict[str, Any]) -> bool:
    """An error in place of, or in the middle of, a reply."""
    if doc.get("error") is not None or doc.get("type") in _FAILED:
        return True
    inner = [doc.get("response"), doc.get("message"), *dicts(doc.get("choices"))]
    return any(isinstance(part, dict) and part.get("error") is not None for part in inner)


def _shown(value: Any) -> str:
    return value[:40] if isinstance(value, str) else "missing"


def _is_one_of(value: Any, words: frozenset[str]) -> bool:
    return isinstance(value, str) and value in words
