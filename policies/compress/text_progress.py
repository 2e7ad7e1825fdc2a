"""Telling progress, which a terminal writes over itself, from lines that end in carriage returns.

Files of old systems, some spreadsheets and mixed ones end lines so: what stands before the
return is no less worth reading there than what follows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_AMOUNT = re.compile(r"(?:\?|[0-9][0-9.,:]*\s?)[A-Za-z]{0,3}(?:/s\b)?")  # with its unit
_SAID = re.compile(r"[^\W_]+")
_SHARE = re.compile(
    r"([0-9]{1,12})(?:\.[0-9]{1,12})?\s?%"
    r"|(?<![0-9/.])([0-9]{1,12})[0-9.]{0,12}/[0-9.]{1,12}(?![0-9/.])"
)
_METER = re.compile(r"-:--|:[0-9]{2} +[0-9]:[0-9]{2}:|[A-Za-z]/s\b|\b(?:ETA|eta)\b")
_FIRST = re.compile(r"[0-9]+")
_SPINNER = 2  # characters that say nothing
_WIDEST = 400  # characters of a piece that is progress


def is_progress(pieces: Sequence[str]) -> bool:
    """Whether pieces of a row, each written over the one before, all but the last tell how far.

    That is: they say the same, and nothing but signs change, or a share, an amount or a count
    grows. What says something else stays, as does what is only like it in form.
    """
    pieces = [piece for piece in pieces if piece]
    pairs = [pair for pair in pairwise(pieces) if not _erased(*pair)]
    if not pairs:
        return True
    over = [piece for piece, _ in pairs]
    if len(pairs) == 1:  # written over once: only by what goes on with the same words
        over = list(pairs[0])
    if max(map(len, over)) > _WIDEST:
        return False
    if _still(over):
        return True
    said = _words(over[0])
    if any(_words(piece) != said for piece in over[1:]):
        return False
    grown = list(map(_reached, over))
    if grown[0] is None:  # it begins before there is anything to tell
        grown[0] = 0
    known = [each for each in grown if each is not None]
    return len(known) == len(grown) and known == sorted(known)


def _erased(piece: str, then: str) -> bool:
    """Whether there is nothing, or what follows are the blanks that take it away."""
    return piece.isspace() or (then.isspace() and len(then) >= len(piece))


def _still(over: Sequence[str]) -> bool:
    """Whether signs change, and nothing else: a wheel that turns, dots that become more."""
    if all(piece == over[0] for piece in over):
        return False
    said = _SAID.findall(over[0])
    if not said and max(map(len, over)) > _SPINNER:
        return False
    return all(_SAID.findall(piece) == said for piece in over[1:])


def _words(piece: str) -> list[str]:
    return _SAID.findall(_AMOUNT.sub(" ", piece))


def _reached(piece: str) -> int | None:
    """How far it says that it has come; None where it says no such thing."""
    share = _SHARE.search(piece)
    if share:
        return int(share[1] or share[2])
    first = _FIRST.search(piece) if _METER.search(piece) else None
    return int(first[0]) if first else None
