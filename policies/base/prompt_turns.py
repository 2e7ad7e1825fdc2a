"""The latest long body of each conversation, so that of its next turn only the end is read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Raw

LEAST = 4096  # bytes of a body: shorter ones are read faster than they are found
_MEMORY = 16_000_000  # bytes of all bodies that are kept, and of what was read in them
_OVERHEAD = 2.0  # times a body's size, for what was read in it
_NAMED = 96  # bytes from the first user's words on, by which a conversation is found
_ALIKE = 4  # conversations that begin with the same words, or one as sent and as edited
_USER = b'"user"'
_BETWEEN = b" \t\n\r,"

Span = tuple[int, int]
R = TypeVar("R", bound="Laid")


class Laid:
    """A body's `text` up to the end of its last message, and where its messages lie.

    `start`: of the list's value; `spans`: of the messages. `notes`: what readers made of
    exactly these messages and may go on from, by who made it.
    """

    __slots__ = ("name", "notes", "size", "spans", "start", "text")

    def __init__(self, raw: bytes, start: int, spans: list[Span]) -> None:
        self.name = 0  # the memory's, for the conversation
        self.size = len(raw)  # what stands behind the messages is kept by readers, too
        self.text = raw[: spans[-1][1]]
        self.start = start
        self.spans = spans
        self.notes: dict[object, object] = {}

    def goes_on(self, raw: bytes) -> bool:
        """Whether more messages follow on these in `raw`."""
        return raw.startswith(b",", len(self.text)) and raw.startswith(self.text)


def laid(raw: bytes, at: int, raws: Sequence[Raw]) -> list[Span] | None:
    """Where these items of one list lie, the first at or behind `at`; None if they do not."""
    found: list[Span] = []
    for item in raws:
        while raw[at] in _BETWEEN:
            at += 1
        if not raw.startswith(item, at):
            return None
        found.append((at, at := at + len(memoryview(item))))
    return found


class Latest(Generic[R]):
    """Bodies by how their conversation begins, the longest unused forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[R, ...]] = OrderedDict()
        self._held = 0

    def before(self, raw: bytes) -> R | None:
        """The latest body that this one goes on from, message by message."""
        for known in self._known.get(_name(raw), ()):
            if known.goes_on(raw):
                return known
        return None

    def keep(self, made: R, instead: R | None) -> None:
        """Remember a body, `instead` of that of the turn before it."""
        name = _name(made.text) if instead is None else instead.name
        made.name = name
        old = self._known.pop(name, ())
        others = tuple(each for each in old if each is not instead and each.spans != made.spans)
        kept = (made, *others[: _ALIKE - 1])
        self._known[name] = kept
        self._held += _size(kept) - _size(old)
        while self._held > _MEMORY and self._known:
            self._held -= _size(self._known.popitem(last=False)[1])


def _name(raw: bytes) -> int:
    at = raw.find(_USER)
    return hash(raw[at : at + _NAMED])


def _size(kept: Sequence[Laid]) -> int:
    return int(sum(each.size for each in kept) * _OVERHEAD)
