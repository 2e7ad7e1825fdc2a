"""The reader of the compact notation: text in, JSON text with the fewest escapes out."""

from __future__ import annotations

import re

from policies.compress.json_grid import Grid
from policies.compress.json_words import BARE, KEY, QUOTED, literals, names

_gap = re.compile(r"[ \n]+").match
_scalar = re.compile(f"{QUOTED}|{BARE}").match
_member = re.compile(f"({QUOTED}|{KEY}):").match
# Members whose values are words, each with what ends it: read at once, since most are.
_words = re.compile(rf"(?>(?:{QUOTED}|{KEY}):(?:{QUOTED}|{BARE})(?: |(?=\}})))+").match
_pairs = re.compile(f"({QUOTED}|{KEY}):({QUOTED}|{BARE})").findall
_simple = re.compile(r'[^"{}\[\],\n]+(?=\])').match  # items without signs of their own
_size = re.compile(r"\[([0-9]{1,9})\](?=[\[{])").match
_DEEPEST = 128


class Reader:
    """Reads one text. Every method takes a place in it and gives back the place behind."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._grid = Grid(text, self._value)

    def read(self) -> str:
        """The JSON text. Raises `ValueError` where the notation is not kept."""
        found, at = self._value(0, _DEEPEST)
        if at < len(self._text):
            raise ValueError("there is more behind the value")
        return found

    def _value(self, at: int, room: int) -> tuple[str, int]:
        text = self._text
        sign = text[at : at + 1]
        if sign == "{":
            return self._object(at + 1, room - 1)
        if sign == "[":
            size = _size(text, at)
            if size:
                return self._grid.read(int(size[1]), size.end(), room - 1)
            return self._array(at + 1, room - 1)
        found = _scalar(text, at)
        if found is None:
            raise ValueError("a value is missing")
        return literals[found[0]], found.end()

    def _object(self, at: int, room: int) -> tuple[str, int]:
        if room < 0:
            raise ValueError("too deep")
        text, parts = self._text, list[str]()
        while text[at : at + 1] != "}":
            run = _words(text, at)
            if run:
                parts += [names[key] + literals[word] for key, word in _pairs(run[0])]
                at = run.end()
                continue
            found = _member(text, at)
            if found is None:
                raise ValueError("a member's name is missing")
            value, at = self._value(found.end(), room)
            parts.append(names[found[1]] + value)
            if text[at : at + 1] == " ":
                at += 1
            elif text[at : at + 1] != "}":
                at = _next(text, at)
        return "{" + ",".join(parts) + "}", at + 1

    def _array(self, at: int, room: int) -> tuple[str, int]:
        if room < 0:
            raise ValueError("too deep")
        text, parts = self._text, list[str]()
        simple = _simple(text, at)
        if simple:
            return "[" + ",".join(
                [literals[w] for w in simple[0].split(" ")]
            ) + "]", simple.end() + 1
        while text[at : at + 1] != "]":
            value, at = self._value(at, room)
            parts.append(value)
            at = _next(text, at)
        return "[" + ",".join(parts) + "]", at + 1


def _next(text: str, at: int) -> int:
    """The place of the next item, or of the sign that closes."""
    gap = _gap(text, at)
    if gap:
        return gap.end()
    if text[at : at + 1] not in ("}", "]") and text[at - 1] != "\n":
        raise ValueError("a gap is missing")
    return at
