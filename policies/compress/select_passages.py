"""Texts in whole passages: what stays together, what always stays, and what may go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from policies.base.documents import Document, Style, documents
from policies.compress.json_exact import minified
from policies.compress.select_headings import alone, marked, ruled, title
from policies.compress.text_protected import looks_like_code_or_diff

STYLES: tuple[Style, ...] = ("xml", "numbered")
_LONG = 1_600  # characters of a paragraph, from which on it is taken apart at the ends of lines
_PIECE = 800  # characters of such a part, at least
_HEAD = 200  # characters of a heading that count
_FENCE = re.compile(r" {0,3}(```|~~~)")
# Each begins with a sign that is searched for.
_TITLED = re.compile(
    r"[Tt](?<=\b[Tt])itle:[ \t]*(?P<label>[^)\n]{1,200})|<title>(?P<tag>[^<]{1,200})</title>"
    r"|t(?<=\bt)itle=\"(?P<quoted>[^\"]{1,200})\""
)
_TOP = 400  # characters of a document in which its title is looked for
_LINE = 120  # characters of a first line that may be a title


class Piece(NamedTuple):
    """A passage: `start` to `end` of a text. `head` is its title. `fixed`: it always stays."""

    start: int
    end: int
    head: str = ""
    fixed: bool = False


class Split(NamedTuple):
    """A text in passages; `noun` is what one of them is called."""

    pieces: Sequence[Piece]
    noun: str


def passages(text: str, *, pasted: bool) -> Split | None:
    """The documents in a text, or, unless a user has `pasted` it or it is JSON, its paragraphs."""
    found = delimited(text)
    if found is not None or pasted:
        return found
    if text.lstrip()[:1] in ("{", "[") and minified(text) is not None:
        return None
    return paragraphs(text)


def delimited(text: str) -> Split | None:
    """The documents of the one delimited block in a text, or None."""
    found = documents(text, STYLES)
    if len(found) < 2:
        return None
    pieces = [Piece(each.start, each.end, _title(text, each)) for each in found]
    return Split(pieces, "documents")


def _title(text: str, document: Document) -> str:
    """What a label, tag or attribute says, or else a short first line."""
    found = _TITLED.search(text, document.start, min(document.end, document.start + _TOP))
    if found:
        return found[found.lastindex or 0]
    inner = text[document.opens : document.closes].lstrip()[: _LINE + 1]
    line, more, _ = inner.partition("\n")
    return line if more else ""


def paragraphs(text: str) -> Split | None:
    """The paragraphs of a text; None where it is code or a diff.

    Headings, fenced blocks, and the first and the last passage are fixed. Very long paragraphs
    are taken apart at the ends of lines; a table stays whole.
    """
    blocks = list(_blocks(text))
    if looks_like_code_or_diff("".join(_unfenced(text, blocks))):
        return None
    found: list[Piece] = []
    head = ""
    for start, end, kind in blocks:
        if kind == "heading":
            head = title(text[start:end])[:_HEAD]
        if kind == "text":
            found += [Piece(at, to, head) for at, to in _parts(text, start, end)]
        else:
            found.append(Piece(start, end, head, fixed=True))
    if found:
        found[0] = found[0]._replace(fixed=True)
        found[-1] = found[-1]._replace(fixed=True)
    return Split(found, "passages")


def _unfenced(text: str, blocks: Sequence[tuple[int, int, str]]) -> Iterator[str]:
    """What is not in fenced blocks, nor has a line that looks like a fence below a title."""
    for start, end, kind in blocks:
        part = text[start:end]
        if kind == "text" or (kind == "heading" and "~~~" not in part):
            yield part


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    """`(start, end, kind)` of neighbouring lines of one kind: text, heading or fence."""
    found = [(0, -1, "", "")]
    for kind, lines in groupby(_lines(text), lambda line: line[2]):
        if kind != "blank":
            placed = list(lines)
            start, end = placed[0][0], placed[-1][1]
            form = alone(text[start:end]) if kind == "text" else ""
            found.append((start, end, kind, form))
    found.append((len(text) + 1, 0, "", ""))
    for before, (start, end, kind, form), after in zip(found, found[1:], found[2:], strict=False):
        apart = before[1] < start and end < after[0]
        lone = form and apart and form not in (before[3], after[3])
        yield start, end, "heading" if lone else kind


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    lines = text.splitlines(keepends=True)
    at = ruling = 0
    fence = ""
    kind = "blank"
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if kind == "blank" and not mark:
            ruling = ruled(lines, number)
        if ruling:
            kind = "heading"
            ruling -= 1
        elif fence or mark:
            kind = "fence"
            if mark and not fence:
                fence = mark[1]
            elif mark and mark[1] == fence:
                fence = ""
        elif not line.strip():
            kind = "blank"
        else:
            kind = "heading" if marked(line) else "text"
        yield at, at + len(line), kind
        at += len(line)


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A paragraph, in parts of some lines each where it is very long."""
    if end - start <= _LONG or text.startswith("|", start):
        yield start, end
        return
    begun = at = start
    while at < end:
        stop = text.find("\n", at, end)
        at = end if stop < 0 else stop + 1
        if at - begun >= _PIECE and end - at >= _PIECE // 2:
            yield begun, at
            begun = at
    yield begun, end
