"""Tables: arrays of objects with the same members, their names once at the top.

    [2]{id kind=user owner{login url~https://example.org/<login>} tags[{name}]}
    1 ann [new,open]
    2 ben []

`[2]` is the number of rows; `kind=user` holds in every row; `~` gives a pattern (see
`json_patterns`); `owner{…}` is a nested object, whose members are columns too; `tags[{…}]` is
a nested array, whose items stand in the cell. `-` is the cell of a row without that member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any

from policies.compress.json_patterns import pattern, remember, shared
from policies.compress.json_words import ABSENT, keys, piece, quoted, words

_FILLED = 0.6  # the share of cells that rows of unlike members must fill
_KINDS = 16  # sets of members that the rows of one table may have
_WIDEST = 256  # columns
_STRINGS, _INTEGERS, _OPTIONAL = {str}, {int}, {str, type(None)}
_word = words.__getitem__

Shape = tuple[str, Sequence[Sequence[str]]]  # what stands at the top; each column's words


class _Absent:
    pass


_ABSENT = _Absent()


class Tables:
    """Makes tables. `inline` writes what stands in a cell, on one line."""

    def __init__(self, inline: Callable[[Any], str]) -> None:
        self._inline = inline

    def table(self, values: list[Any]) -> str | None:
        """The array as a table; None when its items are not alike. Ends with a line end."""
        shape = self._items(values)
        if shape is None or not shape[1]:
            return None
        head, cells = shape
        rows = "\n".join(map(" ".join, zip(*cells, strict=True)))
        return f"[{len(values)}]{head}\n{rows}\n"

    def _items(self, values: Sequence[Any]) -> Shape | None:
        kinds = set(map(type, values))
        if len(kinds) > 1:
            return None
        return self._members(values) if dict in kinds else self._lists(values)

    def _members(self, rows: Sequence[dict[str, Any]]) -> Shape | None:
        """Objects as columns."""
        names = _names(rows)
        if names is None:
            return None
        if all(len(row) == len(names) for row in rows):
            columns = zip(*map(dict.values, rows), strict=True)
        else:
            filled = [[row.get(name, _ABSENT) for name in names] for row in rows]
            columns = zip(*filled, strict=True)
        earlier: dict[str, Sequence[str]] = {}
        heads: list[str] = []
        cells: list[Sequence[str]] = []
        for name, column in zip(names, columns, strict=True):
            head, own = self._column(name, column, earlier)
            heads.append(head)
            cells += own
        return f"{{{' '.join(heads)}}}", cells

    def _lists(self, lists: Sequence[Any]) -> Shape | None:
        """Arrays as one column, whose cells hold the items of each."""
        if type(lists[0]) is not list:
            return None
        items = list(chain.from_iterable(lists))
        if len(items) < 2 or set(map(type, items)) != {dict}:
            return None
        shape = self._members(items)
        if shape is None or not shape[1]:
            return None
        head, columns = shape
        rows = map(" ".join, zip(*columns, strict=True))
        cells = [f"[{','.join(islice(rows, len(inner)))}]" for inner in lists]
        return f"[{head}]", [cells]

    def _column(self, name: str, values: Sequence[Any], earlier: dict[str, Sequence[str]]) -> Shape:
        key = keys[name]
        kinds = set(map(type, values))
        if kinds == _STRINGS:
            return _strings(name, values, earlier)
        if kinds == _INTEGERS:
            cells = list(map(str, values))
            remember(earlier, name, cells)
        else:
            shape = self._items(values) or _some_strings(values, kinds)
            if shape:
                return key + shape[0], shape[1]
            inline = self._inline
            cells = [ABSENT if value is _ABSENT else inline(value) for value in values]
        if cells.count(cells[0]) == len(cells) and _Absent not in kinds:
            return f"{key}={cells[0]}", ()
        return key, (cells,)


def _strings(name: str, values: Sequence[str], earlier: dict[str, Sequence[str]]) -> Shape:
    key, first = keys[name], values[0]
    if values.count(first) == len(values):
        return f"{key}={words[first]}", ()
    found = pattern(values, earlier)
    remember(earlier, name, values)
    if found is None:
        return key, (list(map(_word, values)),)
    cells = () if found.pieces is None else (list(map(piece, found.pieces)),)
    return f"{key}~{piece(found.text)}", cells


def _some_strings(values: Sequence[Any], kinds: set[type]) -> Shape | None:
    """Strings and null, by a pattern."""
    if kinds != _OPTIONAL:
        return None
    found = shared([value for value in values if value is not None])
    if found is None or found.pieces is None or "\\" in quoted(found.text):
        return None
    pieces = map(piece, found.pieces)
    cells = ["null" if value is None else next(pieces) for value in values]
    return f"~{piece(found.text)}", (cells,)


def _names(rows: Sequence[dict[str, Any]]) -> Sequence[str] | None:
    """The columns of objects: the members of all, in an order that each of them keeps."""
    kinds = set(map(tuple, rows))
    if len(kinds) == 1:
        (names,) = kinds
        return names if names and len(names) <= _WIDEST else None
    if len(kinds) > min(_KINDS, len(rows) // 2 + 1):
        return None
    merged: list[str] = []
    for kind in sorted(kinds, key=lambda names: (-len(names), names)):
        at = 0
        for name in kind:
            if name in merged:
                at = merged.index(name) + 1
            else:
                merged.insert(at, name)
                at += 1
            if len(merged) > _WIDEST:
                return None
    filled = sum(map(len, rows)) / (len(merged) * len(rows))
    for kind in kinds:
        own = set(kind)
        if tuple(name for name in merged if name in own) != kind:
            return None
    return merged if filled >= _FILLED else None
