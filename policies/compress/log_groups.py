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
_PIECE = re.compile(r"\d+(?=-[A-Za-z])|[\w.+~%@$*-]+")
_PLAIN = re.compile(r"[0-9]+(?=-[A-Za-z])|[A-Za-z0-9_.+~%@$*-]+")  # the same, of ASCII: faster
_DIGIT = re.compile(r"\d")


class Group(NamedTuple):
    """The shapes of the words of a form, and the numbers of its lines, ascending."""

    form: tuple[str, ...]
    lines: list[int]


def groups(words: Sequence[list[str]]) -> list[Group]:
    """The groups of lines, given by their words; lines that no group of 3 has are in none.

    A second round holds fewer words constant, for the lines that the first leaves over.
    """
    counts = Counter(chain.from_iterable(words))
    text = "\n".join(counts)
    gaps = dict(zip(counts, pieces(text).sub(GAP, text).split("\n"), strict=True))
    size = len(words)
    rest: Sequence[int] = range(size)
    done = []
    for word, number in (
        (max(3, size // 200), max(8, size // 10)),
        (max(6, size // 20), max(8, size // 4)),
    ):
        shape = {**gaps, **_constant(counts, word, number)}.__getitem__
        found = defaultdict(list)
        for line in rest:
            found[tuple(map(shape, words[line]))].append(line)
        rest = []
        for form, lines in found.items():
            if len(lines) >= _FEWEST and any(map(str.strip, form)):
                done.append(Group(form, lines))
            else:
                rest.extend(lines)
        rest.sort()
    return done


def pieces(text: str) -> re.Pattern[str]:
    """What finds the pieces of words in a text."""
    return _PLAIN if text.isascii() else _PIECE


def _constant(counts: Counter[str], word: int, number: int) -> dict[str, str]:
    """The shapes of the words that are there `word` times or, with digits, `number` times."""
    often = [text for text, count in counts.items() if count >= word]
    return {text: text for text in often if counts[text] >= number or not _DIGIT.search(text)}
