"""BM25, as Robertson and Zaragoza give it (2009), with the idf that is never negative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from math import log

K1, B = 2.0, 0.75  # how fast repeats count less; how much long passages count less


def idf(passages: int, holding: int) -> float:
    """How much a term tells that so many of the passages hold."""
    return log(1 + (passages - holding + 0.5) / (holding + 0.5))


def weights(counts: Sequence[Mapping[str, float]], terms: Sequence[str]) -> dict[str, float]:
    """The idf of each term, given how often each passage holds those that it holds."""
    holding = Counter(chain.from_iterable(counts))
    return {term: idf(len(counts), holding[term]) for term in dict.fromkeys(terms)}


def scores(
    counts: Sequence[Mapping[str, float]], lengths: Sequence[int], weight: Mapping[str, float]
) -> list[float]:
    """For each passage, given how often it holds each term, and its length in words."""
    mean = sum(lengths) / max(1, len(lengths)) or 1.0
    found = []
    for held, length in zip(counts, lengths, strict=True):
        norm = K1 * (1 - B + B * length / mean)
        score = 0.0  # not by `sum`, which adds fractions in other ways from Python 3.12 on
        for term, often in held.items():
            if often and term in weight:
                score += weight[term] * often * (K1 + 1) / (often + norm)
        found.append(score)
    return found
