"""A log as entries in its own order: each a template's number and its values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import eq
from typing import NamedTuple

from policies.compress.log_groups import groups
from policies.compress.log_stamps import MARK, take
from policies.compress.log_templates import Template, tables

RAW = -1  # the template of a line that has none: its only value is the line


class Entry(NamedTuple):
    """A line, or some; `stamp` is its time, None where it has none.

    `joins`: its time, if any, is that of the last line before it that has one.
    """

    template: int
    values: tuple[str, ...]
    stamp: str | None
    joins: bool


class Entries(NamedTuple):
    """The entries of a text, field by field."""

    templates: list[int]
    values: list[tuple[str, ...]]
    stamps: list[str | None]
    joins: list[bool]


class Forms:
    """The templates of a text, each once."""

    def __init__(self) -> None:
        self.templates: list[Template] = []
        self._numbers: dict[Template, int] = {}

    def number(self, template: Template) -> int:
        """Its number; a new one, if it is new."""
        number = self._numbers.setdefault(template, len(self.templates))
        if number == len(self.templates):
            self.templates.append(template)
        return number


def entries(text: str, forms: Forms) -> Entries:
    """One entry a line; `forms` learns their templates.

    Precondition: neither `MARK` nor `log_groups.GAP` is in the text.
    """
    marked, taken = take(text)
    lines = marked.split("\n")
    words = [line.split(" ") for line in lines]
    numbers = [RAW] * len(lines)
    values: list[tuple[str, ...]] = [()] * len(lines)
    left = set(range(len(lines)))
    for group in groups(words):
        left.difference_update(group.lines)
        for table in tables(group, words):
            number = forms.number(table.template)
            rows = zip(*table.columns, strict=True) if table.columns else repeat(())
            for line, row in zip(table.lines, rows, strict=False):
                numbers[line] = number
                values[line] = row
    stamps, joins = _times(lines, taken)
    for line in sorted(left):
        stamp = stamps[line]
        if stamp is None:
            values[line] = (lines[line],)
        else:
            numbers[line], values[line] = loose(lines[line], stamp, forms)
    return Entries(numbers, values, stamps, joins)


def _times(lines: Sequence[str], taken: Sequence[str]) -> tuple[list[str | None], list[bool]]:
    """The stamps of the lines, and whether each is the one before."""
    same = map(eq, taken, ("", *taken[:-1]))
    if len(taken) == len(lines):
        return list(taken), list(same)
    times = iter(taken)
    marked = [MARK in line for line in lines]
    return (
        [next(times) if mark else None for mark in marked],
        [next(same) if mark else True for mark in marked],
    )


def loose(line: str, stamp: str, forms: Forms) -> tuple[int, tuple[str, ...]]:
    """A line without a template of its own: its time is still taken out of it."""
    head, mark, rest = line.partition(MARK)
    between = rest[: len(rest) - len(rest.lstrip(" :]"))]
    rest = rest[len(between) :]
    if rest == "^":
        return RAW, (head + stamp + between + rest,)
    return forms.number(Template((head + mark + between, ""), (0,), loose=True)), (rest,)


def lines_of(entry: Entry, templates: Sequence[Template]) -> list[str]:
    """Its lines, with `MARK` for the time, if it has a template."""
    return templates[entry.template].fill(entry.values).split("\n")
