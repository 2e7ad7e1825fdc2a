"""What an extract leaves out, by name: the values and the negations that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from policies.compress.stash_words import spaced
from policies.compress.text_prefilter import prefilter

_place = re.compile(r"/(?:\w|(?<=\w/))|@(?<=\w@)\w")
_hump = re.compile(r"[a-z][A-Z]")
_valued = re.compile(r"\d|_(?<=\w_)\w|[a-z][A-Z]")
_piece = re.compile(r"\w+(?:[.:]\w+)*")
_ENDS = ".:!?"
_negation = re.compile(
    r"n['\u2019]t\b|[Nn](?:o(?:t|r|ne)?|ever|either)\b|N(?:OT?|ONE|EVER)\b|[Cc]annot\b|[Ww]ithout\b"
)
# What all that the pattern finds begins with, and whether that may stand in a text.
_NEGATIONS = {
    sign: prefilter(sign)
    for sign in (
        *("n't", "n\u2019t", "no", "No", "NO", "never", "Never", "NEVER", "neither", "Neither"),
        *("cannot", "Cannot", "without", "Without"),
    )
}
_before = re.compile(r"(?<![^\W\d])[^\W\d]{1,16}[ \t]?\Z")
_after = re.compile(r"(?:[ \t][^\W\d]{1,24}){0,3}")
_BEFORE = 17  # characters before a negation that are looked at
_STRADDLING = 200  # characters of a value that is cut by the border of a gap
_LONGEST = 1000  # characters of a value; longer ones are no values

Gap = tuple[int, int]


class _Known(NamedTuple):
    """What was looked at: words, and pieces of those that are no values as a whole."""

    words: set[str]
    pieces: set[str]


def index(text: str, gaps: Sequence[Gap]) -> list[str]:
    """What stands in each gap that stands neither outside of all, nor in an earlier one.

    Numbers, identifiers, addresses, paths, whatever else has a digit in it, and negations in
    quotes with a few words around. Values have no blanks in them.
    """
    apart = spaced(text)
    signs = [sign for sign, stands in _NEGATIONS.items() if stands(text)]
    known = _Known(set(), set())
    seen: set[str] = set()  # values that are shown or named
    borders = [0, *(at for gap in gaps for at in gap), len(text)]
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        seen.update(_values(apart[start:end], known), _negated(text, signs, (start, end)))
    found = []
    for gap in gaps:
        start, end = _whole(apart, gap)
        values = [*_values(apart[start:end], known), *_negated(text, signs, (start, end))]
        new = [value for value in dict.fromkeys(values) if value not in seen]
        seen.update(new)
        found.append(" ".join(new))
    return found


def _values(apart: str, known: _Known) -> Iterator[str]:
    """The values in words that are not yet `known`, and are from now on."""
    new = [word for word in dict.fromkeys(apart.split()) if word not in known.words]
    known.words.update(new)
    for word in new:
        bare = word.strip(_ENDS)
        if len(word) > _LONGEST:
            continue
        if bare.isalpha():
            if not bare[1:].islower() and _hump.search(bare):
                yield bare
        elif bare.isalnum():
            yield bare
        elif ("/" in word or "@" in word) and _place.search(word):
            yield word.rstrip(_ENDS)
        else:
            for piece in _piece.findall(word):
                if piece not in known.pieces:
                    known.pieces.add(piece)
                    if piece.isdecimal() or _valued.search(piece):
                        yield piece


def _negated(text: str, signs: Sequence[str], place: Gap) -> Iterator[str]:
    """Negations with the words of letters around them, in quotes."""
    for at in _begun(text, signs, place):
        found = _negation.match(text, at, place[1])
        if found is None or (found[0][1:].isalpha() and text[at - 1 : at].isalnum()):
            continue  # it is the beginning or the end of a word
        before = _before.search(text, max(0, at - _BEFORE), at)
        after = _after.match(text, found.end())
        told = (before[0] if before else "", found[0], after[0] if after else "")
        yield f'"{" ".join("".join(told).split())}"'


def _begun(text: str, signs: Sequence[str], place: Gap) -> list[int]:
    """Where negations begin, or longer words."""
    places = []
    for sign in signs:
        at = text.find(sign, *place)
        while at >= 0:
            places.append(at)
            at = text.find(sign, at + 1, place[1])
    return sorted(places)


def _whole(apart: str, gap: Gap) -> Gap:
    """The gap with all of the words that its borders cut."""
    start, end = gap
    while start > max(0, gap[0] - _STRADDLING) and not apart[start - 1].isspace():
        start -= 1
    while end < min(len(apart), gap[1] + _STRADDLING) and not apart[end].isspace():
        end += 1
    return start, end
