"""The words of a question, found again in texts in whatever form they stand there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import Stemmer

_word = re.compile(r"[^\W_]+").findall
_camel = re.compile(r"[A-Z](?<=[a-z0-9][A-Z])")  # a capital is what is searched for
_unspaced = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
# Accents that are signs of their own, apostrophes and okinas.
_silent = re.compile("[\u0300-\u036f'\u2018\u2019\u02bb\u02bc]")
_foreign_sign = re.compile(r"[^\x00-\x7f\w]")  # dashes, quotation marks, whatever parts words
_stemmer: Any = Stemmer.Stemmer("english", 0)  # in C: the GIL keeps threads apart
BORDER = "\0"  # between texts
_ASCII = [chr(sign) for sign in range(128)]
_PLAIN = (
    "".join(each.lower() if each.isalnum() or each == BORDER else " " for each in _ASCII)
    .encode()
    .ljust(256)
)
_KINDS = (
    "".join("A" if each.isupper() else "a" if each.isalnum() else " " for each in _ASCII)
    .encode()
    .ljust(256)
)
_HUMP = b"aA"  # of camel case
_LEAD = 3  # letters that a word and its stem have in common
_LONG = 5  # letters of a word that may stand in pieces
_LONGEST = 64  # letters of a word whose stem is remembered

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
_STOPPED = dict.fromkeys(STOP, "")
OTHER = " "  # stands for a word that is no term
_FIRST = ord("0")  # of what stands for terms


def fold(text: str) -> str:
    """Without accents and apostrophes, and in ASCII where all of its letters are."""
    if text.isascii():
        return text.replace("'", "")
    text = _silent.sub("", unicodedata.normalize("NFKD", text))
    parted = text if text.isascii() else _foreign_sign.sub(" ", text)
    return parted if parted.isascii() else text


def plain(texts: Sequence[str]) -> str:
    """Of each text the words in lower case, with blanks between, and a border between texts.

    Identifiers and camel case are taken apart. Where words are not spaced, as in Chinese, pairs
    of signs stand for them.
    """
    folded = [fold(text) for text in texts]
    ours = [text.replace(BORDER, " ") if text.isascii() else "" for text in folded]
    found = _parted(BORDER.join(ours).encode()).translate(_PLAIN).decode()
    if all(map(str.isascii, folded)):
        return found
    pairs = zip(folded, found.split(BORDER), strict=True)
    return BORDER.join(part if text.isascii() else _foreign(text) for text, part in pairs)


def _foreign(text: str) -> str:
    return " ".join(_word(_camel.sub(r" \g<0>", _unspaced.sub(_pairs, text)).lower()))


def _parted(raw: bytes) -> bytes:
    """With a blank before each hump of camel case."""
    kinds = raw.translate(_KINDS)
    parts = []
    last, at = 0, kinds.find(_HUMP)
    while at >= 0:
        parts.append(raw[last : at + 1])
        last = at + 1
        at = kinds.find(_HUMP, last)
    return b" ".join((*parts, raw[last:]))


def _pairs(match: re.Match[str]) -> str:
    run = match[0]
    return " ".join(["", *(run[at : at + 2] for at in range(max(1, len(run) - 1))), ""])


def stem(word: str) -> str:
    """Of an English word what its forms have in common (Snowball)."""
    if len(word) < _LEAD or not word.isascii():
        return word
    return _kept(word) if len(word) <= _LONGEST else _stem(word)


def _stem(word: str) -> str:
    found: str = _stemmer.stemWord(word)
    if found == word and len(word) == _LEAD + 1 and word.endswith("s"):  # such as `cfcs`
        return word if word.endswith("ss") else word[:-1]
    return found


_kept = lru_cache(65_536)(_stem)


class Question:
    """`said`: its words in order, without stop-words and at most so many; `terms`: their stems."""

    def __init__(self, text: str, most: int = 64) -> None:
        self.said = [word for word in plain([text]).split() if word not in STOP][:most]
        self.terms = [stem(word) for word in self.said]

    @cached_property
    def signs(self) -> dict[str, str]:
        """A character for each of the terms."""
        return {term: chr(_FIRST + n) for n, term in enumerate(dict.fromkeys(self.terms))}

    @cached_property
    def long(self) -> set[str]:
        """The terms that may also stand in pieces, such as `superbowl` as `Super Bowl`."""
        return {stem(word) for word in self.said if len(word) >= _LONG}

    def read(self, texts: str) -> list[str]:
        """Of each of these `plain` texts a sign for each word that is no stop-word.

        That of its term in `signs`, or a blank where the question has no such term.
        """
        leads = {term[:_LEAD] for term in self.signs}
        spoken = [text.split() for text in texts.split(BORDER)]
        known = dict.fromkeys(chain.from_iterable(spoken), OTHER)
        known |= self._known([word for word in known if word[:_LEAD] in leads])
        get = known.__getitem__
        return ["".join(map(get, each)) for each in spoken]

    def _known(self, led: Iterable[str]) -> dict[str, str]:
        """What stands for the question's words, for stop-words, and for those of these words."""
        starts = tuple(term[:-1] for term in self.signs)  # at its end alone a stem may be another
        found = {
            word: self.signs[term]
            for word in led
            if word.startswith(starts) and (term := stem(word)) in self.signs
        }
        said = {word: self.signs[term] for word, term in zip(self.said, self.terms, strict=True)}
        return found | said | _STOPPED
