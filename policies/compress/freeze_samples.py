"""Tokens of long texts by samples: enough to decide by, where the decision is clear.

A text of words that were never seen takes a millisecond for 10 KB to count. What is sent must be
decided within the request's time; what the books say may be counted afterwards.
"""

from __future__ import annotations

from policies.base.ports import Count

LONG = 1 << 16  # characters of a text that is counted whole
CLEAR = 0.15  # by how much more than asked for tokens must fall; samples err by 0.08 at most
_SAMPLES = 32
_WIDTH = 1024  # characters
_GOLDEN = 0.6180339887498949  # so that no period in a text meets that of the samples


class Samples:
    """Counts texts; those over `LONG` by samples, one from each of 32 equal parts.

    A function of the text, so that all who decide by it decide alike.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """The tokens, about."""
        if len(text) <= LONG:
            return self._count(text)
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._estimate(text)
        return known

    def _estimate(self, text: str) -> int:
        part = len(text) / _SAMPLES
        room = part - _WIDTH
        starts = [int(n * part + n * _GOLDEN % 1 * room) for n in range(_SAMPLES)]
        tokens = sum(self._count(text[at : at + _WIDTH]) for at in starts)
        return round(tokens * len(text) / (_SAMPLES * _WIDTH))
