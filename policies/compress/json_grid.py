"""Reading a table of the compact notation: its head, its rows, and the JSON they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from policies.compress.json_columns import Listed, Member, Nested, Patterned
from policies.compress.json_inline import behind, cells, literal
from policies.compress.json_words import BARE, KEY, QUOTED

_word = re.compile(f"{BARE}|{QUOTED}").match
_key = re.compile(f"{KEY}|{QUOTED}").match
# Members that are words, or have one value: read at once, since most are.
_leaves = re.compile(rf"(?>(?:{KEY}|{QUOTED})(?:=(?:{BARE}|{QUOTED}))?(?: |(?=\}})))+").match
_pairs = re.compile(rf"({KEY}|{QUOTED})(?:=({BARE}|{QUOTED}))?").findall
_DEEPEST = 64
_LONGEST = 512  # characters of a head that is kept


def table(head: str, lines: Sequence[str], at: int) -> tuple[str, int]:
    """The JSON text of a table, and the place behind its last line. Raises `ValueError`.

    `head`: as far as its line goes, `[2]{id name}`; `at`: where its rows begin in `lines`.
    """
    number, _, columns = head[1:].partition("]")
    size = int(number)
    lines = lines[at : at + size]
    block = "\n".join(lines)
    plain = '"' not in block and "[" not in block and "{" not in block
    rows = [line.split(" ") for line in lines] if plain else list(map(cells, lines))
    items = _kept(columns) if len(columns) <= _LONGEST else _items_of(columns)
    if not size or len(rows) < size:
        raise ValueError("a table has fewer rows than its head says")
    return f"[{','.join(items.rows(rows))}]", at + size


def _items_of(head: str) -> Nested | Listed:
    items, end = _items(head, 0, _DEEPEST)
    if end < len(head):
        raise ValueError("there is more behind the head of a table")
    return items


_kept = lru_cache(1024)(_items_of)  # since tools send the same members again and again


def _items(text: str, at: int, room: int) -> tuple[Nested | Listed, int]:
    """What the items of an array are, by the head that stands at a place; where that ends."""
    if room < 0:
        raise ValueError("too deep")
    sign = text[at : at + 1]
    if sign == "{":
        return _members(text, at + 1, room)
    if sign != "[":
        raise ValueError("a table without a head")
    item, at = _items(text, at + 1, room - 1)
    if text[at : at + 1] != "]":
        raise ValueError("the head of a table is not closed")
    return Listed(item), at + 1


def _members(text: str, at: int, room: int) -> tuple[Nested, int]:
    members: list[tuple[str, Member]] = []
    while True:
        run = _leaves(text, at)
        if run:
            members += [(key, literal(c) if c else None) for key, c in _pairs(run[0])]
            at = run.end()
        else:
            key = _key(text, at)
            if key is None:
                raise ValueError("the head of a table lacks a name")
            member, at = _member(text, key.end(), room, members)
            members.append((key[0], member))
        if text[at : at + 1] == "}":
            return Nested(members), at + 1
        if text[at - 1] != " ":
            if text[at : at + 1] != " ":
                raise ValueError("the head of a table is not closed")
            at += 1


def _member(
    text: str, at: int, room: int, earlier: Sequence[tuple[str, Member]]
) -> tuple[Member, int]:
    sign = text[at : at + 1]
    if sign == "=":
        end = behind(text, at + 1)
        return literal(text[at + 1 : end]), end
    if sign == "~":
        word = _word(text, at + 1)
        if word is None:
            raise ValueError("a pattern is missing")
        constants = {name: known for name, known in earlier if type(known) is str}
        return Patterned(word[0], constants), word.end()
    if sign not in ("{", "["):
        return None, at
    column, at = _items(text, at, room - 1)
    constant = column.constant if type(column) is Nested else None
    return constant or column, at
