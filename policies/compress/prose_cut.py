"""Prose cut into words that may go and spans that must stay; and put together again.

Only words of letters alone may go. All else stays byte for byte, and whatever is decided about
the others, the spans that stay can be neither changed nor moved: the shortened text is the text
with some of its words left out.

What stays: numbers and the words beside them, numbers in words, negations, modals and the word
behind them, conjunctions, conditions; names, capitals; whatever holds a digit, a sign or a quote
(URLs, paths, identifiers, hashes, flags, contractions, hyphenated words); quoted text;
lines that report an error; and the last word of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from unicodedata import is_normalized

from policies.compress.freeze_form import Short
from policies.compress.prose_lines import Paragraph, paragraphs
from policies.compress.prose_words import COUNTS, ENGLISH

_LONGEST = 30  # letters; what is longer is no word
_word = re.compile(r"\S+")
_shown = re.compile(r"[^\W_]+[,.;:!?]?").fullmatch
_free = re.compile(r"[^\W\d_]+,?").fullmatch
_digit = re.compile(r"\d").search
_hex = re.compile(r"[a-f]{6,}").fullmatch
_between_sentences = re.compile(r"(?<=[.!?])\s+").finditer
_line = re.compile(r"[^\n]+").finditer
_error = re.compile(
    r"(?i)error|exception|traceback|\bfail|fatal|panic|\bdenied|\brefused|\baborted|\bcrash"
    r"|segfault|core dumped|\bwarning\b|exit (?:code|status)|not found|no such file|timed? ?out"
    r"|\bcannot\b|unable to|invalid|undefined|unexpected"
).search
_QUOTED = re.compile(
    r"\"[^\"]{1,500}\"|“[^”]{1,500}”|„[^“”]{1,500}[“”]|«[^»]{1,500}»|`[^`]{1,500}`"
    r"|(?<!\w)'[^']{1,300}'(?!\w)|\u2018[^\u2019]{1,300}\u2019(?!\w)"
)
_inside_name = re.compile(  # Bank of the West, van der Waals
    r"of|the|and|for|de|la|le|les|el|del|di|da|do|dos|du|des|van|von|der|den|ten|y|e|bin|al"
).fullmatch
_LONGEST_LINK = 3  # words between two parts of a name
_LONG_LINE = 300  # characters: in longer lines an error fills its sentence, not the line


class Cut(NamedTuple):
    """The words of a text's prose that a classifier is shown, in order.

    `must` has a byte for each: 1 where it stays whatever is said of it. `spans`: where each
    stands in the text. What is not shown stays too.
    """

    words: Sequence[str]
    must: bytes
    spans: Sequence[tuple[int, int]]

    @property
    def free(self) -> int:
        """How many words may go."""
        return self.must.count(0)


def _can_be_shown(word: str) -> bool:
    """Letters and digits that every tokenizer reads as they are written."""
    return len(word) <= _LONGEST and _shown(word) is not None and is_normalized("NFKC", word)


class _Word(NamedTuple):
    text: str
    bare: str  # without the sign behind it, in lower case
    start: int
    end: int


def cut(text: str) -> Cut:
    """What of the text may go. A function of the text alone, linear in its length."""
    words: list[str] = []
    must = bytearray()
    spans: list[tuple[int, int]] = []
    for paragraph in paragraphs(text):
        found = _words(text, paragraph)
        stays = _stays(text, paragraph, found)
        for word, fixed in zip(found, stays, strict=True):
            if _can_be_shown(word.text):
                words.append(word.text)
                must.append(fixed)
                spans.append((word.start, word.end))
    return Cut(words, bytes(must), spans)


def joined(text: str, made: Cut, verdict: bytes) -> Short:
    """The text without the words that may go and that `verdict`, a byte for each, says 0 of.

    Where words go, one of the blanks around them stays, the one with most line ends first.
    Raises `ValueError` for a verdict on other words than these.
    """
    if len(verdict) != len(made.words):
        raise ValueError("a verdict on another text")
    gone = [
        span
        for span, fixed, kept in zip(made.spans, made.must, verdict, strict=True)
        if not fixed and not kept
    ]
    parts: list[str] = []
    at = 0
    for start, end, blank in _holes(text, gone):
        parts += (text[at:start], blank)
        at = end
    return Short("".join((*parts, text[at:])), len(gone))


def _holes(text: str, gone: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """Where words that go follow one another, blanks around them included, and what stays."""
    index = 0
    while index < len(gone):
        start, end = gone[index]
        before = _back(text, start)
        blanks = [text[before:start]]
        while True:
            after = _forth(text, end)
            blanks.append(text[end:after])
            index += 1
            if index == len(gone) or gone[index][0] != after:
                break
            end = gone[index][1]
        edge = before == 0 or after == len(text)
        blank = blanks[0 if before == 0 else -1] if edge else max(blanks, key=_line_ends)
        yield before, after, blank


def _back(text: str, at: int) -> int:
    while at and text[at - 1].isspace():
        at -= 1
    return at


def _forth(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _line_ends(blank: str) -> int:
    return blank.count("\n")


def _words(text: str, paragraph: Paragraph) -> list[_Word]:
    return [
        _Word(match[0], match[0].rstrip(",.;:!?").lower(), match.start(), match.end())
        for match in _word.finditer(text, paragraph.start, paragraph.end)
    ]


def _stays(text: str, paragraph: Paragraph, words: Sequence[_Word]) -> list[bool]:
    """For each word, whether it must stay."""
    language = paragraph.language
    firm = language.firm | ENGLISH.firm | COUNTS
    binding = language.binding | ENGLISH.binding
    fixed = _fixed_spans(text, paragraph)
    stays: list[bool] = []
    number = False  # the word before is one
    bound = False  # the word before binds this one
    inside = 0
    for word in words:
        while inside < len(fixed) and fixed[inside][1] <= word.start:
            inside += 1
        quoted = inside < len(fixed) and fixed[inside][0] < word.end
        counted = bool(_digit(word.text)) or word.bare in COUNTS
        stays.append(
            quoted or number or bound or word.bare in firm or not _may_go(word, language.grammar)
        )
        if counted and len(stays) > 1:
            stays[-2] = True
        number = counted
        bound = word.bare in binding
    _link_names(words, stays)
    return stays


def _may_go(word: _Word, grammar: frozenset[str]) -> bool:
    """Letters alone in lower case, or a word of grammar at the start of a sentence."""
    text = word.text
    if not _free(text) or _hex(word.bare) or word.bare.upper() == word.bare:
        return False
    return text.rstrip(",") == word.bare or (text.istitle() and word.bare in grammar)


def _link_names(words: Sequence[_Word], stays: list[bool]) -> None:
    """Keep `of the` in `Bank of the West`."""
    capitals = [index for index, word in enumerate(words) if word.text[:1].isupper()]
    for one, other in pairwise(capitals):
        between = words[one + 1 : other]
        if len(between) <= _LONGEST_LINK and all(_inside_name(word.text) for word in between):
            stays[one : other + 1] = [True] * (other + 1 - one)


def _fixed_spans(text: str, paragraph: Paragraph) -> list[tuple[int, int]]:
    """Quoted text and sentences that report an error, in order, none within another."""
    start, end = paragraph.start, paragraph.end
    found = [match.span() for match in _QUOTED.finditer(text, start, end)]
    if _error(text, start, end):
        found += [span for span in _reports(text, start, end) if _error(text, *span)]
    merged: list[tuple[int, int]] = []
    for span in sorted(found):
        if merged and span[0] < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(span[1], merged[-1][1]))
        else:
            merged.append(span)
    return merged


def _reports(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines, or the sentences of long ones."""
    for line in _line(text, start, end):
        at, last = line.span()
        if last - at > _LONG_LINE:
            for gap in _between_sentences(text, at, last):
                yield at, gap.start()
                at = gap.end()
        yield at, last
