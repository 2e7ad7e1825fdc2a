"""Counting tokens exactly, most of them from memory: what tools send repeats its own words.

An encoding first cuts a text into words, by a regular expression, and then encodes each by
itself. So a text may be cut wherever such a word surely begins, and the tokens of the pieces
add up. Those of short pieces are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from operator import sub

Encode = Callable[[str], Sequence[int]]

_LONGEST_RUN = 4096  # characters
_RUN = re.compile(r"\S+|\s+")
_STRIDE = 1 << 14  # characters that are cut at once: that holds up other threads
_SHORT = 128  # characters of a text that is not cut, and of a piece that is remembered
_MOST = 1 << 14  # pieces, 3 MB at most
_PART = " \u4e2d"  # put between pieces; a word of its own, and in both vocabularies one token


def pieces(text: str) -> list[str]:
    """The text, cut inside runs of more than 4,096 characters without a change of spacing.

    The time to encode such a run grows faster than its length, and the regular expression
    may give up on it. Each cut may add a token.
    """
    if len(text) <= _LONGEST_RUN:
        return [text]
    cuts = [0]
    for run in _RUN.finditer(text):
        if run.end() - run.start() > _LONGEST_RUN:
            cuts += range(run.start() + _LONGEST_RUN, run.end(), _LONGEST_RUN)
    return [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]


class _Cut:
    """Before which character a text is cut, where that begins a word; with what is known."""

    def __init__(self, sign: str, after: str) -> None:
        self.sign = sign
        self.found = re.compile(f"{sign}(?<={after}{sign})")
        # Piece without the sign -> tokens of it with the sign; 0 if it has only come once.
        self.known: dict[str, int] = {}


class Pieces:
    """Counts as `encode` does, but for `pieces` of very long runs. Safe between threads."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        # No word of o200k_base or cl100k_base goes on from a letter or digit to a quote, nor
        # from anything but white space to a space.
        self._cuts = (_Cut('"', "[A-Za-z0-9]"), _Cut(" ", r"\S"))
        self._known: dict[str, int] = {}  # whole texts, and what stands before the first cut
        (self._part,) = encode(_PART)

    def count(self, text: str) -> int:
        """The tokens of a text; special tokens count as the text they are."""
        if len(text) <= _SHORT:
            return self._whole(text)
        quote, space = self._cuts
        cut = quote if 2 * text.count(quote.sign) > text.count(space.sign) else space
        if len(text) <= _STRIDE:
            return self._sum(text, cut)
        return sum(self._sum(part, cut) for part in _strides(text, cut.found))

    def _whole(self, text: str) -> int:
        known = self._known.get(text)
        if known is None:
            known = sum(len(self._encode(piece)) for piece in pieces(text))
            if len(text) <= _SHORT:
                _keep(self._known, {text: known})
        return known

    def _sum(self, text: str, cut: _Cut) -> int:
        first, *rest = cut.found.split(text)
        counts = list(map(cut.known.get, rest))
        total = self._whole(first) + sum(filter(None, counts))
        if None in counts:
            new = [piece for piece, known in zip(rest, counts, strict=True) if known is None]
            total += self._seen(new, cut)
        if 0 in counts:
            again = [piece for piece, known in zip(rest, counts, strict=True) if known == 0]
            found = self._learnt(list(dict.fromkeys(again)), cut)
            total += sum(map(found.__getitem__, again))
        return total

    def _seen(self, new: Sequence[str], cut: _Cut) -> int:
        """The tokens of pieces that may never come again, in this order."""
        longest = max(map(len, new))
        short = new if longest <= _SHORT else [piece for piece in new if len(piece) <= _SHORT]
        _keep(cut.known, dict.fromkeys(short, 0))
        if longest > _LONGEST_RUN:
            return sum(self._whole(cut.sign + piece) for piece in new)
        return len(self._encode(cut.sign + cut.sign.join(new)))

    def _learnt(self, again: Sequence[str], cut: _Cut) -> dict[str, int]:
        """The tokens of pieces that are not known and come again, encoded in one go."""
        text = cut.sign + (_PART + cut.sign).join(again)
        if text.count(_PART) >= len(again) or max(map(len, again)) > _LONGEST_RUN:
            found = {piece: self._whole(cut.sign + piece) for piece in again}
        else:
            tokens = self._encode(text)
            ends = [at for at, token in enumerate(tokens) if token == self._part]
            starts = [0, *(end + 1 for end in ends)]
            ends.append(len(tokens))
            found = dict(zip(again, map(sub, ends, starts), strict=True))
        _keep(cut.known, {piece: n for piece, n in found.items() if len(piece) <= _SHORT})
        return found


def _strides(text: str, cut: re.Pattern[str]) -> Iterator[str]:
    """The text in parts that each begin where it may be cut."""
    start = 0
    while len(text) - start > _STRIDE:
        found = cut.search(text, start + _STRIDE)
        if found is None:
            break
        yield text[start : found.start()]
        start = found.start()
    yield text[start:]


def _keep(known: dict[str, int], new: dict[str, int]) -> None:
    if len(known) + len(new) > _MOST:
        known.clear()
    if len(new) <= _MOST:
        known |= new
