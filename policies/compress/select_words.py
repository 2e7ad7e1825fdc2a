"""The words of a question, found again in texts in whatever form they stand there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import snowballstemmer

_word = re.compile(r"[^\W_]+").findall
_plain = re.compile("[a-z0-9]+").findall  # the same of ASCII in lower case, found faster
_camel = re.compile(r"[A-Z](?<=[a-z0-9][A-Z])")  # a capital is what is searched for
_unspaced = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
# Accents that are signs of their own, apostrophes and okinas.
_silent = re.compile("[\u0300-\u036f'\u2018\u2019\u02bb\u02bc]")
_stemmer: Any = snowballstemmer.stemmer("english")
_LEAD = 3  # letters that a word and its stem have in common
_HIDDEN = 5  # letters of a word that may stand in pieces: `superbowl` as `Super Bowl`

# Words that say how something is asked, not what: they are rare in some texts and mean nothing.
_ASKING = """
    a about above after all also am an and any are as at be been being below both but by can could
    did do does doing done down each few for from further get give had has have having he her here
    hers him his how i if in into is it its just let many may me might more most much my no nor not
    now of off on once only or other our out over own please same shall she should so some such
    tell than that the their them then there these they this those through to too under until up
    upon us very was we were what when where which while who whom whose why will with would you
    your s t re ve ll d m
"""
STOP = frozenset(_ASKING.split())


def fold(text: str) -> str:
    """Without accents and apostrophes."""
    if text.isascii():
        return text.replace("'", "")
    return _silent.sub("", unicodedata.normalize("NFKD", text))


def words(text: str) -> list[str]:
    """In lower case and in order, identifiers and camel case taken apart.

    Where words are not spaced, as in Chinese, pairs of signs stand for them.
    """
    text = fold(text)
    plain = text.isascii()
    if not plain:
        text = _unspaced.sub(_pairs, text)
    if _camel.search(text):
        text = _camel.sub(r" \g<0>", text)
    return (_plain if plain else _word)(text.lower())


def _pairs(match: re.Match[str]) -> str:
    run = match[0]
    return " ".join(["", *(run[at : at + 2] for at in range(max(1, len(run) - 1))), ""])


@lru_cache(65_536)
def stem(word: str) -> str:
    """Of an English word what its forms have in common (Snowball)."""
    if len(word) < _LEAD or not word.isascii():
        return word
    found: str = _stemmer.stemWord(word)
    if found == word and len(word) == _LEAD + 1 and word.endswith("s"):  # such as `cfcs`
        return word if word.endswith("ss") else word[:-1]
    return found


class Question:
    """`terms`: the stems of its words in order, without stop-words and at most so many."""

    def __init__(self, text: str, most: int = 64) -> None:
        said = [word for word in words(text) if word not in STOP][:most]
        self.terms = [stem(word) for word in said]
        self._said = dict(zip(said, self.terms, strict=True))
        self._hidden = {stem(word) for word in said if len(word) >= _HIDDEN}

    def read(self, spoken: Sequence[list[str]]) -> list[list[str]]:
        """Of each of these texts in words, less stop-words: the question's term, or "" if none."""
        terms = set(self.terms)
        leads = {term[:_LEAD] for term in terms}
        starts = tuple(term[:-1] for term in terms)  # at its end alone a stem may be another
        known: dict[str, str | None] = dict.fromkeys(chain.from_iterable(spoken), "")
        for word in [word for word in known if word[:_LEAD] in leads]:
            if word.startswith(starts) and (found := stem(word)) in terms:
                known[word] = found
        known |= self._said | dict.fromkeys(STOP)
        get = known.__getitem__
        return [[term for term in map(get, each) if term is not None] for each in spoken]

    def hidden(self, term: str, run: str) -> int:
        """How often a term stands in words that are written together or apart.

        `run`: the words of a text without anything between.
        """
        return run.count(term) if term in self._hidden else 0
