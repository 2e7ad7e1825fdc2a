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
from typing import Any, NamedTuple

from policies.compress.json_patterns import pattern, remember, shared
from policies.compress.json_words import ABSENT, keys, piece, quoted, words

_FILLED = 0.6  # the share of cells that rows of unlike members must fill
_KINDS = 16  # sets of members that the rows of one table may have
_WIDEST = 256  # columns

Cells = Sequence[Sequence[str]]


class Shape(NamedTuple):
    """`head`: what stands at the top; `cells`: each column's words."""

    head: str
    cells: Cells


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
        if shape is None or not shape.cells:
            return None
        rows = map(" ".join, zip(*shape.cells, strict=True))
        return "\n".join(chain((f"[{len(values)}]{shape.head}",), rows)) + "\n"

    def _items(self, values: Sequence[Any]) -> Shape | None:
        kinds = set(map(type, values))
        if kinds == {dict}:
            return self._members(values)
        return self._lists(values) if kinds == {list} else None

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
        shapes = [self._column(n, c, earlier) for n, c in zip(names, columns, strict=True)]
        head = " ".join(shape.head for shape in shapes)
        return Shape("{" + head + "}", list(chain.from_iterable(s.cells for s in shapes)))

    def _lists(self, lists: Sequence[list[Any]]) -> Shape | None:
        """Arrays as one column, whose cells hold the items of each."""
        items = list(chain.from_iterable(lists))
        if len(items) < 2 or set(map(type, items)) != {dict}:
            return None
        shape = self._members(items)
        if shape is None or not shape.cells:
            return None
        rows = map(" ".join, zip(*shape.cells, strict=True))
        cells = [f"[{','.join(islice(rows, len(inner)))}]" for inner in lists]
        return Shape(f"[{shape.head}]", [cells])

    def _column(self, name: str, values: Sequence[Any], earlier: dict[str, Sequence[str]]) -> Shape:
        key = keys[name]
        kinds = set(map(type, values))
        if kinds == {str}:
            return self._strings(name, values, earlier)
        if kinds in ({dict}, {list}):
            shape = self._items(values)
            if shape:
                return Shape(key + shape.head, shape.cells)
        if kinds == {str, type(None)}:
            found = self._some_strings(key, values)
            if found:
                return found
        inline = self._inline
        cells = [ABSENT if value is _ABSENT else inline(value) for value in values]
        if kinds == {int}:
            remember(earlier, name, cells)
        if _Absent not in kinds and cells.count(cells[0]) == len(cells):
            return Shape(f"{key}={cells[0]}", [])
        return Shape(key, [cells])

    def _strings(
        self, name: str, values: Sequence[str], earlier: dict[str, Sequence[str]]
    ) -> Shape:
        key, first = keys[name], values[0]
        if values.count(first) == len(values):
            return Shape(f"{key}={words[first]}", [])
        found = pattern(values, earlier)
        remember(earlier, name, values)
        if found is None:
            return Shape(key, [[words[value] for value in values]])
        cells = [] if found.pieces is None else [list(map(piece, found.pieces))]
        return Shape(f"{key}~{piece(found.text)}", cells)

    def _some_strings(self, key: str, values: Sequence[str | None]) -> Shape | None:
        found = shared([value for value in values if value is not None])
        if found is None or found.pieces is None or "\\" in quoted(found.text):
            return None
        pieces = map(piece, found.pieces)
        cells = ["null" if value is None else next(pieces) for value in values]
        return Shape(f"{key}~{piece(found.text)}", [cells])


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
