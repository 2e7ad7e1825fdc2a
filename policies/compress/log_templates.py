"""Templates: the text that lines of one form share, and the values they differ in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from operator import eq, itemgetter
from typing import NamedTuple

from policies.compress.log_groups import GAP, Group, pieces

_ENOUGH = 12  # lines that earn a template of their own
_DEPTH = 6  # of parts of parts
_PARTS = 6  # of a group by one column's values, at most
_WIDE = 12  # columns beyond which no equal ones are looked for

Column = Sequence[str]


class Template(NamedTuple):
    """Literals, one more than there are gaps; `slots` says which value fills each gap.

    Where it is `loose`, its one value is the rest of a line, and may hold spaces.
    """

    literals: tuple[str, ...]
    slots: tuple[int, ...]
    loose: bool = False

    @property
    def width(self) -> int:
        """How many values a line has."""
        return max(self.slots, default=-1) + 1

    def fill(self, values: Sequence[str]) -> str:
        """The text, with its values."""
        gaps = chain(map(values.__getitem__, self.slots), ("",))
        return "".join(chain.from_iterable(zip(self.literals, gaps, strict=True)))


class Table(NamedTuple):
    """A template, the lines that have it, and the columns of their values."""

    template: Template
    lines: Sequence[int]
    columns: list[Column]


def tables(group: Group, words: Sequence[list[str]]) -> Iterator[Table]:
    """The templates of a group of lines, given by their words."""
    form, lines = group
    literals = " ".join(form).split(GAP)
    places = [place for place, shape in enumerate(form) if GAP in shape]
    if not places:
        yield Table(Template((literals[0],), ()), lines, [])
        return
    whole = list(zip(*(words[line] for line in lines), strict=True))
    columns: list[Column] = []
    for place in places:
        if form[place] == GAP:
            columns.append(whole[place])
        else:
            columns += _pieces(whole[place], form[place])
    literals, columns = _divided(literals, columns)
    for members, parts in _refined(lines, columns):
        yield _table(literals, members, parts)


def _pieces(column: Column, shape: str) -> list[list[str]]:
    """The columns of the pieces of words of this shape."""
    text = "\n".join(column)
    head, *between, tail = shape.split(GAP)
    if "" in between:
        found = pieces(text).findall(text)
    else:  # found faster by what stands between them
        text = text[len(head) : len(text) - len(tail)].replace(f"{tail}\n{head}", "\n")
        for signs in sorted(dict.fromkeys(between), key=len, reverse=True):
            text = text.replace(signs, "\n")
        found = text.split("\n")
    width = len(between) + 1
    return [found[piece::width] for piece in range(width)]


def _divided(literals: list[str], columns: list[Column]) -> tuple[list[str], list[Column]]:
    """Columns whose values all are so many parts between underscores, part by part."""
    texts, parts = literals[:1], []
    for column, after in zip(columns, literals[1:], strict=True):
        first = column[0]
        split: list[Column] = [column]
        between = ""
        if "_" in first:
            size = first.count("_")
            if all(value.count("_") == size for value in column):
                between = "_"
                found = "_".join(column).split("_")
                split = [found[part :: size + 1] for part in range(size + 1)]
        parts += split
        texts += [between] * (len(split) - 1) + [after]
    return texts, parts


def _table(literals: list[str], lines: list[int], columns: list[Column]) -> Table:
    """Columns of one value become text; common affixes too; equal columns become one."""
    texts = [literals[0]]
    slots: list[int] = []
    kept: dict[tuple[str, ...], int] = {}
    for column, after in zip(columns, literals[1:], strict=True):
        head, column_left, tail = _affixes(column)
        texts[-1] += head
        if column_left is None:
            texts[-1] += after
            continue
        slots.append(kept.setdefault(column_left, len(kept)))
        texts.append(tail + after)
    return Table(Template(tuple(texts), tuple(slots)), lines, list(kept))


def _affixes(column: Column) -> tuple[str, tuple[str, ...] | None, str]:
    """What all values start with, what is left of them (None: nothing), what they end with."""
    first = column[0]
    if column.count(first) == len(column):
        return first, None, ""
    if not first or first.isalnum():  # neither has punctuation in all
        return "", tuple(column), ""
    low, high = min(column), max(column)
    head = _to_edge(_common(low, high), column)
    if head:
        column = tuple([value[len(head) :] for value in column])
    last = column[0][-1:]
    if not last or not all(map(str.endswith, column, repeat(last))):
        return head, tuple(column), ""
    turned = [value[::-1] for value in column]
    tail = _to_edge(_common(min(turned), max(turned)), turned)[::-1]
    if tail:
        column = tuple([value[: -len(tail)] for value in column])
    return head, tuple(column), tail


def _common(low: str, high: str) -> str:
    """What both start with, and so all that is between them in order."""
    for place, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return low[:place]
    return low


def _to_edge(affix: str, column: Column) -> str:
    """As much of it as ends with punctuation: words, numbers and addresses are not cut."""
    end = len(affix)
    while end:
        last, before = affix[end - 1], affix[end - 2 : end - 1]
        if not last.isalnum() and not (
            last == "."
            and before.isdigit()
            and any(value[end : end + 1].isdigit() for value in column)
        ):
            break
        end -= 1
    return affix[:end]


def _refined(
    lines: list[int], columns: list[Column], depth: int = _DEPTH
) -> Iterator[tuple[list[int], list[Column]]]:
    """The lines in parts: those that share a frequent value, or in which columns are equal."""
    if depth and len(lines) >= 2 * _ENOUGH:
        for labels in _labels(columns):
            counts = Counter(labels)
            often = [label for label, count in counts.items() if count >= _ENOUGH]
            if 1 <= len(often) <= _PARTS and len(counts) > 1:
                left = sum(count for count in counts.values() if count < _ENOUGH)
                if left * 10 <= len(lines) * 3:
                    for rows in _parted(labels, often):
                        yield from _refined(*_rows(rows, lines, columns), depth - 1)
                    return
    yield lines, columns


def _parted(labels: Sequence[object], often: Sequence[object]) -> Iterator[list[int]]:
    """The rows of each frequent label, then the others."""
    chosen: dict[object, list[int]] = {label: [] for label in often}
    others: list[int] = []
    for row, label in enumerate(labels):
        chosen.get(label, others).append(row)
    yield from chosen.values()
    if others:
        yield others


def _labels(columns: list[Column]) -> Iterator[Sequence[object]]:
    """By what a group may be parted: a column's value, or whether two columns are equal."""
    step = len(columns[0]) // 8 if columns else 1
    samples = [column[::step] for column in columns]
    for column, sample in zip(columns, samples, strict=True):
        if len(set(sample)) < len(sample):
            yield column
    if len(columns) <= _WIDE:
        for place, column in enumerate(columns):
            for other in range(place):
                if any(map(eq, samples[place], samples[other])):
                    same = list(map(eq, column, columns[other]))
                    if 2 * sum(same) > len(same):
                        yield same


def _rows(
    chosen: list[int], lines: list[int], columns: list[Column]
) -> tuple[list[int], list[Column]]:
    if len(chosen) == 1:
        row = chosen[0]
        return [lines[row]], [(column[row],) for column in columns]
    pick = itemgetter(*chosen)
    return list(pick(lines)), [pick(column) for column in columns]
