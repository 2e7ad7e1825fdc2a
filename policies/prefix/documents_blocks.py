"""Retrieved documents in a text: the same text with them in another order."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from policies.base.documents import Document

_POINTED = 400  # characters from which a document's text is worth a pointer
_SHOWN = 60  # characters of it that tell which document is meant


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
