"""Writes the head of a response, without I/O."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from http import HTTPStatus

from proxy.downstream.request import Request

Fields = Collection[tuple[bytes, bytes]]


class Framing(Enum):
    """How the client learns where the body ends."""

    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3
    NONE = 4  # there is no body, whatever the headers say


# Looking a member up in its class takes longer than all the rest of a comparison.
LENGTH, CHUNKED, CLOSE, NONE = Framing

# The bytes with their blank line; the framing; the length, where it is that; whether the
# connection can carry another request afterwards.
Head = tuple[bytes, Framing, int, bool]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_START = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}".encode() for status in range(200, 1000)
}
_RARE = frozenset((b"connection", b"transfer-encoding"))
_joined = b": ".join


def head(status: int, fields: Fields, request: Request, *, keep_alive: bool) -> Head:
    """The status line and headers that answer `request`; names in lower case, as ASGI wants.

    The application's `connection` and `transfer-encoding` are obeyed and rewritten. Raises
    `ValueError` for anything that could end a line early, and for a length that is none;
    `KeyError` for a status that is not final.
    """
    lines = [_START[status], *map(_joined, fields), b""]
    text = b"\r\n".join(lines)
    # Two bytes for each line are ours; others would be the application's.
    if len(text) - len(text.translate(None, b"\r\n\0")) != 2 * len(lines) - 2:
        raise ValueError("a header has a CR, LF or NUL in it")
    by_name = dict(fields)
    length = by_name.get(b"content-length", b"")
    if (
        len(by_name) != len(fields)
        or not length.isdigit()
        or not _RARE.isdisjoint(by_name)
        or status == 204
    ):
        text, length, close = _settled(lines, status)
        keep_alive = keep_alive and not close
    framing = LENGTH
    if request.method == "HEAD" or status in (204, 304):
        framing = NONE
    elif not length:
        if request.version == "1.1":
            framing = CHUNKED
            text += b"transfer-encoding: chunked\r\n"
        else:
            framing = CLOSE
            keep_alive = False
    if not keep_alive:
        text += b"connection: close\r\n"
    elif request.version == "1.0":
        text += b"connection: keep-alive\r\n"
    return text + b"\r\n", framing, int(length or b"0"), keep_alive


def _settled(lines: list[bytes], status: int) -> tuple[bytes, bytes, bool]:
    """The head without what is ours to say, its length, and whether it wants to close."""
    pairs = [(line.partition(b":"), line) for line in lines[1:-1]]
    found: dict[bytes, list[bytes]] = {}
    for (name, _, value), _line in pairs:
        found.setdefault(name.lower(), []).append(value.strip().lower())
    ours = {b"connection", b"transfer-encoding"}
    if status == 204 or b"transfer-encoding" in found:
        ours.add(b"content-length")
        found.pop(b"content-length", None)
    lengths = found.get(b"content-length", [])
    if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
        raise ValueError("a response has one content-length, and it is a number")
    tokens = [token.strip() for token in b",".join(found.get(b"connection", ())).split(b",")]
    kept = [line for (name, _, _), line in pairs if name.lower() not in ours]
    text = b"\r\n".join([lines[0], *kept, b""])
    return text, lengths[0] if lengths else b"", b"close" in tokens
