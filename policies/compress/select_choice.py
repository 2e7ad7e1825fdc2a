"""The passages that stay: those that must, then those nearest to the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from policies.base.ports import Count
from policies.compress.freeze_form import Short
from policies.compress.select_passages import Piece, Split
from policies.compress.select_pins import factual, names, troubled
from policies.compress.select_rank import Passage

_FEWEST = 3  # passages that are chosen among
_NEAR = 0.25  # of the best score, from which on a passage has to do with the question
_FULL = 0.97  # of the room, by the lengths of passages; then it is counted
_SPARE = 0.2  # of it, from which on passages that have room there are looked for by their tokens

Rank = Callable[[str, Sequence[Passage]], Sequence[float]]


class Limits(NamedTuple):
    """`share` of the tokens of all passages, and `tokens` at most; None: no bound.

    Without either, only passages go that have little to do with the question and no facts.
    """

    share: float | None
    tokens: int | None


NONE = Limits(None, None)


def chosen(
    text: str, split: Split, question: str, limits: Limits, by: tuple[Rank, Count]
) -> Short | None:
    """The text with the passages that stay, and a note of how many do not.

    None where all stay: there are few, or none of them has to do with the question.
    """
    pieces = split.pieces
    if len(pieces) < _FEWEST:
        return None
    rank, count = by
    texts = [text[each.start : each.end] for each in pieces]
    passages = [Passage(one, each.head) for one, each in zip(texts, pieces, strict=True)]
    scores = rank(question, passages)
    best = max(scores)
    if best <= 0:
        return None
    kept = _pinned(text, texts, pieces, question)
    if limits == NONE:
        near = (place for place, score in enumerate(scores) if score >= _NEAR * best)
        kept |= {*near, *(place for place, one in enumerate(texts) if factual(one))}
    else:
        kept = _limited((text, split), kept, scores, limits, count)
    if len(kept) == len(pieces):
        return None
    return Short(_written(text, split, kept), len(pieces) - len(kept))


def _pinned(text: str, texts: Sequence[str], pieces: Sequence[Piece], question: str) -> set[int]:
    """Places of the passages of a text that stay whatever else is asked for."""
    named = names(question)
    if named is not None and not named.search(text):
        named = None
    return {
        place
        for place, (each, piece) in enumerate(zip(texts, pieces, strict=True))
        if piece.fixed or troubled(each) or (named is not None and named.search(each))
    }


def _room(limits: Limits, size: float) -> float:
    shared = size if limits.share is None else limits.share * size
    return shared if limits.tokens is None else min(shared, limits.tokens)


def _limited(
    whole: tuple[str, Split],
    pinned: set[int],
    scores: Sequence[float],
    limits: Limits,
    count: Count,
) -> set[int]:
    """The best passages that there is room for, the very best in any case.

    By their lengths; where that leaves too much, or much room for another, by their tokens.
    """
    text, split = whole
    pieces = split.pieces
    before = count(text)
    rate = before / len(text)
    within = rate * (pieces[-1].end - pieces[0].start)
    room = _room(limits, within)
    most = before - within + room
    told = note(len(pieces), len(pieces), split.noun)
    likely = [rate * (each.end - each.start) for each in pieces]
    kept, _ = _filled(pinned, scores, likely, _FULL * room - rate * len(told))
    gone = [size for place, size in enumerate(likely) if place not in kept]
    enough = max(min(gone, default=0), _SPARE * room)
    if not gone or 0 <= most - count(_written(text, split, kept)) < enough:
        return kept
    sizes = [count(text[each.start : each.end]) for each in pieces]
    kept, added = _filled(pinned, scores, sizes, room - count(told))
    while added and len(kept) < len(pieces):
        over = count(_written(text, split, kept)) - most
        if over <= 0:
            break
        while added and over > 0:
            place = added.pop()
            kept.remove(place)
            over -= sizes[place]
    return kept


def _filled(
    pinned: set[int], scores: Sequence[float], sizes: Sequence[float], left: float
) -> tuple[set[int], list[int]]:
    """What is kept, and in which order it has come to what is pinned, but for the very best."""
    kept = set(pinned)
    for place in sorted(kept):
        left -= sizes[place]
    best = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    added: list[int] = []
    for place in best:
        if place not in kept and (place == best[0] or sizes[place] <= left):
            kept.add(place)
            left -= sizes[place]
            if place != best[0]:
                added.append(place)
    return kept, added


def note(gone: int, pieces: int, noun: str) -> str:
    """What stands at the end."""
    return f"[{gone} of {pieces} {noun} left out]"


def _written(text: str, split: Split, kept: set[int]) -> str:
    """What stands between passages stays before the one behind it; the note stands at the end.

    Where passages of a running text are missing, three dots say so.
    """
    pieces = split.pieces
    parts = [text[: pieces[0].start]]
    last = -1
    for place in sorted(kept):
        piece = pieces[place]
        if last >= 0:
            parts.append(text[pieces[place - 1].end : piece.start])
            if place > last + 1 and split.noun == "passages":
                parts.append("[...]\n")
        parts.append(text[piece.start : piece.end])
        last = place
    if not parts[-1].endswith("\n"):
        parts.append("\n")
    noted = note(len(pieces) - len(kept), len(pieces), split.noun)
    return "".join((*parts, noted, text[pieces[-1].end :]))
