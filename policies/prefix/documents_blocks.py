"""Retrieved documents in a text: where each stands, and the same text in another order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Literal

import msgspec

Style = Literal["xml", "numbered"]

_XML = re.compile(
    r"<document(?:\s[^<>]*)?>(?P<inner>(?:(?!</?document\b).)*)</document>", re.DOTALL
)
# "Document [1] …" a line or paragraph each, or "[1] …" a paragraph each.
_LABELLED = re.compile(
    r"(?m)^(?:Document \[(?P<long>\d+)\](?P<after>(?:(?!\n\n|\nDocument \[).)+)"
    r"|\[(?P<short>\d+)\](?P<rest>(?:(?!\n\n).)+))",
    re.DOTALL,
)
_POINTED = 400  # characters from which a document's text is worth a pointer
_SHOWN = 60  # characters of it that tell which document is meant


class Document(msgspec.Struct, frozen=True, gc=False):
    """`start` to `end`: all of it; `opens` to `closes`: its text without tags or label."""

    start: int
    end: int
    opens: int
    closes: int


class Placement(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How the documents of message `index` are sent.

    `order` holds their places in the client's order; `pointed` those of the documents that
    stand earlier in the conversation already.
    """

    index: int
    part: int  # of its content; -1 where the content is a text
    order: tuple[int, ...]
    pointed: tuple[int, ...]

    def moves(self) -> bool:
        """Whether the text becomes another one."""
        return bool(self.pointed) or self.order != tuple(range(len(self.order)))


def documents(text: str, styles: Sequence[Style]) -> list[Document]:
    """The documents of the one block in `text`; none where there are several, or it is unclear."""
    for style in styles:
        found = _xml(text) if style == "xml" else _numbered(text)
        if found:
            return found
    return []


def _xml(text: str) -> list[Document]:
    found = [Document(*m.span(), *m.span("inner")) for m in _XML.finditer(text)]
    if len(found) != len(re.findall(r"<document[\s>]", text)):
        return []  # one within another, or one that is not closed
    return found if _adjacent(text, found) else []


def _numbered(text: str) -> list[Document]:
    matches = list(_LABELLED.finditer(text))
    numbers = [int((match["long"] or match["short"])[:6]) for match in matches]
    if len(matches) < 2 or numbers != list(range(1, len(numbers) + 1)):
        return []
    found: list[Document] = []
    for match in matches:
        name = "after" if match["long"] else "rest"
        end = match.start() + len(match[0].rstrip())
        found.append(Document(match.start(), end, match.start(name), end))
    return found if _adjacent(text, found) else []


def _adjacent(text: str, found: Sequence[Document]) -> bool:
    """Whether nothing but white space stands between them."""
    return all(not text[one.end : other.start].strip() for one, other in pairwise(found))


def identity(text: str, document: Document) -> bytes:
    """8 bytes that name a document by all its text, tag and label included."""
    return sha256(text[document.start : document.end].encode()).digest()[:8]


def repeated(text: str, found: Sequence[Document], earlier: str) -> tuple[int, ...]:
    """Places of the documents whose text stands in `earlier` word for word."""
    return tuple(
        place
        for place, each in enumerate(found)
        if each.closes - each.opens >= _POINTED and text[each.opens : each.closes] in earlier
    )


def rearranged(text: str, found: Sequence[Document], placement: Placement) -> str | None:
    """The text with its documents placed so, and their order of relevance said behind them.

    None where the placement is not one of these documents.
    """
    if sorted(placement.order) != list(range(len(found))):
        return None
    parts: list[str] = []
    at = 0
    for slot, place in zip(found, placement.order, strict=True):
        parts += (text[at : slot.start], _shown(text, found[place], place in placement.pointed))
        at = slot.end
    if placement.order != tuple(range(len(found))):
        ranks = ", ".join(str(placement.order.index(place) + 1) for place in range(len(found)))
        parts.append(
            "\n\n[The documents above stand in a fixed order. Counted from the top, their order "
            f"of relevance, the most relevant first, is: {ranks}.]"
        )
    return "".join((*parts, text[at:]))


def _shown(text: str, document: Document, pointed: bool) -> str:
    if not pointed:
        return text[document.start : document.end]
    start = " ".join(text[document.opens : document.closes].split())[:_SHOWN]
    return (
        text[document.start : document.opens]
        + f'[Given in full earlier in this conversation, where it begins: "{start}"]'
        + text[document.closes : document.end]
    )
