"""Lines of one form, found by their words: the groups that templates are made of.

A word that is frequent in the text is constant; of any other word only its punctuation
counts, and the pieces between are variables. So one pass over the words groups the lines,
as frequent-word log parsers do, without comparing lines with each other.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

GAP = "\0"  # a variable piece, in a word's shape
_FEWEST = 3  # lines of one form that make a template
PIECE = re.compile(r"\d+(?=-[A-Za-z])|[\w.+~%@$*-]+")
_DIGIT = re.compile(r"\d")


class Shapes(dict[str, str]):
    """Word -> its shape: itself, where it is constant."""

    def __init__(self, counts: Counter[str], word: int, number: int) -> None:
        """Constant is a word with at least `word` occurrences, `number` if it has digits."""
        super().__init__()
        self._counts = counts
        self._word = word
        self._number = number

    def __missing__(self, word: str) -> str:
        count = self._counts[word]
        if count >= self._word and (count >= self._number or not _DIGIT.search(word)):
            shape = word
        elif word.replace(".", "").isalnum():
            shape = GAP
        else:
            shape = PIECE.sub(GAP, word)
        self[word] = shape
        return shape


class Group(NamedTuple):
    """The shapes of the words of a form, and the numbers of its lines, ascending."""

    form: tuple[str, ...]
    lines: list[int]


def groups(words: Sequence[list[str]]) -> list[Group]:
    """The groups of lines, given by their words; lines that no group of 3 has are in none.

    A second round holds fewer words constant, for the lines that the first leaves over.
    """
    counts = Counter(chain.from_iterable(words))
    size = len(words)
    rest: Sequence[int] = range(size)
    done = []
    for word, number in (
        (max(3, size // 200), max(8, size // 10)),
        (max(6, size // 20), max(8, size // 4)),
    ):
        shapes = Shapes(counts, word, number).__getitem__
        found = defaultdict(list)
        for line in rest:
            found[tuple(map(shapes, words[line]))].append(line)
        rest = []
        for form, lines in found.items():
            if len(lines) >= _FEWEST and any(map(str.strip, form)):
                done.append(Group(form, lines))
            else:
                rest.extend(lines)
        rest.sort()
    return done
