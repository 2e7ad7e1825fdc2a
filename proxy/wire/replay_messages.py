"""Anthropic's messages: a plain reply from its events, and events from a plain reply.

Events as in Anthropic's "Streaming messages". Blocks that are sent whole (redacted thinking,
results of server tools) come in their start event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxy.wire.document import read
from proxy.wire.replay_merge import (
    CannotRender,
    documents,
    dump,
    mapping,
    number,
    objects,
    pieces,
    text,
)
from proxy.wire.sse import Event, encode

Members = dict[str, Any]
_TOOLS = {"tool_use", "server_tool_use", "mcp_tool_use"}
_WHOLE = {"redacted_thinking", "container_upload"}
_AT_END = ("stop_reason", "stop_sequence", "stop_details", "container")


def plain(events: list[Event]) -> Members:
    """The message that a stream of events amounts to."""
    docs = [doc for doc in documents(events) if doc.get("type") != "ping"]
    kinds = [doc.get("type") for doc in docs]
    if kinds[:1] != ["message_start"] or kinds[-1] != "message_stop":
        raise CannotRender("no message_start or no message_stop")
    message = dict(mapping(docs[0].get("message")))
    blocks: list[Members] = []
    written: dict[int, str] = {}
    for doc in docs[1:-1]:
        if doc.get("type") == "message_delta":
            message = _ended(message, doc)
        else:
            _content(blocks, written, doc)
    for index, given in written.items():
        if given.strip():
            blocks[index]["input"] = mapping(read(given.encode()))
    return message | {"content": blocks}


def _content(blocks: list[Members], written: dict[int, str], doc: Members) -> None:
    """Take one event of a content block; JSON in pieces goes to `written`."""
    kind = doc.get("type")
    index = number(doc.get("index"))
    if kind == "content_block_start" and index == len(blocks):
        blocks.append(dict(mapping(doc.get("content_block"))))
    elif kind == "content_block_delta" and index < len(blocks):
        delta = mapping(doc.get("delta"))
        if delta.get("type") == "input_json_delta":
            written[index] = written.get(index, "") + text(delta.get("partial_json"))
        else:
            _grow(blocks[index], delta)
    elif kind != "content_block_stop":
        raise CannotRender(f"an event of type {kind}, or out of order")


def _grow(block: Members, delta: Members) -> None:
    kind = delta.get("type")
    if kind == "text_delta":
        block["text"] = text(block.get("text")) + text(delta.get("text"))
    elif kind == "thinking_delta":
        block["thinking"] = text(block.get("thinking")) + text(delta.get("thinking"))
    elif kind == "signature_delta":
        block["signature"] = text(delta.get("signature"))
    elif kind == "citations_delta":
        block["citations"] = [*objects(block.get("citations")), mapping(delta.get("citation"))]
    elif kind == "compaction_delta":
        block |= {name: delta[name] for name in delta if name != "type"}
    else:
        raise CannotRender(f"a delta of type {kind}")


def _ended(message: Members, doc: Members) -> Members:
    """The message with what `message_delta` says; counts replace those of the start."""
    counts = mapping(doc.get("usage") or {})
    usage = mapping(message.get("usage") or {}) | {
        name: value for name, value in counts.items() if value is not None
    }
    said = {name: doc[name] for name in doc if name not in ("type", "delta", "usage")}
    return message | said | mapping(doc.get("delta")) | ({"usage": usage} if usage else {})


def stream(doc: Members) -> bytes:
    """The event stream that says what a plain reply says."""
    usage = mapping(doc.get("usage"))
    late = {name: doc[name] for name in _AT_END if name in doc}
    begun = {**doc, **dict.fromkeys(late), "content": [], "usage": {**usage, "output_tokens": 0}}
    sequence: list[Members] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(objects(doc.get("content"))):
        start, deltas = _block(block)
        where = {"index": index}
        sequence.append({"type": "content_block_start", **where, "content_block": start})
        sequence += [{"type": "content_block_delta", **where, "delta": one} for one in deltas]
        sequence.append({"type": "content_block_stop", **where})
    totals = {name: value for name, value in usage.items() if value is not None}
    sequence += [
        {"type": "message_delta", "delta": late, "usage": totals},
        {"type": "message_stop"},
    ]
    return b"".join(encode(dump(event), event["type"]) for event in sequence)


def _block(block: Members) -> tuple[Members, Iterator[Members]]:
    """A content block as it starts, and the deltas that complete it."""
    kind = text(block.get("type"))
    if kind == "text":
        started: Members = {"citations": []} if block.get("citations") else {}
        return {**block, "text": "", **started}, _text(block)
    if kind == "thinking":
        started = {"signature": ""} if "signature" in block else {}
        return {**block, "thinking": "", **started}, _thinking(block)
    if kind in _TOOLS:
        return {**block, "input": {}}, _tool(mapping(block.get("input")))
    if kind in _WHOLE or kind.endswith("_tool_result"):
        return block, iter(())
    raise CannotRender(f"a content block of type {kind}")


def _text(block: Members) -> Iterator[Members]:
    for piece in pieces(text(block.get("text"))):
        yield {"type": "text_delta", "text": piece}
    for citation in objects(block.get("citations")):
        yield {"type": "citations_delta", "citation": citation}


def _thinking(block: Members) -> Iterator[Members]:
    for piece in pieces(text(block.get("thinking"))):
        yield {"type": "thinking_delta", "thinking": piece}
    if block.get("signature"):
        yield {"type": "signature_delta", "signature": text(block["signature"])}


def _tool(given: Members) -> Iterator[Members]:
    written = dump(given).decode() if given else ""
    for piece in pieces(written):
        yield {"type": "input_json_delta", "partial_json": piece}
