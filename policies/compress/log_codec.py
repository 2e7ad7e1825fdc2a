"""Logs in fewer tokens: one short line an entry, under a list of the templates they share.

The order of the lines is kept. Restored exactly is the whole text, every character of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from policies.base.ports import Count
from policies.compress.log_blocks import joined
from policies.compress.log_entries import RAW, Entry, Forms, entries, lines_of, loose
from policies.compress.log_groups import GAP
from policies.compress.log_notation import read, write
from policies.compress.log_stamps import MARK
from policies.compress.log_templates import Template

LONGEST = 8_000_000  # characters; longer texts are left as they are
_FEWEST = 8  # lines
_PROBE = 150  # lines of a long text on which the gain is tried first

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
    lines = text.count("\n")
    if lines < _FEWEST or len(text) > LONGEST or MARK in text or GAP in text:
        return None
    body = text
    crlf = text.count("\r\n") == lines
    if crlf:
        body = text.replace("\r\n", "\n")
    final = "\n" if body.endswith("\n") else ""
    body = body.removesuffix("\n")
    if lines > 12 * _PROBE and not _promising(body):
        return None
    encoded = f"{_HEAD.format(lines, _CRLF if crlf else '')}\n{_rewritten(body)}{final}"
    return encoded if count(encoded) < count(text) else None


def decode(encoded: str) -> str:
    """The inverse of `encode`. Raises `ValueError` for what is no rewritten log."""
    head, _, rest = encoded.partition("\n")
    found = _HEADS.fullmatch(head)
    if found is None:
        raise ValueError("not the head of a rewritten log")
    final = "\n" if rest.endswith("\n") else ""
    text = read(rest.removesuffix("\n")) + final
    return text.replace("\n", "\r\n") if found[2] else text


def _promising(text: str) -> bool:
    """Whether the first lines of a long text are the shorter for it."""
    part = "\n".join(text.split("\n", _PROBE)[:_PROBE])
    return len(_rewritten(part)) * 10 < len(part) * 9


def _rewritten(text: str) -> str:
    forms = Forms()
    listed = joined(entries(text, forms), forms)
    return write(_worthy(listed, forms), forms.templates)


def _worthy(listed: list[Entry], forms: Forms) -> list[Entry]:
    """The entries, less the templates that cost more to list than they save."""
    templates = forms.templates
    used = Counter(entry.template for entry in listed)
    poor = {number for number, uses in used.items() if _poor(number, uses, templates)}
    if poor:
        listed = list(
            chain.from_iterable(
                _loosened(entry, forms) if entry.template in poor else (entry,) for entry in listed
            )
        )
    used = Counter(entry.template for entry in listed)
    return [_plain(entry, templates) if used[entry.template] == 1 else entry for entry in listed]


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


def _plain(entry: Entry, templates: list[Template]) -> Entry:
    """Without its template, if it is one for a single line's rest."""
    if entry.template == RAW or not templates[entry.template].loose or entry.stamp is None:
        return entry
    line = templates[entry.template].fill(entry.values).replace(MARK, entry.stamp)
    return Entry(RAW, (line,), None, entry.joins)
