"""How much each passage has to do with a question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from policies.compress import select_bm25 as bm25
from policies.compress.select_words import Question, words

_HEAD = 3  # a term in a title counts as often
_PAIR = 0.75  # of two terms' mean idf, where they follow one another as in the question
_MEANT = 1.5  # for a title that the question says whole


class Passage(NamedTuple):
    """`head`: its title, or that of the section it stands in."""

    text: str
    head: str = ""


class _Read(NamedTuple):
    """A passage in words: `body` and `head` as the question's terms or "", `said` as spoken."""

    said: list[str]
    body: list[str]
    head: list[str]


def lexical(text: str, passages: Sequence[Passage]) -> list[float]:
    """BM25 with titles counted more, and more for terms side by side. 0: not one term in it."""
    question = Question(text)
    said = [words(each.text) for each in passages]
    heads = question.read([words(each.head) for each in passages])
    read = list(map(_Read, said, question.read(said), heads))
    counts = [Counter(each.body) for each in read]
    for held, each in zip(counts, read, strict=True):
        for term in each.head:
            held[term] += _HEAD
        del held[""]
    _find_hidden(question, read, counts)
    weight = bm25.weights(counts, question.terms)
    found = bm25.scores(counts, [len(each.body) + len(each.head) for each in read], weight)
    pairs = set(pairwise(question.terms))
    return [
        round(score + _PAIR * _beside(each, pairs, weight) + _MEANT * _meant(each.head), 6)
        if score
        else 0.0
        for score, each in zip(found, read, strict=True)
    ]


def _find_hidden(question: Question, read: list[_Read], counts: list[Counter[str]]) -> None:
    """Terms that stand nowhere as words may stand somewhere in pieces."""
    absent = [term for term in dict.fromkeys(question.terms) if not any(term in c for c in counts)]
    runs = ["".join(each.said) for each in read] if absent else []
    for term in absent:
        for run, held in zip(runs, counts, strict=False):
            if often := question.hidden(term, run):
                held[term] = often


def _beside(read: _Read, pairs: set[tuple[str, str]], weight: dict[str, float]) -> float:
    """The mean idf of pairs of the question that stand side by side, each pair once."""
    both = chain(pairwise(read.head), pairwise(read.body))
    there = pairs.intersection(pair for pair in both if pair[0] and pair[1])
    return sum((weight[one] + weight[other]) / 2 for one, other in sorted(there))


def _meant(head: list[str]) -> float:
    """How much of a title the question says."""
    told = set(head)
    if not told:
        return 0.0
    return len(told - {""}) / (len(told - {""}) + head.count(""))
