"""Where the top-level values of a body, and the items of its lists, lie in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from policies.base.body import Body

Span = tuple[int, int]
Items = tuple[list[bytes], list[Span]]

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_open = re.compile(rb"\s*(?=\{)")
_key = re.compile(rb'(?:\{|\s*,)\s*"((?:[^"\\]|\\.)*)"\s*:\s*', re.DOTALL)
_end = re.compile(rb"(?:\s*|\{\s*)\}\s*")
_BETWEEN = b" \t\n\r,"
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Outline:
    """The spans of the top-level values of one text, and of the items of those asked for."""

    __slots__ = ("_lists", "spans", "text")

    def __init__(self, text: bytes, spans: dict[str, Span]) -> None:
        self.text = text
        self.spans = spans
        self._lists: dict[str, Items | None] = {}

    def items(self, name: str) -> Items | None:
        """The items of a list at the top level, with their spans in the whole text."""
        if name not in self._lists:
            span = self.spans.get(name)
            self._lists[name] = items(self.text[span[0] : span[1]], span[0]) if span else None
        return self._lists[name]


_last: tuple[Body | None, Outline | None] = (None, None)


def outline(body: Body) -> Outline | None:
    """Where the top-level values lie; None where the text leaves any doubt.

    That is: no JSON object, a key that stands twice or is written with escapes. The body
    asked for last is remembered, since one policy asks after the other.
    """
    global _last  # noqa: PLW0603 - a memo of one, which any thread may overwrite
    known, found = _last
    if known is not body:
        spans = members(body.raw)
        found = None if spans is None else Outline(body.raw, spans)
        _last = (body, found)
    return found


def members(text: bytes) -> dict[str, Span] | None:
    """The span of each value of a JSON object, or None as for `outline`."""
    try:
        values = _object(text)
    except _MALFORMED:
        return None
    start = _open.match(text)
    at = start.end() if start else 0
    found: dict[str, Span] = {}
    for key, value in values.items():
        match = _key.match(text, at)
        if match is None or match[1] != key.encode():
            return None
        at = match.end()
        found[key] = (at, at := at + len(memoryview(value)))
    return found if _end.fullmatch(text, at) else None


def items(text: bytes, offset: int = 0) -> Items | None:
    """The items of a JSON array and where each lies, `offset` added; None if it is no array."""
    try:
        found = [bytes(raw) for raw in _array(text)]
    except _MALFORMED:
        return None
    first = at = _next(text, text.index(b"[") + 1)
    spans: list[Span] = []
    gap = b""
    if len(found) > 1:  # most clients put the same bytes between all of them
        end = first + len(found[0])
        gap = text[end : _next(text, end)]
    even = text.startswith(gap.join(found), first)
    for item in found:
        end = at + len(item)
        spans.append((at + offset, end + offset))
        at = end + len(gap) if even else _next(text, end)
    return found, spans


def _next(text: bytes, at: int) -> int:
    """Where the next item begins, or the bracket that ends the array."""
    while text[at] in _BETWEEN:
        at += 1
    return at


def spliced(text: bytes, changes: Iterable[tuple[Span, bytes]]) -> bytes:
    """`text` with other bytes in each span; the spans do not overlap."""
    parts: list[bytes] = []
    at = 0
    for (start, end), new in sorted(changes):
        parts += (text[at:start], new)
        at = end
    return b"".join((*parts, text[at:]))


def is_text(parts: Sequence[bytes]) -> bool:
    """Whether all of it is UTF-8: a lenient reader may see other text in what is not."""
    try:
        for part in parts:
            if not part.isascii():
                part.decode()
    except UnicodeDecodeError:
        return False
    return True
