"""A legend: texts that recur, named once at the top and by `$1`, `$2`, … from there on.

    $1=https://example.org/users/ann
    {url:$1 html_url:$1/home}

It works on text alone: the reader puts the named text wherever the name stands. Strings of
several lines are no place for names: they may hold code, a diff or a fenced block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from heapq import nlargest

from policies.compress.json_words import QUOTED

_NAMES = "123456789abcdefghijklmnopqrstuvwxyz"
_MARKS = "$^%"
_USED = {mark: re.compile(rf"{re.escape(mark)}[0-9a-z]").search for mark in _MARKS}
_LONGEST = 1 << 28  # characters that a text may grow to
_LONG = 12  # characters of a word that is looked at
_DENSE = 8  # characters of a token, at most, for an entry to pay without being counted
_SHORTEST = 8  # characters of an entry
_WORTH = 24  # characters that an entry must spare, roughly, to be counted
_MOST = 256  # characters of it that are looked at
_TIMES = 64  # how often a value is taken to recur at most
_FINALISTS = 16  # texts that are counted
_ENTRY = 3  # tokens of an entry beside its text: the mark, the name, `=` and the line end
_USE = 2  # tokens of a mark and a name

_quoted = re.compile(QUOTED)
_COVERED = '"\0"'  # stands for a string of several lines; no text of the notation has it

_entry = re.compile(rf"([{re.escape(_MARKS)}])([{_NAMES}])=([^\n]+)\n").match


def add(text: str, objects: Mapping[str, int], count: Callable[[str], int]) -> str:
    """The text with the legend that spares most tokens; as it came where none does.

    `objects`: texts that may recur, with how often they were seen.
    """
    for mark, used in _USED.items():
        if mark not in text or not used(text):
            break
    else:
        return text
    legend = _Legend(text, mark, count)
    whole = [(len(found), found) for found, seen in objects.items() if seen > 1]
    if whole:
        legend.name([found for _, found in nlargest(_FINALISTS, whole)])
    legend.text, strings = _covered(legend.text)
    legend.name(_recurring(legend.text))
    return _uncovered(legend.text, strings) if strings else legend.text


def _covered(text: str) -> tuple[str, list[str]]:
    """The text without its strings of several lines, and those in order."""
    if "\\n" not in text:
        return text, []
    strings: list[str] = []

    def cover(found: re.Match[str]) -> str:
        if "\\n" not in found[0]:
            return found[0]
        strings.append(found[0])
        return _COVERED

    return _quoted.sub(cover, text), strings


def _uncovered(text: str, strings: list[str]) -> str:
    """The inverse of `_covered`, whatever was done between the strings."""
    first, *rest = text.split(_COVERED)
    return first + "".join([string + after for string, after in zip(strings, rest, strict=True)])


def expand(text: str) -> str:
    """The inverse of `add`. Raises `ValueError` when the text grows beyond reason."""
    found = _entry(text)
    if found is None:
        return text
    mark, end = found[1], 0
    while found and found[1] == mark:
        end = found.end()
        found = _entry(text, end)
    legend, body = text[:end], text[end:]
    entries: list[tuple[str, str]] = []
    while found := _entry(legend):  # each entry stands in those below it, and they in it
        _, key, entry = found.groups()
        entries.append((key, entry))
        legend = _filled(legend[found.end() :], mark, {key: entry})
    named: dict[str, str] = {}
    for key, entry in reversed(entries):
        named[key] = _filled(entry, mark, named)
    return _filled(body, mark, named)


def _filled(text: str, mark: str, named: Mapping[str, str]) -> str:
    """The text with what is named in the place of names."""
    first, *rest = text.split(mark)
    if sum([len(named.get(part[:1], "")) for part in rest]) > _LONGEST:
        raise ValueError("the legend stands for too long a text")
    parts = [named.get(part[:1], mark + part[:1]) + part[1:] for part in rest]
    return first + "".join(parts)


class _Legend:
    """A text whose legend grows at the top, each entry in terms of those above it."""

    def __init__(self, text: str, mark: str, count: Callable[[str], int]) -> None:
        self.text = text
        self._mark = mark
        self._count = count
        self._names = iter(_NAMES)

    def name(self, candidates: list[str]) -> None:
        """Name those that spare tokens, in the order given."""
        known: list[tuple[str, str]] = []
        for found in candidates:
            named = found
            for text, key in known:
                named = named.replace(text, key)
            uses = self.text.count(named)
            if uses < 2 or len(named) < _SHORTEST:
                continue
            spared, spent = uses - 1, uses * _USE + _ENTRY
            clear = spared * len(named) > spent * _DENSE
            if not clear and spared * self._count(named) <= spent:
                continue
            key = next(self._names, "")
            if not key:
                return
            known.append((named, self._mark + key))
            self.text = f"{self._mark}{key}={named}\n" + self.text.replace(named, self._mark + key)


def _recurring(text: str) -> list[str]:
    """Beginnings of addresses, and long values, that recur: those first that spare most."""
    words = text.replace("{", " ").replace("[", " ").replace('"', " ").split()
    words = [word for word in words if len(word) >= _LONG]
    if "://" not in text and len(set(words)) == len(words):
        return []
    often = [(w, times) for w, times in Counter(words).items() if times > 1 or "://" in w]
    seen: dict[str, int] = {}
    distinct: dict[str, int] = {}
    for word, times in often:
        _, _, value = word.partition(":")
        value = (word if not value or value.startswith("//") else value)[:_MOST].rstrip("}],")
        if len(value) >= _LONG:
            seen[value] = seen.get(value, 0) + min(times, _TIMES)
            distinct[value] = distinct.get(value, 0) + 1
    while distinct:  # beginnings, then beginnings of these
        distinct = _beginnings(distinct)
        for part, times in distinct.items():
            seen[part] = seen.get(part, 0) + times
    spared = [
        (gain, part)
        for part, times in seen.items()
        if times > 1 and (gain := (times - 1) * len(part)) >= _WORTH
    ]
    return [part for _, part in nlargest(_FINALISTS, spared)]


def _beginnings(values: dict[str, int]) -> dict[str, int]:
    """What stands before the last slash of each, unless that belongs to `://`, with how often."""
    found: dict[str, int] = {}
    for value, times in values.items():
        at = value.rfind("/")
        if at > 1 and value[at - 1] != "/":
            part = value[:at]
            found[part] = found.get(part, 0) + times
    return found
