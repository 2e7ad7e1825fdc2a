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
_EXACT = 100_000  # characters of a text whose passages are counted one by one

Rank = Callable[[str, Sequence[Passage]], Sequence[float]]


class Limits(NamedTuple):
    """`share` of the tokens of all passages, and `tokens` at most; None: no bound.

    Without either, only passages go that have little to do with the question and no facts.
    """

    share: float | None
    tokens: int | None


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
    if limits.share is None and limits.tokens is None:
        near = (place for place, score in enumerate(scores) if score >= _NEAR * best)
        kept |= {*near, *(place for place, one in enumerate(texts) if factual(one))}
    else:
        sizes = _sizes(text, texts, count)
        room = _room(limits, sum(sizes)) - count(_note(len(pieces) - 1, split))
        _fill(kept, scores, sizes, room)
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


def _fill(kept: set[int], scores: Sequence[float], sizes: Sequence[float], room: float) -> None:
    """Keep the best passages that there is room for, the very best in any case."""
    room -= sum(sizes[place] for place in kept)
    best = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    for place in best:
        if place not in kept and (sizes[place] <= room or place == best[0]):
            kept.add(place)
            room -= sizes[place]


def _sizes(text: str, texts: Sequence[str], count: Count) -> list[float]:
    """Tokens of each passage; of long texts by the number of its characters."""
    if len(text) <= _EXACT:
        return [count(each) for each in texts]
    rate = count(text) / len(text)
    return [rate * len(each) for each in texts]


def _note(gone: int, split: Split) -> str:
    return f"[{gone} of {len(split.pieces)} {split.noun} left out]"


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
    return "".join((*parts, _note(len(pieces) - len(kept), split), text[pieces[-1].end :]))
