"""Where the blocks and parameters of a request lie in the bytes of its body."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec
from msgspec import Raw

from policies.base.prompt import Block, Fields
from policies.base.spans import members

Span = tuple[int, int]  # first byte, and the one after the last
Lists = dict[str, tuple[Span, ...]]

_LISTS = frozenset({"messages", "input"})  # they differ in every turn
_HEAD = frozenset({"tools", "functions", "system"})  # and these seldom
_KNOWN = frozenset(Fields.__struct_fields__)
_HEADS = 256  # remembered
_key = re.compile(rb'\s*[{,]\s*"([^"\\]*)"\s*:\s*')
_scalar = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s,{}\[\]"]+', re.DOTALL)
_bracket = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_comma = re.compile(rb"\s*,\s*")
_open = re.compile(rb"\[\s*")
_close = re.compile(rb"\s*\]")
_list = msgspec.json.Decoder(list[Raw]).decode


class Layout:
    """Byte spans in one body.

    `values`: of its outermost values, by name. `items` and `lengths`: where its messages or
    input items begin, and their bytes. `lists`: of the items of other lists, from the list's
    first byte on; shared by bodies with the same tools and system.
    """

    __slots__ = ("items", "lengths", "lists", "values")

    def __init__(
        self, values: dict[str, Span], items: Sequence[int], lengths: Sequence[int], lists: Lists
    ) -> None:
        self.values = values
        self.items = array("I", items)
        self.lengths = array("I", lengths)
        self.lists = lists

    def span(self, number: int, found: Sequence[Block]) -> Span | None:
        """The bytes of block `number` of `found`; None where they are not known.

        A content part counts as its whole message. A piece of a completion prompt is found
        by the sizes of the pieces before it.
        """
        block = found[number]
        name = str(block.path[0])
        span = self.values.get(name)
        if span is None:
            return None
        if name == "prompt":
            start = span[0] + sum([each.size for each in found[:number]])
            return start, min(start + block.size, span[1])
        item = block.path[1] if len(block.path) > 1 else None
        if not isinstance(item, int):
            return span
        if name in _LISTS and item < len(self.items):
            start = self.items[item]
            return start, start + self.lengths[item]
        items = self.lists.get(name, ())
        if item < len(items):
            return span[0] + items[item][0], span[0] + items[item][1]
        return span


class Layouts:
    """Finds layouts of bodies. What has been parsed before is not parsed again.

    `others`: names of top-level values to find besides those that make the prompt.
    """

    def __init__(self, others: Iterable[str]) -> None:
        self._names = {name: name for name in (*_LISTS, *_HEAD, *_KNOWN, *others)}
        self._heads: dict[tuple[object, ...], Lists] = {}

    def of(self, raw: bytes, top: Fields, found: Sequence[Block]) -> Layout:
        """The layout of `raw`, whose fields and blocks are given; empty where it is odd."""
        try:
            walk = _Walk(raw, top)
            values, items, lengths = walk.values(), walk.items, walk.lengths
        except _OddError:
            try:
                values, items, lengths = _parsed(raw)
            except (_OddError, ValueError, msgspec.MsgspecError):
                return Layout({}, (), (), {})
        named = {self._names[name]: values[name] for name in values if name in self._names}
        return Layout(named, items, lengths, self._lists(raw, named, found))

    def _lists(self, raw: bytes, values: dict[str, Span], found: Sequence[Block]) -> Lists:
        """Where tools and the parts of the system prompt lie, looked up by their digest."""
        last = b""
        for block in found:
            if block.path[0] not in _HEAD:
                break
            last = block.chain
        if not last:
            return {}
        spans = [(name, values[name]) for name in _HEAD & values.keys()]
        key = (last, *[(name, end - start) for name, (start, end) in spans])
        lists = self._heads.get(key)
        if lists is None:
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            lists = self._heads[key] = {
                name: tuple([(a - span[0], b - span[0]) for a, b in _items(raw, span)])
                for name, span in spans
            }
        return lists


def _parsed(raw: bytes) -> tuple[dict[str, Span], list[int], list[int]]:
    """The same as a walk finds, at the cost of a parse. Raises `_OddError` and what it raises."""
    lead = len(raw) - len(raw.lstrip())
    found = members(raw[lead:])
    values = {str(name): (lead + start, lead + end) for name, start, end in found}
    if raw[max(end for _, end in values.values()) :].strip() != b"}":
        raise _OddError  # a key stands twice
    listed = _items(raw, values.get("messages") or values.get("input"))
    return values, [start for start, _ in listed], [end - start for start, end in listed]


def _items(raw: bytes, span: Span | None) -> list[Span]:
    """The items of the list that is there; none of another value."""
    if span is None or raw[span[0] : span[0] + 1] != b"[":
        return []
    return [(span[0] + start, span[0] + end) for _, start, end in members(raw[span[0] : span[1]])]


class _OddError(Exception):
    """The text is laid out in a way that only a whole parse can follow."""


class _Walk:
    """Steps over the outermost object, value by value. Raises `_OddError`."""

    def __init__(self, raw: bytes, top: Fields) -> None:
        self._raw = raw
        self._top = top
        self.items: list[int] = []
        self.lengths: list[int] = []

    def values(self) -> dict[str, Span]:
        raw = self._raw
        found: dict[str, Span] = {}
        at = 0
        while (match := _key.match(raw, at)) is not None:
            name = match[1].decode()
            start = match.end()
            at = self._end(name, start)
            found[name] = (start, at)
        if raw[at : at + 64].strip() != b"}":
            raise _OddError
        return found

    def _end(self, name: str, start: int) -> int:
        raw = self._raw
        if name in _KNOWN:
            known = getattr(self._top, name)
            if name == "messages":
                return self._listed(start, known or ())
            if not raw.startswith(known, start):
                raise _OddError  # the key stands twice
            if name == "input" and raw.startswith(b"[", start):
                return self._listed(start, _list(known))
            return start + len(memoryview(known))
        if raw[start] in b"{[":
            return self._nested(start)
        match = _scalar.match(raw, start)
        if match is None:
            raise _OddError
        return match.end()

    def _nested(self, start: int) -> int:
        depth = 0
        for match in _bracket.finditer(self._raw, start):
            token = match[0]
            if token in b"{[":
                depth += 1
            elif token in b"}]":
                depth -= 1
                if not depth:
                    return match.end()
        raise _OddError

    def _listed(self, start: int, raws: Sequence[Raw]) -> int:
        """The end of a list of these items, that all stand equally far apart."""
        raw = self._raw
        opening = _open.match(raw, start)
        if opening is None or not raws:
            raise _OddError
        lengths = [len(memoryview(item)) for item in raws]
        first = opening.end()
        gap = 0
        if len(raws) > 1:
            comma = _comma.match(raw, first + lengths[0])
            if comma is None:
                raise _OddError
            gap = comma.end() - comma.start()
        items = list(accumulate([length + gap for length in lengths[:-1]], initial=first))
        closing = _close.match(raw, items[-1] + lengths[-1])
        if closing is None or not raw.startswith(raws[-1], items[-1]):
            raise _OddError
        self.items, self.lengths = items, lengths
        return closing.end()
