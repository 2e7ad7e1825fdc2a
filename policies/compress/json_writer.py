"""The writer of the compact notation.

It is JSON with fewer signs: members and items are parted by a space, names and strings stand
bare where that is clear, and arrays of like objects are tables:

    {id:7 name:"Ann Lee" tags:[new open] legs:[2]{from to}
    JFK ATL
    ATL SEA
     total:3}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from policies.compress.json_tables import Tables
from policies.compress.json_words import keys, words

_DEEPEST = 32  # objects and arrays in one another; writing takes time times depth
_REPEATED, _LONGEST = 32, 16_384  # characters of objects that are looked for again
_CLEAR = 4  # names spared by a table, from which on it is not compared with the plain form


class TooDeep(Exception):  # noqa: D101 - the name says it
    pass


class Writer:
    """Writes one value. `objects` counts the texts of its objects, to find those that recur."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self.objects: Counter[str] = Counter()
        self._count = count
        self._tables = Tables(self._inline)

    def write(self, value: Any) -> str:
        """The compact form. Raises `TooDeep`."""
        return self._value(value, _DEEPEST, tables=True).rstrip("\n")

    def _inline(self, value: Any) -> str:
        return self._value(value, _DEEPEST, tables=False)

    def _value(self, value: Any, room: int, *, tables: bool) -> str:
        """`room`: how many levels may follow; `tables`: whether lines may be ended."""
        kind = type(value)
        if kind is str:
            return words[value]
        if kind is dict:
            return self._object(value, room - 1, tables=tables)
        if kind is list:
            return self._array(value, room - 1, tables=tables)
        return str(value) if kind is int else _scalar(value)

    def _object(self, members: dict[str, Any], room: int, *, tables: bool) -> str:
        if room < 0:
            raise TooDeep
        parts = [
            f"{keys[name]}:{words[value]}"
            if type(value) is str
            else f"{keys[name]}:{self._value(value, room, tables=tables)}"
            for name, value in members.items()
        ]
        text = "{" + " ".join(parts) + "}"
        if _REPEATED <= len(text) <= _LONGEST and "\n" not in text:
            self.objects[text] += 1
        return text

    def _array(self, items: list[Any], room: int, *, tables: bool) -> str:
        if room < 0:
            raise TooDeep
        if not items or type(items[0]) not in (dict, list):
            parts = [
                words[i] if type(i) is str else self._value(i, room, tables=tables) for i in items
            ]
            return "[" + " ".join(parts) + "]"
        table = self._tables.table(items) if tables and len(items) > 1 else None
        if table and _names(items) >= _CLEAR:
            return table
        plain = "[" + " ".join([self._value(i, room, tables=tables) for i in items]) + "]"
        return table if table and self._count(table) < self._count(plain) else plain


def _names(items: list[Any]) -> int:
    """How often a table of such items spares a name, at least."""
    first = items[0]
    if isinstance(first, dict):
        return len(first) * (len(items) - 1)
    return _names(first) if first and isinstance(first[0], (dict, list)) else 0


def _scalar(value: msgspec.Raw | bool | None) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    return bytes(value).decode()  # a number with a fraction or an exponent
