"""Patterns: what the strings of a column share with each other and with earlier columns.

A pattern is literal text with at most one `*`, for which each row has its own piece, and
`<name>` for the row's value of an earlier column: `https://example.org/<login>/*`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os.path import commonprefix
from typing import NamedTuple

from policies.compress.json_words import keys, quoted

_SHORTEST = 3  # characters that a reference must stand for
_LONG = 12  # characters that a reference could spare, at most, to be looked for
_WORTH = 16  # characters that shared text must spare in all rows together
_WHOLE = 16  # characters; shorter strings (dates, identifiers) may be asked for as they are
_ROWS = 3  # fewer rows do not pay for shared text in the header
_TRIED = 3  # earlier columns that are compared row by row
_WIDEST = 64  # earlier columns that are looked at
_SIGNS = frozenset('*<>"\\')


class Pattern(NamedTuple):
    """`text`: the pattern; `pieces`: what `*` stands for in each row, None when there is none."""

    text: str
    pieces: Sequence[str] | None


def pattern(column: Sequence[str], earlier: Mapping[str, Sequence[str]]) -> Pattern | None:
    """The pattern that spares most of the column's text, or None when none does.

    Strings of several lines have none: they may hold code, a diff or a fenced block.
    """
    if len(column[0]) * (len(column) - 1) < _LONG:
        return None
    found = _referring(column, earlier) or shared(column)
    if found is None or "\\" in quoted(found.text) or any("\n" in text for text in column):
        return None
    return found


def shared(column: Sequence[str]) -> Pattern | None:
    """What all begin and end with, cut between words; None when it is little or they are short.

    And where one has several lines, as in `pattern`.
    """
    if len(column) < _ROWS or min(map(len, column)) < _WHOLE:
        return None
    if any("\n" in text for text in column):
        return None
    head, tail = _affixes(column)
    if (len(head) + len(tail)) * len(column) < _WORTH or _SIGNS & {*head, *tail}:
        return None
    end = -len(tail) or None
    return Pattern(f"{head}*{tail}", [text[len(head) : end] for text in column])


def _referring(column: Sequence[str], earlier: Mapping[str, Sequence[str]]) -> Pattern | None:
    first, last = column[0], column[-1]
    fits = [
        (len(values[0]), key)
        for key, values in earlier.items()
        if len(values[0]) >= _SHORTEST and values[0] in first and values[-1] in last
    ]
    for _, key in sorted(fits, reverse=True)[:_TRIED]:
        found = _around(column, key, earlier)
        if found:
            return found
    return None


def _around(
    column: Sequence[str], key: str, earlier: Mapping[str, Sequence[str]]
) -> Pattern | None:
    """`head<key>rest` or `rest<key>tail`, where the rest may differ from row to row."""
    values = earlier[key]
    head, _, tail = column[0].partition(values[0])
    if _SIGNS & {*head, *tail}:
        return None
    rests: list[str] = []
    for text, value in zip(column, values, strict=True):
        start = head + value
        if not text.startswith(start):
            break
        rests.append(text[len(start) :])
    else:
        rest = _rest(rests, earlier)
        return rest and Pattern(f"{head}<{key}>{rest.text}", rest.pieces)
    rests = []
    for text, value in zip(column, values, strict=True):
        end = value + tail
        if not text.endswith(end):
            return None
        rests.append(text[: len(text) - len(end)])
    rest = _rest(rests, earlier)
    return rest and Pattern(f"{rest.text}<{key}>{tail}", rest.pieces)


def _rest(rests: list[str], earlier: Mapping[str, Sequence[str]]) -> Pattern | None:
    """What stands beside a reference: one text, another reference, or a piece per row."""
    head, tail = _affixes(rests)
    if _SIGNS & {*head, *tail}:
        return None
    if all(rest == rests[0] for rest in rests):
        return Pattern(rests[0], None) if not _SIGNS & set(rests[0]) else None
    end = -len(tail) or None
    pieces = [rest[len(head) : end] for rest in rests]
    for key, values in earlier.items():
        if values[0] == pieces[0] and list(values) == pieces:
            return Pattern(f"{head}<{key}>{tail}", None)
    return Pattern(f"{head}*{tail}", pieces)


def remember(earlier: dict[str, Sequence[str]], name: str, texts: Sequence[str]) -> None:
    """Let later columns refer to this one, if its name can stand between `<` and `>`."""
    if len(earlier) < _WIDEST and keys[name] == name:
        earlier[name] = texts


def _affixes(column: Sequence[str]) -> tuple[str, str]:
    """What all strings begin and end with, without overlap.

    The head ends with a sign and the tail begins where digits or letters do, so that words,
    numbers and short identifiers stay whole.
    """
    head = commonprefix((min(column), max(column)))  # noqa: RUF071 - of text, not of paths
    head = _trimmed(head, _wordy)
    backward = [text[: len(head) - 1 : -1] if head else text[::-1] for text in column]
    low, high = min(backward), max(backward)
    tail = commonprefix((low, high))  # noqa: RUF071 - of text, not of paths
    if any(len(text) > len(tail) and _joined(tail, text[len(tail)]) for text in (low, high)):
        tail = _trimmed(tail, str.isdigit if tail[-1].isdigit() else str.isalpha)
    return head, tail[::-1]


def _trimmed(text: str, within: Callable[[str], bool]) -> str:
    """The text without the run of such characters at its end."""
    end = len(text)
    while end and within(text[end - 1]):
        end -= 1
    return text[:end]


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_"


def _joined(tail: str, before: str) -> bool:
    if not tail or not tail[-1].isalnum() or not before.isalnum():
        return False
    return tail[-1].isdigit() == before.isdigit()
