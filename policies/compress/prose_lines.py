"""Which parts of a text are prose: paragraphs of sentences, and nothing that looks otherwise.

Headings, lists of things, tables, logs, markup, indented blocks and languages that `prose_words`
does not know are none. A text with source code, a diff or a fenced block has no prose at all.
In doubt a part is none, which costs only tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from policies.compress.prose_words import LANGUAGES, Language
from policies.compress.text_protected import looks_like_code_or_diff

_FEWEST = 25  # words of a paragraph
_GRAMMAR = 0.2  # of them are grammar; in tables and lists it is less, in most prose twice that
_PLAIN = 0.6  # of the words of a line are letters alone

_word = re.compile(r"\S+")
_plain = re.compile(r"[^\W\d_]+[,.;:!?]?").fullmatch
_sentence_end = re.compile(r"[^\W_][.!?](?=\s|$)").search
_odd_start = re.compile(
    r" {4}|\s*\t"  # indented
    r"|\s*(?:[|+#>$%<{}\[\]\"]|[-=*_]{3})"  # tables, headings, quotes, prompts, markup, JSON, rules
    r"|\s*(?:[-*•‣◦]|[0-9]{1,3}[.)]) "  # items of lists
    r"|[\W_]*[0-9]{1,4}[-/:.][0-9]"  # dates and times
    r"|\s*(?:\w{3} +[0-9]{1,2} [0-9:]{5})"  # syslog
).match
_columns = re.compile(r"\t|\S {3,}\S|[^|]\|[^|]").search
_level = re.compile(r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b").search


class Paragraph(NamedTuple):
    """A run of lines of prose: where it stands in the text, and its language."""

    start: int
    end: int
    language: Language


def paragraphs(text: str) -> list[Paragraph]:
    """The prose of a text, in order. Linear in its length."""
    if text.lstrip()[:1] in ("{", "[", "<") or looks_like_code_or_diff(text):
        return []
    found = []
    for start, end in _runs(text):
        words = _word.findall(text, start, end)
        if len(words) < _FEWEST or not _sentence_end(text, start, end):
            continue
        language = _language([word.rstrip(",.;:!?").lower() for word in words])
        if language is not None:
            found.append(Paragraph(start, end, language))
    return found


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Where lines that may be prose follow one another."""
    start, at = -1, 0
    for line in text.splitlines(keepends=True):
        if _may_be_prose(line):
            start = at if start < 0 else start
        elif start >= 0:
            yield start, at
            start = -1
        at += len(line)
    if start >= 0:
        yield start, at


def _may_be_prose(line: str) -> bool:
    if not line.strip() or _odd_start(line) or _columns(line) or _level(line):
        return False
    words = _word.findall(line)
    return sum(1 for word in words if _plain(word)) >= _PLAIN * len(words)


def _language(words: list[str]) -> Language | None:
    """The language with most words of its grammar there, if they are enough."""
    shares = [sum(1 for word in words if word in each.grammar) for each in LANGUAGES]
    most = max(shares)
    return LANGUAGES[shares.index(most)] if most >= _GRAMMAR * len(words) else None
