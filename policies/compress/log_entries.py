"""A log as entries in its own order: each a template's number and its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
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


def entries(text: str, forms: Forms) -> list[Entry]:
    """One entry a line; `forms` learns their templates.

    Precondition: neither `MARK` nor `log_groups.GAP` is in the text.
    """
    marked, stamps = take(text)
    lines = marked.split("\n")
    words = [line.split(" ") for line in lines]
    found: list[tuple[int, tuple[str, ...]] | None] = [None] * len(lines)
    for group in groups(words):
        for table in tables(group, words):
            number = forms.number(table.template)
            rows = zip(*table.columns, strict=True) if table.columns else repeat(())
            for line, row in zip(table.lines, rows, strict=False):
                found[line] = (number, row)
    return list(_timed(lines, found, stamps, forms))


def _timed(
    lines: Sequence[str],
    found: Sequence[tuple[int, tuple[str, ...]] | None],
    stamps: Sequence[str],
    forms: Forms,
) -> Iterator[Entry]:
    times = iter(stamps)
    now = ""
    for line, known in zip(lines, found, strict=True):
        if MARK in line:
            stamp = next(times)
            yield Entry(*(known or loose(line, stamp, forms)), stamp, stamp == now)
            now = stamp
        else:
            yield Entry(*(known or (RAW, (line,))), None, True)


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
