"""The columns that the head of a table names, and the JSON texts that their cells make.

A cell is a word; where the column is an array of objects, it is the list of their rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from policies.compress.json_inline import Absent, literal, literals, names, rows_of, text_of
from policies.compress.json_words import ABSENT

Texts = Sequence[str | None]  # JSON text per row; None: the row lacks the member
Rows = Sequence[Sequence[Any]]
Cells = Iterator[Sequence[Any]]  # of one column each
_parts = re.compile(r"(\*|<[^<>*]+>)").split


class Patterned:
    """Strings that share a pattern: literal text, `*` and `<name>` in turn."""

    __slots__ = ("_form", "_names", "slots")

    def __init__(self, word: str, constants: Mapping[str, str]) -> None:
        """`word`: the pattern as it stands in the head; `constants`: of members before it."""
        form: list[str] = []
        self._names: list[str] = []
        for part in _parts(text_of(word)):
            name = part[1:-1] if part[:1] == "<" else part
            if part[:1] in ("*", "<") and name not in constants:
                self._names.append(name)
                form.append("%s")
            else:
                text = text_of(constants[name]) if part[:1] == "<" else part
                form.append(text.replace("%", "%%"))
        self._form = f'"{"".join(form)}"'
        self.slots = self._names.count("*")

    def texts(self, cells: Cells, size: int, peers: Mapping[str, Texts]) -> Texts:
        """What stands in each of `size` rows. Takes its cells; `peers` are earlier columns.

        Raises `ValueError` for a name that none of them has.
        """
        own: Sequence[str] = next(cells) if self.slots else ()
        columns = [
            list(map(text_of, own)) if name == "*" else _referred(peers, name)
            for name in self._names
        ]
        if not columns:
            return [self._form % ()] * size
        texts = list(map(self._form.__mod__, zip(*columns, strict=True)))
        if "null" in own or ABSENT in own:
            bare = {"null": "null", ABSENT: None}
            return [bare.get(cell, text) for cell, text in zip(own, texts, strict=True)]
        return texts


class Nested:
    """Objects, as columns of their members.

    `members`: name, and the text that all rows have, None for a column of words, or what else
    stands there.
    """

    __slots__ = ("_columns", "_form", "_members", "_wordy", "slots")

    def __init__(self, members: Sequence[tuple[str, Member]]) -> None:
        if len(dict(members)) < len(members):
            raise ValueError("a name stands twice in the head of a table")
        form: list[str] = []
        self._columns: list[tuple[str, Column]] = []
        self.slots = 0
        self._wordy = True
        for word, column in members:
            if isinstance(column, str):
                form.append(names[word] + column)
                continue
            form.append(names[word] + "\0")
            self._columns.append((word, column))
            if column is None:
                self.slots += 1
            else:
                self.slots += column.slots
                self._wordy = False
        self._members = members
        self._form = f"{{{','.join(form)}}}".replace("%", "%%").replace("\0", "%s")

    @property
    def constant(self) -> str | None:
        """The text of all rows, if they have the same."""
        return None if self._columns else self._form % ()

    def rows(self, rows: Rows) -> Sequence[str]:
        """The text of each row. Raises `ValueError`."""
        _check(rows, self.slots)
        if self._wordy:
            try:
                return [self._form % tuple(map(literal, row)) for row in rows]
            except Absent:
                pass
        return self.texts(iter(list(zip(*rows, strict=True))), len(rows))

    def texts(self, cells: Cells, size: int) -> Sequence[str]:
        """See `Patterned`."""
        inner: dict[str, Texts] = {}
        for word, column in self._columns:
            if column is None:
                inner[word] = _texts(next(cells))
            elif isinstance(column, Patterned):
                inner[word] = column.texts(cells, size, inner)
            else:
                inner[word] = column.texts(cells, size)
        if not inner:
            return [self._form % ()] * size
        if any(None in texts for texts in inner.values()):
            return self._sparse(inner, size)
        return list(map(self._form.__mod__, zip(*inner.values(), strict=True)))

    def _sparse(self, inner: Mapping[str, Texts], size: int) -> Sequence[str]:
        columns = [inner[w] if w in inner else [text] * size for w, text in self._members]
        heads = [names[word] for word, _ in self._members]
        return [
            "{" + ",".join([h + t for h, t in zip(heads, row, strict=True) if t]) + "}"
            for row in zip(*columns, strict=True)
        ]


class Listed:
    """Arrays of objects, or of arrays of them: a cell holds the rows of its items."""

    __slots__ = ("_item", "slots")

    def __init__(self, item: Nested | Listed) -> None:
        self._item = item
        self.slots = 1

    def rows(self, rows: Rows) -> Sequence[str]:
        """The text of each row, which has one cell. Raises `ValueError`."""
        _check(rows, self.slots)
        return self.texts(zip(*rows, strict=True), len(rows))

    def texts(self, cells: Cells, _size: int) -> Sequence[str]:
        """See `Patterned`."""
        lists = list(map(rows_of, next(cells)))
        texts = iter(self._item.rows(list(chain.from_iterable(lists))))
        return ["[" + ",".join(islice(texts, len(items))) + "]" for items in lists]


Column = Patterned | Nested | Listed | None  # None: of words
Member = Column | str  # str: what all rows have


def _check(rows: Rows, slots: int) -> None:
    if not {*map(len, rows)} <= {slots}:
        raise ValueError("the rows of a table do not fit its head")


def _texts(cells: Sequence[str]) -> Texts:
    try:
        return list(map(literal, cells))
    except Absent:
        return [None if cell == ABSENT else literals[cell] for cell in cells]


def _referred(peers: Mapping[str, Texts], key: str) -> Sequence[str]:
    if key not in peers:
        raise ValueError("a pattern refers to no earlier column")
    return [text_of(text) if text else "" for text in peers[key]]
