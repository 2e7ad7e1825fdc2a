"""How much each passage has to do with a question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from policies.compress import select_bm25 as bm25
from policies.compress.select_words import BORDER, OTHER, Question, plain

_HEAD = 3  # a term in a title counts as often
_PAIR = 0.75  # of two terms' mean idf, where they follow one another as in the question
_MEANT = 1.5  # for a title that the question says whole


class Passage(NamedTuple):
    """`head`: its title, or that of the section it stands in."""

    text: str
    head: str = ""


class _Read(NamedTuple):
    """A passage in the question's signs."""

    body: str
    head: str


def lexical(text: str, passages: Sequence[Passage]) -> list[float]:
    """BM25 with titles counted more, and more for terms side by side. 0: not one term in it."""
    question = Question(text)
    said = plain([*(each.text for each in passages), *(each.head for each in passages)])
    signs = question.read(said)
    read = list(map(_Read, signs[: len(passages)], signs[len(passages) :]))
    counts = [_counted(question, each) for each in read]
    _find_hidden(question, said, counts)
    weight = bm25.weights(counts, question.terms)
    found = bm25.scores(counts, [len(each.body) + len(each.head) for each in read], weight)
    pairs = [
        (question.signs[one] + question.signs[other], (weight[one] + weight[other]) / 2)
        for one, other in sorted(set(pairwise(question.terms)))
    ]
    return [
        round(score + _PAIR * _beside(each, pairs) + _MEANT * _meant(each.head), 6)
        if score
        else 0.0
        for score, each in zip(found, read, strict=True)
    ]


def _counted(question: Question, read: _Read) -> dict[str, int]:
    """How often each term stands in a passage, if it does."""
    both = read.body + read.head * _HEAD
    return {term: both.count(sign) for term, sign in question.signs.items() if sign in both}


def _find_hidden(question: Question, said: str, counts: Sequence[dict[str, int]]) -> None:
    """Terms that stand nowhere as words may stand somewhere in pieces, or within others."""
    present = set().union(*counts)
    absent = [term for term in question.signs if term in question.long and term not in present]
    runs = said.encode().translate(None, b" ").split(BORDER.encode()) if absent else []
    for term in absent:
        for run, held in zip(runs, counts, strict=False):
            if often := run.count(term.encode()):
                held[term] = often


def _beside(read: _Read, pairs: Sequence[tuple[str, float]]) -> float:
    """The mean idf of pairs of the question that stand side by side, each pair once."""
    found = 0.0  # not by `sum`, which adds fractions in other ways from Python 3.12 on
    for pair, mean in pairs:
        if pair in read.body or pair in read.head:
            found += mean
    return found


def _meant(head: str) -> float:
    """How much of a title the question says."""
    others = head.count(OTHER)
    told = len(set(head) - {OTHER})
    return told / (told + others) if head else 0.0
