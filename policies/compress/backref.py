"""Blocks that stand word for word in an earlier message, replaced by where they stand.

    [lines 12-80 of message 4 (bash) stand here again, from "import os" to "return 0"]

Restored exactly is the whole text, given the same earlier texts under the same names. A line
of the text that looks like such a note gets a backslash in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from policies.base.ports import Count
from policies.compress.backref_index import LineIndex

LONGEST = 16_000_000  # characters; longer texts are left as they are
SHORTEST = 240  # characters of a block
_WORDS = 32  # characters quoted from a block's ends

_NAME = re.compile(r'[^"\s](?:[^"\n\r]{0,78}[^"\s])?')
_NOTE = re.compile(
    r'\[lines ([0-9]{1,9})-([0-9]{1,9}) of ([^"\n]+) stand here again, from "[^\n]*" to "[^\n]*"\]'
)
_LOOKS = re.compile(r"\\*\[lines [0-9]{1,9}-[0-9]{1,9} of [^\n]*\]\r?")


class Earlier(NamedTuple):
    """A text that the model reads before, and what the note calls it: one line, no quotes."""

    name: str
    text: str


class _Block(NamedTuple):
    """Lines of the text from `start`, which are lines of an earlier one from `place`."""

    start: int
    size: int
    name: str
    place: int


def encode(text: str, earlier: Sequence[Earlier], count: Count, index: LineIndex) -> str | None:
    """The text with notes; None where that has no gain or `text` is longer than `LONGEST`.

    Names that no note can carry, and all but the first of one name, are passed over.
    """
    if not SHORTEST <= len(text) <= LONGEST:
        return None
    lines = text.split("\n")
    named = _named(earlier)
    candidates = _candidates(set(lines), named, index)
    if not candidates:
        return None
    out: list[str] = []
    end = 0
    for block in _blocks(lines, candidates, {name: one.split("\n") for name, one in named.items()}):
        out += map(_escaped, lines[end : block.start])
        end = block.start + block.size
        out.append(_note(block, lines[block.start : end]))
    if not end:
        return None
    encoded = "\n".join([*out, *map(_escaped, lines[end:])])
    return encoded if count(encoded) < count(text) else None


def decode(encoded: str, earlier: Sequence[Earlier]) -> str:
    """The inverse of `encode`. Raises `ValueError` for a note of lines that are not there."""
    named = _named(earlier)
    out: list[str] = []
    for line in encoded.split("\n"):
        note = _NOTE.fullmatch(line)
        if note is not None:
            first, last = int(note[1]), int(note[2])
            lines = named.get(note[3], "").split("\n")
            if not 1 <= first <= last <= len(lines):
                raise ValueError("a note of lines that are not there")
            out += lines[first - 1 : last]
        else:
            out.append(line[1:] if line[:1] == "\\" and _LOOKS.fullmatch(line) else line)
    return "\n".join(out)


def _named(earlier: Sequence[Earlier]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, text in earlier:
        if _NAME.fullmatch(name) and SHORTEST <= len(text) <= LONGEST:
            named.setdefault(name, text)
    return named


def _candidates(
    lines: set[str], named: Mapping[str, str], index: LineIndex
) -> dict[str, list[tuple[str, int]]]:
    """Line -> where it stands, the earliest texts first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for name, text in named.items():
        places = index.places(text)
        for line in places.keys() & lines:
            found.setdefault(line, []).extend((name, place) for place in places[line])
    return found


def _blocks(
    lines: list[str],
    candidates: Mapping[str, list[tuple[str, int]]],
    earlier: Mapping[str, list[str]],
) -> list[_Block]:
    """Blocks without overlap, in order; each the longest of at most 8 candidates."""
    blocks = []
    free, place = 0, 0
    while place < len(lines):
        best = _Block(place, 0, "", 0)
        for name, at in candidates.get(lines[place], ())[:8]:
            start, end = _grown(lines, free, place, earlier[name], at)
            if end - start > best.size:
                best = _Block(start, end - start, name, at - place + start)
        end = best.start + best.size
        if sum(map(len, lines[best.start : end])) + best.size >= SHORTEST:
            blocks.append(best)
            free = place = end
        else:
            place += 1
    return blocks


def _grown(lines: list[str], free: int, place: int, other: list[str], at: int) -> tuple[int, int]:
    """Start and end of the block around line `place`, which is the other's line `at`.

    It goes backwards only over short lines, and not before `free`.
    """
    start, end, size = place, place + 1, min(len(lines), place + len(other) - at)
    while end < size and lines[end] == other[at + end - place]:
        end += 1
    most = min(place - free, at, 8)
    while place - start < most and lines[start - 1] == other[at - place + start - 1]:
        start -= 1
    return start, end


def _note(block: _Block, lines: list[str]) -> str:
    first = next(filter(str.strip, lines))
    last = next(filter(str.strip, reversed(lines)))
    head = " ".join(first[: 4 * _WORDS].split())
    tail = " ".join(last[-4 * _WORDS :].split())
    if len(head) > _WORDS:
        head = head[:_WORDS].rpartition(" ")[0] or head[:_WORDS]
    if len(tail) > _WORDS:
        tail = tail[-_WORDS:].partition(" ")[2] or tail[-_WORDS:]
    where = f"{block.place + 1}-{block.place + block.size} of {block.name}"
    return f'[lines {where} stand here again, from "{head}" to "{tail}"]'


def _escaped(line: str) -> str:
    return "\\" + line if "[lines " in line and _LOOKS.fullmatch(line) else line
