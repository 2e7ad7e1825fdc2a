"""Writes the head of a response and the framing of its body, without I/O."""

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
    text = b"\r\n".join([_START[status], *map(_joined, fields)])
    # Two bytes before each header are ours; others would be the application's.
    if len(text.translate(None, b"\r\n\0")) != len(text) - 2 * len(fields):
        raise ValueError("a header has a CR, LF or NUL in it")
    by_name = dict(fields)
    length = by_name.get(b"content-length", b"")
    if (
        len(by_name) != len(fields)
        or not length.isdigit()
        or not _RARE.isdisjoint(by_name)
        or status == 204
    ):
        text, length, close = _settled(text, status)
        keep_alive = keep_alive and not close
    framing = LENGTH
    if request.method == "HEAD" or status in (204, 304):
        framing = NONE
    elif not length:
        if request.version == "1.1":
            framing = CHUNKED
            text += b"\r\ntransfer-encoding: chunked"
        else:
            framing = CLOSE
            keep_alive = False
    if not keep_alive:
        text += b"\r\nconnection: close"
    elif request.version == "1.0":
        text += b"\r\nconnection: keep-alive"
    return text + b"\r\n\r\n", framing, int(length or b"0"), keep_alive


def chunk(body: bytes, *, last: bool) -> bytes:
    """A piece of a body in chunked coding; nothing for an empty one that is not the last."""
    end = b"0\r\n\r\n" if last else b""
    return b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end


def _settled(text: bytes, status: int) -> tuple[bytes, bytes, bool]:
    """The head without what is ours to say, its length, and whether it wants to close."""
    start, *lines = text.split(b"\r\n")
    pairs = [(line.partition(b":"), line) for line in lines]
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
    return b"\r\n".join([start, *kept]), lengths[0] if lengths else b"", b"close" in tokens
