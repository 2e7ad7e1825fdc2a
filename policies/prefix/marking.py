"""Writing marks into a body: every byte that is not a mark's, or a list's around it, stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Raw

from policies.base.body import Body
from policies.base.prompt import Block, Fields, Reading
from policies.base.spans import members

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_name = re.compile(rb'(?:\{|\s*,)\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)
_end = re.compile(rb"\s*\}\s*")


class CannotPlace(Exception):
    """The text is not as it was taken for, such as an object that repeats a key."""


def spans(text: bytes) -> Iterator[tuple[str, int, int]]:
    """`(key, start, end)` of an object's values. Raises `CannotPlace` if a key stands twice."""
    at = len(text) - len(text.lstrip())
    for key, raw in _object(text).items():
        match = _name.match(text, at)
        if match is None or json.loads(match.group(1)) != key:
            raise CannotPlace
        start = match.end()
        if not text.startswith(raw, start):
            raise CannotPlace
        at = start + len(memoryview(raw))
        yield key, start, at
    if _end.fullmatch(text, at) is None:
        raise CannotPlace


_LISTS = ("messages", "input")
Insert = tuple[int, bytes]  # what to put before the byte of this number


def inserted(raw: bytes, inserts: Sequence[Insert], more: Mapping[str, bytes]) -> Body:
    """`raw` with `inserts`, ascending, and with members at its end.

    `raw` is an object that is not empty and has none of these members.
    """
    close = raw.rindex(b"}")
    new = [b',"' + name.encode() + b'":' + value for name, value in more.items()]
    view = memoryview(raw)
    pieces: list[bytes | memoryview] = []
    at = 0
    for place, text in (*inserts, (close, b"".join(new))):
        pieces += (view[at:place], text)
        at = place
    pieces.append(view[at:])
    return Body(b"".join(pieces))


class _Slots:
    """What makes the texts of messages lists: `plain`, ascending.

    `closing` tells by block number which of these ends a list.
    """

    __slots__ = ("closing", "plain")

    def __init__(self, before: _Slots | None = None) -> None:
        self.plain: list[Insert] = [] if before is None else before.plain.copy()
        self.closing: dict[int, int] = {} if before is None else before.closing.copy()


class Marking:
    """Marks to set, by block number, and the form in which the dialect writes them."""

    def __init__(self, kind: str, mark: bytes, blocks: Sequence[int]) -> None:
        """`kind`: the type of a text part; `mark`: a member, such as `"cache_control":{…}`."""
        self._open = b'[{"type":"' + kind.encode() + b'","text":'
        self._mark = b"," + mark
        self._blocks = frozenset(blocks)

    def inserts(
        self, raw: bytes, top: Fields, found: Sequence[Block], read: Reading | None = None
    ) -> list[Insert]:
        """What makes texts lists and sets the marks, ascending; `read`: where messages lie.

        Raises `CannotPlace` where that cannot be done with certainty.
        """
        heads: dict[str | int, list[tuple[int, Block]]] = {}
        first = 0
        while first < len(found) and found[first].path[0] not in _LISTS:
            if found[first].markable:
                heads.setdefault(found[first].path[0], []).append((first, found[first]))
            first += 1
        made: list[Insert] = []
        gone = 0 if read is None else len(read.text) - read.start - 1
        for name, left, right in tuple(spans(raw)) if read is None else _around(raw, read):
            shift = gone if read is not None and left > read.start else 0
            start, end = left + shift, right + shift
            if first < len(found) and name == found[first].path[0]:
                made += self._messages(raw, (start, end), top, (found, first, read))
            elif name in heads and raw.startswith(b'"', start):
                number = heads[name][0][0]
                made.append((start, self._open))
                made.append((end, self._mark + b"}]" if number in self._blocks else b"}]"))
            else:
                for number, block in heads.get(name, ()):
                    made += self._part(raw, start, end, number, block)
        return made

    def _messages(
        self,
        raw: bytes,
        where: tuple[int, int],
        top: Fields,
        known: tuple[Sequence[Block], int, Reading | None],
    ) -> list[Insert]:
        """Of the list there; `known`: all blocks, the number of its first, and the reading."""
        found, first, read = known
        if len(found[first].path) < 2:  # one text, which takes no mark
            return []
        if read is None:
            items = _items(raw, *where, top.messages or _list(top.input))
            slots = self._slots(raw, items, found, (first, _Slots()))
        else:
            items = read.spans
            before = read.earlier.get(self._open)
            begun = max(first, read.known) if isinstance(before, _Slots) else first
            old = before if isinstance(before, _Slots) else None
            slots = self._slots(raw, items, found, (begun, _Slots(old)))
            read.notes[self._open] = slots
        made = slots.plain.copy()
        for number in sorted(self._blocks):
            place = slots.closing.get(number)
            if place is not None:
                made[place] = (made[place][0], self._mark + b"}]")
            elif number >= first:
                block = found[number]
                start, end = items[block.index]
                made += self._part(raw, *_content(raw, start, end), number, block)
        return sorted(made) if len(made) > len(slots.plain) else made

    def _slots(
        self,
        raw: bytes,
        items: Sequence[tuple[int, int]],
        found: Sequence[Block],
        begun: tuple[int, _Slots],
    ) -> _Slots:
        """The slots that were `begun`, those of blocks from the number there on with them."""
        first, slots = begun
        for number in range(first, len(found)):
            block = found[number]
            if not block.markable or len(block.path) != 3:
                continue
            start, end = items[block.index]
            if block.offset is None:
                left, right = _content(raw, start, end)
            else:
                left = start + block.offset
                right = left + block.size
            slots.plain.append((left, self._open))
            slots.closing[number] = len(slots.plain)
            slots.plain.append((right, b"}]"))
        return slots

    def _part(
        self, raw: bytes, start: int, end: int, number: int, block: Block
    ) -> Iterator[Insert]:
        """A member more for an object of the list between `start` and `end`."""
        if number in self._blocks:
            for index, _, last in members(raw[start:end]):
                if index == block.path[-1]:
                    yield start + last - 1, self._mark


def _around(raw: bytes, read: Reading) -> tuple[tuple[str, int, int], ...]:
    """As `spans`, of the body without its messages: it is the same in most turns."""
    short = raw[: read.start] + b"[" + raw[len(read.text) :]
    known = read.earlier.get(spans)
    if not isinstance(known, tuple) or known[0] != short:
        known = (short, tuple(spans(short)))
    read.notes[spans] = known
    found: tuple[tuple[str, int, int], ...] = known[1]
    return found


def _items(raw: bytes, start: int, end: int, raws: Sequence[Raw]) -> list[tuple[int, int]]:
    """Where the items of the list between `start` and `end` begin and end."""
    sizes = [len(memoryview(item)) for item in raws]
    for comma in (b",", b", "):  # compact, and as Python writes it
        if end - start != 2 + sum(sizes) + len(comma) * (len(sizes) - 1):
            continue
        found: list[tuple[int, int]] = []
        at = start + 1
        for size in sizes:
            if found:
                if not raw.startswith(comma, at):
                    break
                at += len(comma)
            found.append((at, at := at + size))
        else:
            return found
    return [(start + left, start + right) for _, left, right in members(raw[start:end])]


def _content(raw: bytes, start: int, end: int) -> tuple[int, int]:
    found = {key: (left, right) for key, left, right in spans(raw[start:end])}
    left, right = found["content"]
    return start + left, start + right
