"""Reading a table of the compact notation: its head, its rows, and the JSON they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from policies.compress.json_columns import Column, Constant, Leaf, Listed, Nested, Patterned
from policies.compress.json_words import BARE, KEY, QUOTED

_word = re.compile(f"{QUOTED}|{BARE}").match
_key = re.compile(f"{QUOTED}|{KEY}").match
_special = re.compile(r'["\[]|(?:^|[ \n])\{').search

_LEAF = Leaf()
_CELL = 64  # levels that what stands in a cell may have

Value = Callable[[int, int], tuple[str, int]]
Slots = Sequence[Listed | None]

# Lines that are heads as a whole -> what they mean, wherever as much room is left.
_heads: dict[str, tuple[Nested | Listed, Slots]] = {}
_HEADS = 1024
_LONGEST = 512  # characters
_ROOM = 64  # levels that must be left, and that a head which is kept has at most


class Grid:
    """One table in `text`. `value` reads what stands at a place, some levels deep."""

    def __init__(self, text: str, value: Value) -> None:
        self._text = text
        self._value = value

    def read(self, size: int, at: int, room: int) -> tuple[str, int]:
        """The JSON text of all rows, and the place behind them. Raises `ValueError`."""
        head, slots, at = self._head(at, room)
        end = self._end(size, at)
        block = self._text[at + 1 : end]
        if any(slots) or _special(block):
            rows = self._scanned(size, at + 1, slots)
        else:
            rows = [line.split(" ") for line in block.split("\n")]
        if not size or not slots or len(rows[0]) != len(slots):
            raise ValueError("the rows of a table do not fit its head")
        texts = head.texts(iter(list(zip(*rows, strict=True))), size, {})
        return f"[{','.join(map(str, texts))}]", min(end + 1, len(self._text))

    def _head(self, at: int, room: int) -> tuple[Nested | Listed, Slots, int]:
        """The head that stands here, read once of those that come again and again."""
        end = self._text.find("\n", at)
        line = self._text[at:end] if 0 < end <= at + _LONGEST and room >= _ROOM else ""
        known = _heads.get(line)
        if known is None:
            head, behind = self._items(at, room)
            known = (head, head.slots())
            if not line or behind != end or line.count("[") + line.count("{") > _ROOM:
                return *known, behind
            if len(_heads) >= _HEADS:
                _heads.clear()
            _heads[line] = known
        return *known, end

    def _end(self, size: int, at: int) -> int:
        """Where the last of `size` lines that follow `at` ends."""
        text = self._text
        for _ in range(size):
            if text[at : at + 1] != "\n":
                raise ValueError("a row is missing")
            at = text.find("\n", at + 1)
            if at < 0:
                at = len(text)
        return at

    def _items(self, at: int, room: int) -> tuple[Nested | Listed, int]:
        """What the items of an array are, by the head that stands here."""
        if room < 0:
            raise ValueError("too deep")
        sign = self._text[at : at + 1]
        if sign == "{":
            return self._members(at + 1, room)
        if sign != "[":
            raise ValueError("a table without a head")
        item, at = self._items(at + 1, room - 1)
        if self._text[at : at + 1] != "]":
            raise ValueError("the head of a table is not closed")
        return Listed(item), at + 1

    def _members(self, at: int, room: int) -> tuple[Nested, int]:
        members: dict[str, Column] = {}
        while True:
            key = _key(self._text, at)
            if key is None:
                raise ValueError("the head of a table lacks a name")
            members[key[0]], at = self._column(key.end(), room)
            sign = self._text[at : at + 1]
            at += 1
            if sign == "}":
                return Nested(members), at
            if sign != " ":
                raise ValueError("the head of a table is not closed")

    def _column(self, at: int, room: int) -> tuple[Column, int]:
        sign = self._text[at : at + 1]
        if sign == "=":
            constant, at = self._value(at + 1, room - 1)
            return Constant(constant), at
        if sign == "~":
            word = _word(self._text, at + 1)
            if word is None:
                raise ValueError("a pattern is missing")
            return Patterned.of(word[0]), word.end()
        if sign in ("{", "["):
            return self._items(at, room - 1)
        return _LEAF, at

    def _scanned(self, size: int, at: int, slots: Slots) -> list[list[Any]]:
        rows = []
        for _ in range(size):
            row, at = self._row(at, slots)
            rows.append(row)
            at += 1
        return rows

    def _row(self, at: int, slots: Slots) -> tuple[list[Any], int]:
        text, cells = self._text, list[Any]()
        for number, slot in enumerate(slots):
            if number:
                if text[at : at + 1] != " ":
                    raise ValueError("a row has too few cells")
                at += 1
            if slot is not None:
                cell, at = self._rows(at, slot)
                cells.append(cell)
                continue
            word = _word(text, at)
            if word:
                cells.append(word[0])
                at = word.end()
            else:
                value, at = self._value(at, _CELL)
                cells.append(value)
        return cells, at

    def _rows(self, at: int, listed: Listed) -> tuple[list[list[Any]], int]:
        """The rows of a cell: `[1 a,2 b]`."""
        text, slots, rows = self._text, listed.item.slots(), list[list[Any]]()
        if text[at : at + 2] == "[]":
            return rows, at + 2
        sign = ","
        if text[at : at + 1] != "[":
            raise ValueError("a cell of rows is missing")
        while sign == ",":
            row, at = self._row(at + 1, slots)
            rows.append(row)
            sign = text[at : at + 1]
        if sign != "]":
            raise ValueError("a cell of rows is not closed")
        return rows, at + 1
