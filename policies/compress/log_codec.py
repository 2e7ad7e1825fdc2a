"""Logs in fewer tokens: one short line an entry, under a list of the templates they share.

The order of the lines is kept. Restored exactly is the whole text, every character of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from policies.base.ports import Count
from policies.compress import native
from policies.compress.log_blocks import joined
from policies.compress.log_entries import RAW, Entries, Entry, Forms, entries, lines_of, loose
from policies.compress.log_groups import GAP, groups
from policies.compress.log_notation import read, write
from policies.compress.log_stamps import MARK, take
from policies.compress.log_templates import Template

LONGEST = 8_000_000  # characters; longer texts are left as they are
_FEWEST = 8  # lines
_PROBE = 150  # lines of a long text on which the gain is tried first
_BLOCK = 25  # lines, four times, by which it is seen first whether lines are alike
_ALIKE = 0.02  # of their characters, less spaces, are those of other lines, or they have times

_HEAD = (
    "[log of {} lines{}, rewritten without loss: A=… is a template, `A x y` a line of it with "
    "x for {{0}} and y for {{1}}; digits before the letter replace the end of the time {{t}}, "
    "which else is unchanged, as does @; ^ is the value of the last A line; "
    "after a space stands any other line]"
)
_HEADS = re.compile(
    re.escape(_HEAD)
    .replace(re.escape("{}"), "([0-9]+)", 1)
    .replace(re.escape("{}"), "(|, each ending in CRLF)", 1)
    .replace(re.escape("{{"), re.escape("{"))
    .replace(re.escape("}}"), re.escape("}"))
)
_CRLF = ", each ending in CRLF"


def encode(text: str, count: Count) -> str | None:
    """The log, rewritten; None where that has no gain or `text` is longer than `LONGEST`."""
    if text.count("\n") < _FEWEST or len(text) > LONGEST:
        return None
    try:
        encoded = native.log_encode(text)
    except native.Unfit:
        encoded = rewritten(text)
    return encoded if encoded is not None and count(encoded) < count(text) else None


def decode(encoded: str) -> str:
    """The inverse of `encode`. Raises `ValueError` for what is no rewritten log."""
    try:
        return native.log_decode(encoded)
    except native.Unfit:
        return restored(encoded)


def rewritten(text: str) -> str | None:
    """The log, rewritten; None where that is seen to have no gain before all is done."""
    lines = text.count("\n")
    if MARK in text or GAP in text:
        return None
    body = text
    crlf = text.count("\r\n") == lines
    if crlf:
        body = text.replace("\r\n", "\n")
    final = "\n" if body.endswith("\n") else ""
    body = body.removesuffix("\n")
    if lines > 8 * _BLOCK and not _alike(body):
        return None
    if lines > 12 * _PROBE and not _promising(body):
        return None
    return f"{_HEAD.format(lines, _CRLF if crlf else '')}\n{_written(body)}{final}"


def restored(encoded: str) -> str:
    """The inverse of `rewritten`. Raises `ValueError` for what is no rewritten log."""
    head, _, rest = encoded.partition("\n")
    found = _HEADS.fullmatch(head)
    if found is None:
        raise ValueError("not the head of a rewritten log")
    final = "\n" if rest.endswith("\n") else ""
    text = read(rest.removesuffix("\n")) + final
    return text.replace("\n", "\r\n") if found[2] else text


def _alike(text: str) -> bool:
    """Whether lines have a time or words in common, as those of prose do not."""
    if take(text[: _BLOCK * 100])[1]:
        return True
    lines = text.split("\n")
    starts = [len(lines) * quarter // 4 for quarter in range(4)]
    sample = [line for start in starts for line in lines[start : start + _BLOCK]]
    found = groups([line.split(" ") for line in sample])
    same = sum(len(each.lines) * len("".join(each.form).replace(GAP, "")) for each in found)
    return same >= _ALIKE * sum(map(len, sample))


def _promising(text: str) -> bool:
    """Whether the first lines of a long text are the shorter for it."""
    part = "\n".join(text.split("\n", _PROBE)[:_PROBE])
    return len(_written(part)) * 10 < len(part) * 9


def _written(text: str) -> str:
    forms = Forms()
    listed = joined(entries(text, forms), forms)
    return write(_worthy(listed, forms), forms.templates)


def _worthy(listed: Entries, forms: Forms) -> Entries:
    """The entries, less the templates that cost more to list than they save."""
    templates = forms.templates
    used = Counter(listed.templates)
    poor = {number for number, uses in used.items() if _poor(number, uses, templates)}
    if poor:
        rows = zip(*listed, strict=True)
        loosened = (_loosened(Entry(*row), forms) if row[0] in poor else (row,) for row in rows)
        listed = Entries(*map(list, zip(*chain.from_iterable(loosened), strict=True)))
        used = Counter(listed.templates)
    for place, number in enumerate(listed.templates):
        if number != RAW and used[number] == 1 and templates[number].loose:
            _write_out(listed, place, templates[number])
    return listed


def _poor(number: int, uses: int, templates: list[Template]) -> bool:
    if number == RAW or templates[number].loose:
        return False
    literal = sum(map(len, templates[number].literals))
    return (uses - 1) * literal < 3 * uses + 6 * len(templates[number].slots)


def _loosened(entry: Entry, forms: Forms) -> Iterator[Entry]:
    joins = entry.joins
    for line in lines_of(entry, forms.templates):
        if entry.stamp is not None and MARK in line:
            yield Entry(*loose(line, entry.stamp, forms), entry.stamp, joins)
        else:
            yield Entry(RAW, (line,), None, joins)
        joins = True


def _write_out(listed: Entries, place: int, template: Template) -> None:
    """An entry without its template, which is one for a single line's rest."""
    numbers, values, stamps, _ = listed
    values[place] = (template.fill(values[place]).replace(MARK, stamps[place] or ""),)
    numbers[place], stamps[place] = RAW, None
