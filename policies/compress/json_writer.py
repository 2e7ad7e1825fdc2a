"""The writer of the compact notation.

It is JSON with fewer signs: members and items are parted by a space, names and strings stand
bare where that is clear, and arrays of like objects are tables:

    {id:7 name:"Ann Lee" tags:[new open] legs:[2]{from to}
    JFK ATL
    ATL SEA
     total:3}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from policies.compress.json_tables import Tables
from policies.compress.json_words import keys, quoted, words

_DEEPEST = 32  # objects and arrays in one another; writing takes time times depth
_REPEATED, _LONGEST = 32, 16_384  # characters of objects that are looked for again
_NESTING = frozenset({dict, list})
_CLEAR = 2  # names spared by a table, from which on it is not compared with the plain form


class TooDeep(Exception):  # noqa: D101 - the name says it
    pass


class Writer:
    """Writes one value. `objects` counts the texts of its objects, to find those that recur."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self.objects: dict[str, int] = {}
        self._count = count
        self._tables = Tables(self._inline)

    def write(self, value: Any) -> str:
        """The compact form. Raises `TooDeep`."""
        return self._value(value, _DEEPEST, True).rstrip("\n")

    def _inline(self, value: Any) -> str:
        return self._value(value, _DEEPEST, False)

    def _value(self, value: Any, room: int, tables: bool) -> str:
        """`room`: how many levels may follow; `tables`: whether lines may be ended."""
        kind = type(value)
        if kind is str:
            return words[value]
        if kind is dict:
            return self._object(value, room - 1, tables)
        if kind is list:
            return self._array(value, room - 1, tables)
        return str(value) if kind is int else _scalar(value)

    def _object(self, members: dict[str, Any], room: int, tables: bool) -> str:
        if room < 0:
            raise TooDeep
        write = self._value
        parts = [
            f"{keys[name]}:{words[value]}"
            if type(value) is str
            else f"{keys[name]}:{value if type(value) is int else write(value, room, tables)}"
            for name, value in members.items()
        ]
        text = f"{{{' '.join(parts)}}}"
        if _REPEATED <= len(text) <= _LONGEST and "\n" not in text:
            self.objects[text] = self.objects.get(text, 0) + 1
        return text

    def _array(self, items: list[Any], room: int, tables: bool) -> str:
        if room < 0:
            raise TooDeep
        if not items or type(items[0]) not in (dict, list):
            return self._plain(items, room, tables)
        table = self._tables.table(items) if tables and len(items) > 1 else None
        if table and _names(items) >= _CLEAR:
            return table
        plain = self._plain(items, room, tables)
        return table if table and self._count(table) < self._count(plain) else plain

    def _plain(self, items: list[Any], room: int, tables: bool) -> str:
        write = self._value
        parts = [words[i] if type(i) is str else write(i, room, tables) for i in items]
        if not _NESTING.isdisjoint(map(type, items)):  # where `a:b` would be read as a member
            parts = [
                quoted(item) if type(item) is str and ":" in item else part
                for item, part in zip(items, parts, strict=True)
            ]
        return f"[{' '.join(parts)}]"


def _names(items: list[Any]) -> int:
    """How often a table of such items spares a name, at least."""
    first = items[0]
    if isinstance(first, dict):
        return len(first) * (len(items) - 1)
    return _names(first) if first and isinstance(first[0], (dict, list)) else 0


def _scalar(value: msgspec.Raw | bool | None) -> str:
    if type(value) is msgspec.Raw:  # a number with a fraction or an exponent
        return str(value, "utf-8")
    return "null" if value is None else "true" if value else "false"
