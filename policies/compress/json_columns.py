"""The columns that the head of a table names, and the JSON texts that their cells make.

A cell is a word; where the column is an array of objects, it is the list of their rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol

from policies.compress.json_words import ABSENT, literals, names, text_of

Texts = Sequence[str | None]  # JSON text per row; None: the row lacks the member
Cells = Iterator[Sequence[Any]]
_parts = re.compile(r"(\*|<[^<>*]+>)").split


class Column(Protocol):
    """One member of a table's objects."""

    def slots(self) -> Sequence[Listed | None]:
        """One entry per cell that a row has for it: the column, if the cell holds rows."""
        ...

    def texts(self, cells: Cells, size: int, peers: Mapping[str, Texts]) -> Texts:
        """What stands in each of `size` rows. Takes its cells; `peers` are earlier columns."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of words."""

    def slots(self) -> Sequence[Listed | None]:
        """See `Column`."""
        return (None,)

    def texts(self, cells: Cells, _size: int, _peers: Mapping[str, Texts]) -> Texts:
        """See `Column`."""
        column = next(cells)
        if ABSENT in column:
            return [None if cell == ABSENT else literals[cell] for cell in column]
        return list(map(literals.__getitem__, column))


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that all rows have."""

    text: str

    def slots(self) -> Sequence[Listed | None]:
        """See `Column`."""
        return ()

    def texts(self, _cells: Cells, size: int, _peers: Mapping[str, Texts]) -> Texts:
        """See `Column`."""
        return [self.text] * size


@dataclass(frozen=True, slots=True)
class Patterned:
    """Strings that share a pattern. `parts`: literal text, `*` and `<name>` in turn."""

    parts: Sequence[str]

    @classmethod
    def of(cls, word: str) -> Patterned:
        """The column of a pattern as it stands in the head."""
        return cls(_parts(text_of(word)))

    def slots(self) -> Sequence[Listed | None]:
        """See `Column`."""
        return (None,) if "*" in self.parts else ()

    def texts(self, cells: Cells, size: int, peers: Mapping[str, Texts]) -> Texts:
        """See `Column`. Raises `ValueError` for a name that no earlier column has."""
        shape = ['"']
        columns: list[Sequence[str]] = []
        own: Sequence[str] = ()
        for part in self.parts:
            if part == "*":
                own = next(cells)
                columns.append([text_of(cell) for cell in own])
            elif part.startswith("<"):
                columns.append(_referred(peers, part[1:-1]))
            shape.append("%s" if part[:1] in ("*", "<") else part.replace("%", "%%"))
        form = "".join(shape) + '"'
        if not columns:
            return [form % ()] * size
        texts = [form % values for values in zip(*columns, strict=True)]
        if "null" in own or ABSENT in own:
            bare = {"null": "null", ABSENT: None}
            return [bare.get(cell, text) for cell, text in zip(own, texts, strict=True)]
        return texts


@dataclass(frozen=True, slots=True)
class Nested:
    """Objects, as columns of their members."""

    members: Mapping[str, Column]
    _heads: Sequence[str] = field(init=False, repr=False, compare=False)
    _form: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        heads = [names[word] for word in self.members]
        form = ",".join([head.replace("%", "%%") + "%s" for head in heads])
        object.__setattr__(self, "_heads", heads)
        object.__setattr__(self, "_form", "{" + form + "}")

    def slots(self) -> Sequence[Listed | None]:
        """See `Column`."""
        return [slot for column in self.members.values() for slot in column.slots()]

    def texts(self, cells: Cells, size: int, _peers: Mapping[str, Texts]) -> Texts:
        """See `Column`."""
        inner: dict[str, Texts] = {}
        absent = False
        for word, column in self.members.items():
            inner[word] = texts = column.texts(cells, size, inner)
            absent = absent or None in texts
        rows = zip(*inner.values(), strict=True)
        if absent:
            return [
                "{" + ",".join([h + t for h, t in zip(self._heads, row, strict=True) if t]) + "}"
                for row in rows
            ]
        return list(map(self._form.__mod__, rows))


@dataclass(frozen=True, slots=True)
class Listed:
    """Arrays of objects, or of arrays of them: a cell holds the rows of its items."""

    item: Nested | Listed

    def slots(self) -> Sequence[Listed | None]:
        """See `Column`."""
        return (self,)

    def texts(self, cells: Cells, _size: int, _peers: Mapping[str, Texts]) -> Texts:
        """See `Column`."""
        lists = next(cells)
        rows = list(chain.from_iterable(lists))
        columns = iter(list(zip(*rows, strict=True)))
        texts = iter(self.item.texts(columns, len(rows), {}) if rows else ())
        return ["[" + ",".join(map(str, islice(texts, len(items)))) + "]" for items in lists]


def _referred(peers: Mapping[str, Texts], key: str) -> Sequence[str]:
    if key not in peers:
        raise ValueError("a pattern refers to no earlier column")
    return [text_of(text) if text else "" for text in peers[key]]
