"""Joining what came in pieces. Where that would be a guess, it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from proxy.wire.document import read
from proxy.wire.sse import Event

_PIECE = 2048  # characters of text in one event


class CannotRender(Exception):
    """A recording cannot be put into the form asked for without guessing."""


def agree(known: Any, new: Any) -> Any:
    """One value of two that must not contradict each other."""
    if new is None or known == new:
        return known
    if known is None:
        return new
    if isinstance(known, dict) and isinstance(new, dict):
        both = {name: agree(known.get(name), value) for name, value in new.items()}
        return known | both
    raise CannotRender("chunks contradict each other")


def grow(known: Any, new: Any) -> Any:
    """Text and lists of plain values continued by the next piece; others must agree."""
    if isinstance(known, str) and isinstance(new, str):
        return known + new
    if isinstance(known, list) and isinstance(new, list):
        if not known or not new or not any(isinstance(entry, dict) for entry in (*known, *new)):
            return known + new
        raise CannotRender("a list of objects came in pieces")
    return agree(known, new)


def pieces(text: str) -> Iterator[str]:
    """`text` in the pieces a stream sends; none for an empty one."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def mapping(value: Any) -> dict[str, Any]:
    """`value`, which must be an object."""
    if not isinstance(value, dict):
        raise CannotRender("an object is missing")
    return value


def objects(value: Any) -> list[dict[str, Any]]:
    """The entries of an array, which must all be objects; none when it is null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise CannotRender("an array is missing")
    return [mapping(entry) for entry in value]


def text(value: Any) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise CannotRender("a text is missing")
    return value


def number(value: Any) -> int:
    """`value`, which must be the index of something."""
    if type(value) is not int or not 0 <= value < 2**31:
        raise CannotRender("an index is missing")
    return value


def documents(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream up to `[DONE]`; raises on an error event."""
    for event in events:
        if event.data == b"[DONE]":
            return
        doc = mapping(read(event.data))
        if event.event == "error" or doc.get("type") == "error" or doc.get("error") is not None:
            raise CannotRender("the stream ended in an error")
        yield doc


dump = msgspec.json.Encoder().encode
