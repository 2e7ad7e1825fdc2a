"""Reading what stands on one line of the compact notation: words, objects, arrays, cells.

A line is cut at its words, and these and the signs between them are translated all at once.
Whether its brackets match shows in the JSON text that comes out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from policies.compress.json_words import ABSENT, BARE, KEY, NAMES, QUOTED, Memo

_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?").fullmatch
_FLAT = rf"\[(?>(?:{BARE}|{QUOTED})(?: (?!\])|(?=\])))+\](?![\[{{])"  # an array of words
_VALUE = rf"(?:{BARE}|{QUOTED}|{_FLAT})"
_TABLE = r"\[[0-9]{1,9}\][\[{].*"
# A name, a value, or both; where a bracket opens behind a name, that alone.
cut = re.compile(rf"(?:({KEY}|{QUOTED}):)?+(?:({_VALUE}|{_TABLE})|(?(1)(?=[\[{{])|(?!)))").split
_table = re.compile(_TABLE).match
_words = re.compile(f"{BARE}|{QUOTED}").findall
_values = re.compile(_VALUE).findall
_signs = re.compile(rf"{QUOTED}|[\[\]{{}} ,]").finditer
_BEGINNINGS = frozenset('"[{-0123456789') | {""}  # of what may be more than a bare word


class Absent(ValueError):
    """For a cell that stands for no value."""


class _Literals(Memo):
    """Word, or what else stands on one line -> JSON text. Raises `ValueError`, `Absent`."""

    def __missing__(self, word: str | None) -> str:
        if word is None:
            return self.setdefault(None, "")
        if word[:1] in _BEGINNINGS:
            return self.keep(word, _special(word))
        return self.keep(word, word if word in NAMES else f'"{word}"')


class _Names(Memo):
    """Word -> JSON text of a member's name and the colon behind it, the inverse of `Keys`."""

    def __missing__(self, word: str | None) -> str:
        if word is None:
            return self.setdefault(None, "")
        return self.keep(word, f"{word}:" if word[0] == '"' else f'"{word}":')


literals, names = _Literals(), _Names()
literal, name = literals.__getitem__, names.__getitem__


def table_in(parts: Sequence[str | None]) -> str | None:
    """The table whose head stands at the end of a line that has been cut: `[2]{id name}`."""
    last = parts[-2] if len(parts) > 1 else None
    return last if last and last[0] == "[" and not parts[-1] and _table(last) else None


def translate(parts: list[Any]) -> None:
    """Put JSON text in the place of what has been cut."""
    parts[::3] = "\0".join(parts[::3]).replace(" ", ",").split("\0")
    parts[1::3] = map(name, parts[1::3])
    parts[2::3] = map(literal, parts[2::3])


def cells(row: str) -> Sequence[str]:
    """The cells of a row."""
    if '"' not in row and "[" not in row and "{" not in row:
        return row.split(" ")
    found: list[str] = _values(row)
    return found if " ".join(found) == row else parted(row, " ")


def rows_of(cell: str) -> Sequence[Sequence[str]]:
    """The rows in a cell: `[1 a,2 b]`. Raises `ValueError`."""
    if cell == "[]":
        return []
    if cell[:1] != "[" or cell[-1] != "]":
        raise ValueError("a cell of rows is missing")
    return list(map(cells, parted(cell[1:-1], ",")))


def parted(text: str, sign: str) -> Sequence[str]:
    """The parts between signs that stand in no string or bracket."""
    if '"' not in text and "[" not in text and "{" not in text:
        return text.split(sign)
    parts: list[str] = []
    depth = begun = 0
    for found in _signs(text):
        here = found[0]
        if here == sign:
            if not depth:
                parts.append(text[begun : found.start()])
                begun = found.end()
        elif here in "[{":
            depth += 1
        elif here in "]}":
            depth -= 1
    parts.append(text[begun:])
    return parts


def behind(text: str, at: int) -> int:
    """The place behind the bracket that closes the one at a place; the end where none does."""
    depth = 0
    for found in _signs(text, at):
        here = found[0]
        depth += (here in "[{") - (here in "]}")
        if not depth:
            return found.end()
    return len(text)


def text_of(word: str) -> str:
    """What a word or piece holds, as it stands between the quotes of JSON text."""
    return word[1:-1] if word.startswith('"') else word


def _special(word: str) -> str:
    first = word[:1]
    if first == '"':
        return word
    if first == "[":
        return _array(word) or _structure(word)
    if first == "{":
        return _structure(word)
    if _number(word):
        return word
    if word == ABSENT:
        raise Absent("a cell is empty")
    if not word:
        raise ValueError("a value is missing")
    return f'"{word}"'


def _array(text: str) -> str | None:
    """The JSON text of an array of words; None for all else."""
    inner = text[1:-1]
    if '"' not in inner and "{" not in inner and "[" not in inner:
        words = inner.split(" ") if inner else []
    else:
        words = _words(inner)
        if " ".join(words) != inner:
            return None
    return f"[{','.join(map(literal, words))}]"


def _structure(text: str) -> str:
    parts = cut(text)
    if table_in(parts):
        raise ValueError("a table within a line")
    translate(parts)
    return "".join(parts)
