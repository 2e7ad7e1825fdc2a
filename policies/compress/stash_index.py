"""What an extract leaves out, by name: the values and the negations that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_STOPS = r"\s\"'`<>()\[\]{},;|"
_plain = re.compile(rf"[^{_STOPS}]+")
_bare = rf"[^{_STOPS}\\]"
_escaped = re.compile(rf"\\(?:u[0-9a-fA-F]{{4}}|[^/])|({_bare}+(?:\\/{_bare}*)*)")  # JSON's strings
_place = re.compile(r"\w/|/\w|\w@\w")
_valued = re.compile(r"\d|\w_\w|[a-z][A-Z]")
_piece = re.compile(r"\w+(?:[.:]\w+)*")
_ENDS = ".:!?"
_negation = re.compile(  # begins with a letter, since such patterns are much faster
    r"n['\u2019]t\b|[Nn](?:o(?:t|r|ne)?|ever|either)\b|N(?:OT?|ONE|EVER)\b|[Cc]annot\b|[Ww]ithout\b"
)
_before = re.compile(r"(?<![^\W\d])[^\W\d]{1,16}[ \t]?\Z")
_after = re.compile(r"(?:[ \t][^\W\d]{1,24}){0,3}")
_ROOM = 80  # characters around a negation that are looked at
_STRADDLING = 200  # characters of a value that is cut by the border of a gap
_LONGEST = 1000  # characters of a value; longer ones are no values

Gap = tuple[int, int]


def index(text: str, gaps: Sequence[Gap]) -> list[str]:
    """What stands in each gap that stands neither outside of all, nor in an earlier one.

    Numbers, identifiers, addresses, paths, whatever else has a digit in it, and negations in
    quotes with a few words around. Values have no blanks in them.
    """
    words = _escaped if text.lstrip()[:1] in ("{", "[") else _plain
    seen: set[str] = set()
    borders = [0, *(at for gap in gaps for at in gap), len(text)]
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        shown = text[start:end]
        seen.update(_values(words.findall(shown), seen))
        seen.update(_negated(shown, 0, len(shown)))
    found = []
    for gap in gaps:
        place = _whole(text, gap)
        values = [*_values(words.findall(text, *place), seen), *_negated(text, *place)]
        new = dict.fromkeys(value for value in values if value not in seen)
        seen.update(new)
        found.append(" ".join(new))
    return found


def _values(words: list[str], seen: set[str]) -> Iterator[str]:
    """The values in words of which none has been `seen`."""
    for word in dict.fromkeys(words):
        if word in seen or len(word) > _LONGEST:
            continue
        if word.isalpha():
            if not word.islower() and _valued.search(word):
                yield word
        elif word.isalnum():
            yield word
        elif ("/" in word or "@" in word) and _place.search(word):
            yield word.rstrip(_ENDS)
        elif _valued.search(word):
            yield from filter(_valued.search, _piece.findall(word))


def _negated(text: str, start: int, end: int) -> Iterator[str]:
    """Negations with the words of letters around them, in quotes."""
    for found in _negation.finditer(text, start, end):
        at = found.start()
        if found[0][1:].isalpha() and text[at - 1 : at].isalnum():
            continue  # it is the end of a word
        before = _before.search(text[max(0, at - _ROOM) : at])
        after = _after.match(text[found.end() : found.end() + _ROOM])
        words = (before[0] if before else "", found[0], after[0] if after else "")
        yield f'"{" ".join("".join(words).split())}"'


def _whole(text: str, gap: Gap) -> Gap:
    """The gap with all of the words that its borders cut."""
    start, end = gap
    while start > max(0, gap[0] - _STRADDLING) and not text[start - 1].isspace():
        start -= 1
    while end < min(len(text), gap[1] + _STRADDLING) and not text[end].isspace():
        end += 1
    return start, end
