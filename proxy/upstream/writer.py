"""Writes the head of a request, without I/O."""

from __future__ import annotations

import re
from functools import lru_cache

from proxy.upstream.message import Headers, Request

_OURS = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection"))
_start = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\x00-\x20\x7f]+")


def head(request: Request, authority: bytes, fixed: bytes) -> bytes:
    """The request line and headers, with the blank line.

    `authority` precedes the target (absolute form, for a proxy) or is empty; `fixed` are
    header lines of the connection's own. Raises `ValueError` for anything that could end
    a line early, and for headers that the client writes itself.
    """
    start = b"%b %b%b" % (request.method.encode("ascii"), authority, request.target)
    if not _start.fullmatch(start):
        raise ValueError("the method or target has characters that HTTP forbids")
    return b"%b HTTP/1.1\r\n%b%b%b\r\n" % (
        start,
        fixed,
        _fields(request.headers),
        _framing(request),
    )


@lru_cache(maxsize=1024)  # a client sends the same headers with every request
def _fields(headers: Headers) -> bytes:
    fields = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
    lines = len(headers)  # each adds one CR and one LF; another would be the caller's
    if fields.count(b"\n") != lines or fields.count(b"\r") != lines or b"\0" in fields:
        raise ValueError("a header has a CR, LF or NUL in it")
    if not _OURS.isdisjoint([name for name, _ in headers]):
        raise ValueError("host, connection and framing headers are written by the client")
    return fields


def _framing(request: Request) -> bytes:
    body = request.body
    if isinstance(body, bytes):
        return b"content-length: %d\r\n" % len(body)
    if body is None:
        return b"content-length: 0\r\n" if request.method in ("POST", "PUT", "PATCH") else b""
    if request.length is None:
        return b"transfer-encoding: chunked\r\n"
    return b"content-length: %d\r\n" % request.length
