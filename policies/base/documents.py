"""Retrieved documents in a text: where each stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

Style = Literal["xml", "numbered"]

_XML = re.compile(r"<document(?:\s[^<>]*)?>(?P<inner>(?:[^<]++|<(?!/?document\b))*+)</document>")
# "Document [1] …" a line or paragraph each, or "[1] …" a paragraph each; searched for is the
# line feed before it.
_LABELLED = re.compile(
    r"\n(?:Document \[(?P<long>\d+)\](?P<after>(?:[^\n]++|\n(?!\n|Document \[))++)"
    r"|\[(?P<short>\d+)\](?P<rest>(?:[^\n]++|\n(?!\n))++))"
)


class Document(msgspec.Struct, frozen=True, gc=False):
    """`start` to `end`: all of it; `opens` to `closes`: its text without tags or label."""

    start: int
    end: int
    opens: int
    closes: int


def documents(text: str, styles: Sequence[Style]) -> list[Document]:
    """The documents of the one block in `text`; none where there are several, or it is unclear."""
    for style in styles:
        found = _xml(text) if style == "xml" else _numbered(text)
        if found:
            return found
    return []


def _xml(text: str) -> list[Document]:
    if "<document" not in text:
        return []
    found = [Document(*m.span(), *m.span("inner")) for m in _XML.finditer(text)]
    if len(found) != len(re.findall(r"<document[\s>]", text)):
        return []  # one within another, or one that is not closed
    return found if _adjacent(text, found) else []


def _numbered(text: str) -> list[Document]:
    if "[" not in text:
        return []
    matches = list(_LABELLED.finditer(f"\n{text}"))
    numbers = [int((match["long"] or match["short"])[:6]) for match in matches]
    if len(matches) < 2 or numbers != list(range(1, len(numbers) + 1)):
        return []
    found: list[Document] = []
    for match in matches:
        start = match.start()
        end = start + len(match[0].rstrip()) - 1
        opens = match.start(match.lastindex or 0) - 1
        found.append(Document(start, end, opens, end))
    return found if _adjacent(text, found) else []


def _adjacent(text: str, found: Sequence[Document]) -> bool:
    """Whether nothing but white space stands between them."""
    return all(not text[one.end : other.start].strip() for one, other in pairwise(found))
