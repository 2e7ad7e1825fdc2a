"""Retrieved documents in a text: where each stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

Style = Literal["xml", "numbered"]

# Elements of one name, in whatever case.
_NAMES = ("document", "doc", "passage", "source", "context", "search_result")
_NAMED = re.compile(rf"</(?ai:({'|'.join(_NAMES)}))>")
_OPENED = {name: re.compile(rf"<(?ai:{name})[\s>]") for name in _NAMES}
_XML = {
    name: re.compile(
        rf"<(?ai:{name})(?:\s[^<>]*)?>(?P<inner>(?:[^<]++|<(?!/?(?ai:{name})\b))*+)</(?ai:{name})>"
    )
    for name in _NAMES
}
# "Document [1] …" a line or paragraph each, or "[1] …" a paragraph each; searched for is the
# line feed before it.
_LABELLED = re.compile(
    r"\n(?:Document \[(?P<long>\d+)\](?P<after>(?:[^\n]++|\n(?!\r?\n|Document \[))++)"
    r"|\[(?P<short>\d+)\](?P<rest>(?:[^\n]++|\n(?!\r?\n))++))"
)
# "Document 1: …" or "[Document 1] …" a line or paragraph each: what stands before the number, and
# behind it.
_FORMS = (
    *((f"{name} ", ":") for name in ("Document", "Passage", "Source")),
    *((f"[{name} ", "]") for name in ("Document", "Passage", "Source")),
    ("[doc", "]"),
)


def _form(before: str, after: str) -> re.Pattern[str]:
    before, after = re.escape(before), re.escape(after)
    label = rf"{before}(?P<number>[1-9][0-9]{{0,5}}){after}"
    other = label.replace("?P<number>", "?:")
    return re.compile(rf"\n{label}(?P<rest>(?:[^\n]++|\n(?!\r?\n|{other}))++)")


_NUMBERED = {f"{before}2{after}": _form(before, after) for before, after in _FORMS}


class Document(msgspec.Struct, frozen=True, gc=False):
    """`start` to `end`: all of it; `opens` to `closes`: its text without tags or label."""

    start: int
    end: int
    opens: int
    closes: int


def documents(text: str, styles: Sequence[Style]) -> list[Document]:
    """The documents of the one block in `text`; none where there are several, or it is unclear."""
    for style in styles:
        found = _outermost(_xml(text) if style == "xml" else _numbered(text))
        if found is not None:
            return found
    return []


def _outermost(blocks: Iterable[list[Document]]) -> list[Document] | None:
    """The block that has all others within it; none where there is another behind it.

    None where there is no block at all.
    """
    found = sorted((each for each in blocks if each), key=lambda each: each[0].start)
    if not found:
        return None
    first, *others = found
    return [] if any(each[0].start >= first[-1].end for each in others) else first


def _xml(text: str) -> Iterator[list[Document]]:
    """The adjacent elements of each name; of one alone only where its name leaves no doubt."""
    if "</" not in text:
        return
    names = {each.lower() for each in _NAMED.findall(text)}
    for name in _NAMES:
        if name in names:
            found = [Document(*m.span(), *m.span("inner")) for m in _XML[name].finditer(text)]
            whole = len(found) == sum(1 for _ in _OPENED[name].finditer(text))
            if whole and len(found) >= (1 if name == "document" else 2) and _adjacent(text, found):
                yield found  # none is within another, nor open


def _numbered(text: str) -> Iterator[list[Document]]:
    if "[" in text:
        matches = list(_LABELLED.finditer(f"\n{text}"))
        numbers = [int((match["long"] or match["short"])[:6]) for match in matches]
        yield _listed(text, matches, numbers)
    for sign, pattern in _NUMBERED.items():
        if sign in text:
            matches = list(pattern.finditer(f"\n{text}"))
            yield _listed(text, matches, [int(match["number"]) for match in matches])


def _listed(text: str, matches: Sequence[re.Match[str]], numbers: Sequence[int]) -> list[Document]:
    """Where these stand in the text, which begins one character later for them."""
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
