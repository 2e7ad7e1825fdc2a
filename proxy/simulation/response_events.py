"""The events of a streamed response, numbered, from `created` to `completed`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from proxy.simulation.exchange import Exchange
from proxy.simulation.responses import opening, output, text_part, whole
from proxy.simulation.turn import End, Turn
from proxy.simulation.wire import Frame, event

Event = tuple[str, dict[str, Any]]


def stream(x: Exchange) -> Iterator[Frame]:
    """The events as frames."""
    numbers = count()
    for name, fields in _events(x):
        numbered = {"type": f"response.{name}", "sequence_number": next(numbers), **fields}
        yield event(numbered, token=name.endswith(".delta"))


def _events(x: Exchange) -> Iterator[Event]:
    [turn] = x.turns
    yield "created", {"response": opening(x)}
    yield "in_progress", {"response": opening(x)}
    for place, item in enumerate(output(x)):
        body = _arguments(turn, place, item) if turn.calls else _text(turn, item)
        empty: dict[str, Any] = {"arguments": ""} if turn.calls else {"content": []}
        opened = {**item, "status": "in_progress", **empty}
        yield "output_item.added", {"output_index": place, "item": opened}
        yield from body
        yield "output_item.done", {"output_index": place, "item": item}
    name = "incomplete" if turn.end is End.LENGTH else "completed"
    yield name, {"response": whole(x)}


def _arguments(turn: Turn, place: int, item: dict[str, Any]) -> Iterator[Event]:
    at = {"item_id": item["id"], "output_index": place}
    for piece in turn.calls[place].pieces:
        yield "function_call_arguments.delta", {**at, "delta": piece}
    done = {"arguments": item["arguments"], "name": item["name"]}
    yield "function_call_arguments.done", {**at, **done}


def _text(turn: Turn, item: dict[str, Any]) -> Iterator[Event]:
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    yield "content_part.added", {**at, "part": text_part("")}
    for piece in turn.pieces:
        yield "output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "output_text.done", {**at, "text": turn.text, "logprobs": []}
    yield "content_part.done", {**at, "part": text_part(turn.text)}
