"""Responses: the plain reply out of its stream, and the whole event sequence of a plain reply.

Event names and order follow OpenAI's streaming reference. Items whose events could only be
guessed (images, code interpreter, MCP) are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import zip_longest
from typing import Any

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
_COMPLETE = frozenset({"response.completed"})
_TOKENS = 64  # log probabilities in one event
_CALLS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}
_SEARCHES = {"web_search_call", "file_search_call"}
_WHOLE = {"computer_call", "local_shell_call", "compaction"}  # no events between added and done


def plain(events: list[Event], ends: Collection[str] = _COMPLETE) -> Members:
    """The response that the last event, one of `ends`, carries; its items, should it carry none."""
    items: dict[int, Members] = {}
    for doc in documents(events):
        kind = str(doc.get("type"))
        if kind == "response.output_item.done":
            items[number(doc.get("output_index"))] = mapping(doc.get("item"))
        elif kind in ends:
            response = mapping(doc.get("response"))
            done = [items[index] for index in sorted(items)]
            return response | {"output": response.get("output") or done}
    raise CannotRender(f"no {' or '.join(sorted(ends))}")


def stream(doc: Members) -> bytes:
    """The event stream that says what a plain reply says."""
    begun = {**doc, "status": "in_progress", "output": [], "usage": None}
    if "completed_at" in doc:
        begun["completed_at"] = None
    sequence: list[Members] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(objects(doc.get("output"))):
        where = {"output_index": index}
        spot = {"item_id": text(item.get("id", "")), **where}
        inner = [{**event, **spot} for event in _item(item)]
        sequence += [
            {"type": "response.output_item.added", "item": _started(item), **where},
            *inner,
            {"type": "response.output_item.done", "item": item, **where},
        ]
    sequence.append({"type": "response.completed", "response": doc})
    return b"".join(
        encode(dump({**event, "sequence_number": number}), event["type"])
        for number, event in enumerate(sequence)
    )


def _started(item: Members) -> Members:
    """An item as it stands before its content came."""
    started = dict(item)
    for name in ("content", "summary"):
        if item.get(name) is not None:
            started[name] = []
    if item.get("type") in _CALLS:
        started[_CALLS[item["type"]][0]] = ""
    if item.get("status") is not None:
        started["status"] = "in_progress"
    return started


def _item(item: Members) -> Iterator[Members]:
    kind = text(item.get("type"))
    if kind in _CALLS:
        member, name = _CALLS[kind]
        whole = text(item.get(member))
        for piece in pieces(whole):
            yield {"type": f"response.{name}.delta", "delta": piece}
        yield {"type": f"response.{name}.done", member: whole}
    elif kind in ("message", "reasoning"):
        for index, part in enumerate(objects(item.get("summary"))):
            yield from ({**event, "summary_index": index} for event in _summary(part))
        for index, part in enumerate(objects(item.get("content"))):
            yield from ({**event, "content_index": index} for event in _part(part))
    elif kind in _SEARCHES:
        for stage in ("in_progress", "searching", "completed"):
            yield {"type": f"response.{kind}.{stage}"}
    elif kind not in _WHOLE:
        raise CannotRender(f"an output item of type {kind}")


def _summary(part: Members) -> Iterator[Members]:
    whole = text(part.get("text"))
    yield {"type": "response.reasoning_summary_part.added", "part": {**part, "text": ""}}
    for piece in pieces(whole):
        yield {"type": "response.reasoning_summary_text.delta", "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", "text": whole}
    yield {"type": "response.reasoning_summary_part.done", "part": part}


def _part(part: Members) -> Iterator[Members]:
    kind = text(part.get("type"))
    if kind == "output_text":
        empty, inner = {"text": ""}, _output_text(part)
    elif kind == "reasoning_text":
        empty, inner = {"text": ""}, _said("reasoning_text", "text", part)
    elif kind == "refusal":
        empty, inner = {"refusal": ""}, _said("refusal", "refusal", part)
    else:
        raise CannotRender(f"a content part of type {kind}")
    lists: Members = {
        name: [] for name in ("annotations", "logprobs") if part.get(name) is not None
    }
    yield {"type": "response.content_part.added", "part": {**part, **lists, **empty}}
    yield from inner
    yield {"type": "response.content_part.done", "part": part}


def _said(event: str, member: str, part: Members) -> Iterator[Members]:
    whole = text(part.get(member))
    for piece in pieces(whole):
        yield {"type": f"response.{event}.delta", "delta": piece}
    yield {"type": f"response.{event}.done", member: whole}


def _output_text(part: Members) -> Iterator[Members]:
    whole = text(part.get("text"))
    logprobs = objects(part.get("logprobs"))
    slices = (logprobs[at : at + _TOKENS] for at in range(0, len(logprobs), _TOKENS))
    for piece, tokens in zip_longest(pieces(whole), slices):
        yield {"type": "response.output_text.delta", "delta": piece or "", "logprobs": tokens or []}
    for index, annotation in enumerate(objects(part.get("annotations"))):
        yield {
            "type": "response.output_text.annotation.added",
            "annotation_index": index,
            "annotation": annotation,
        }
    yield {"type": "response.output_text.done", "text": whole, "logprobs": logprobs}
