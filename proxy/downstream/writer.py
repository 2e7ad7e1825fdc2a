"""Writes the head of a response, without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from http import HTTPStatus

from proxy.downstream.request import Request

Fields = Iterable[tuple[bytes, bytes]]


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
_LENGTH_LINE = b"\r\ncontent-length:"
_joined = b": ".join


def head(status: int, fields: Fields, request: Request, *, keep_alive: bool) -> Head:
    """The status line and headers that answer `request`.

    The application's `connection` and `transfer-encoding` are obeyed and rewritten. Raises
    `ValueError` for anything that could end a line early, and for a length that is none;
    `KeyError` for a status that is not final.
    """
    lines = [_START[status], *map(_joined, fields), b""]
    text = b"\r\n".join(lines)
    # Two bytes for each line are ours; others would be the application's.
    if len(text) - len(text.translate(None, b"\r\n\0")) != 2 * len(lines) - 2:
        raise ValueError("a header has a CR, LF or NUL in it")
    low = text.lower()
    if b"\r\nconnection:" in low or b"\r\ntransfer-encoding:" in low or status == 204:
        keep_alive = keep_alive and not _closes(low)
        text, low = _rewritten(lines, low, status)
    framing, length = LENGTH, 0
    if request.method == "HEAD" or status in (204, 304):
        framing = NONE
    elif (at := low.find(_LENGTH_LINE)) >= 0:
        length = _length(low, at + len(_LENGTH_LINE))
    elif request.version == "1.1":
        framing = CHUNKED
        text += b"transfer-encoding: chunked\r\n"
    else:
        framing = CLOSE
        keep_alive = False
    if not keep_alive:
        text += b"connection: close\r\n"
    elif request.version == "1.0":
        text += b"connection: keep-alive\r\n"
    return text + b"\r\n", framing, length, keep_alive


def _rewritten(lines: list[bytes], low: bytes, status: int) -> tuple[bytes, bytes]:
    """The head without what is ours to say, and the same in lower case."""
    ours = {b"connection", b"transfer-encoding"}
    if status == 204 or b"\r\ntransfer-encoding:" in low:
        ours.add(b"content-length")
    text = b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() not in ours])
    return text, text.lower()


def _closes(low: bytes) -> bool:
    values = [line.partition(b":")[2] for line in low.split(b"\r\n") if line[:11] == b"connection:"]
    return any(token.strip() == b"close" for value in values for token in value.split(b","))


def _length(low: bytes, at: int) -> int:
    if low.find(_LENGTH_LINE, at) >= 0:
        raise ValueError("a response has one content-length")
    digits = low[at : low.find(b"\r", at)].strip()
    if not digits.isdigit():
        raise ValueError("a content-length is a number")
    return int(digits)
