"""Writing marks into a body: every byte that is not a mark's, or a list's around it, stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Raw

from policies.base.body import Body
from policies.base.prompt import Block, Fields
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


class Marking:
    """Marks to set, by block number, and the form in which the dialect writes them."""

    def __init__(self, kind: str, mark: bytes, blocks: Sequence[int]) -> None:
        """`kind`: the type of a text part; `mark`: a member, such as `"cache_control":{…}`."""
        self._open = b'[{"type":"' + kind.encode() + b'","text":'
        self._mark = b"," + mark
        self._blocks = frozenset(blocks)

    def inserts(self, raw: bytes, top: Fields, found: Sequence[Block]) -> list[Insert]:
        """What makes texts lists and sets the marks, ascending.

        Raises `CannotPlace` where that cannot be done with certainty.
        """
        places: dict[str | int, list[tuple[int, Block]]] = {}
        for number, block in enumerate(found):
            if block.markable:
                places.setdefault(block.path[0], []).append((number, block))
        made: list[Insert] = []
        for name, start, end in tuple(spans(raw)):
            if name not in places:
                continue
            if name in ("messages", "input"):
                raws = top.messages if name == "messages" else _list(top.input)
                made += self._messages(raw, _items(raw, start, end, raws or ()), places[name])
            elif raw[start : start + 1] == b'"':
                made += self._listed(start, end, places[name][0][0])
            else:
                for number, block in places[name]:
                    made += self._part(raw, start, end, number, block)
        return made

    def _messages(
        self, raw: bytes, items: Sequence[tuple[int, int]], those: Sequence[tuple[int, Block]]
    ) -> Iterator[Insert]:
        plain, marked = self._open, self._mark + b"}]"
        for number, block in those:
            start, end = items[block.index]
            if len(block.path) == 3:
                if block.offset is None:
                    left, right = _content(raw, start, end)
                else:
                    left = start + block.offset
                    right = left + block.size
                yield left, plain
                yield right, marked if number in self._blocks else b"}]"
            elif number in self._blocks:
                yield from self._part(raw, *_content(raw, start, end), number, block)

    def _listed(self, start: int, end: int, number: int) -> Iterator[Insert]:
        """A text becomes the one part of a list."""
        yield start, self._open
        yield end, (self._mark + b"}]" if number in self._blocks else b"}]")

    def _part(
        self, raw: bytes, start: int, end: int, number: int, block: Block
    ) -> Iterator[Insert]:
        """A member more for an object of the list between `start` and `end`."""
        if number in self._blocks:
            for index, _, last in members(raw[start:end]):
                if index == block.path[-1]:
                    yield start + last - 1, self._mark


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
