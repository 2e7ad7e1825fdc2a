"""A request as it arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec
from httptools import HttpParserInvalidURLError, parse_url

from proxy.downstream.invalid import InvalidHttp
from proxy.send import Message

Scope = dict[str, Any]
Application = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Request(msgspec.Struct, gc=False):
    """A head that is complete, and what has come of the body and was not taken yet.

    `version` is 1.1 or 1.0. `expects`: the client waits for `100 Continue`. The rest of the
    head is in the ASGI scope, which leads back to here and so is not kept here.
    """

    method: str
    keep_alive: bool
    version: str = "1.1"
    expects: bool = False
    parts: list[bytes] = []
    unread: int = 0  # bytes in `parts`
    came: int = 0  # bytes of the body so far
    complete: bool = False
    dropped: bool = False  # nobody will read the rest

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        parts = self.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self.unread = 0
        return body

    def drop(self) -> None:
        """Forget the body, and what is still to come of it."""
        self.dropped = True
        self.parts.clear()
        self.unread = 0


@lru_cache(maxsize=64)  # a handful of paths makes up nearly all requests
def target(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, path as it came, and query of a request target in origin or absolute form.

    Raises `InvalidHttp` for any other, but `*`.
    """
    if url[:1] == b"/" and b"#" not in url:
        raw, _, query = url.partition(b"?")
    else:
        try:
            parsed = parse_url(url)
        except HttpParserInvalidURLError:
            raise InvalidHttp("the request target is neither a path nor a URL") from None
        raw, query = parsed.path or b"/", parsed.query or b""
    path = raw.decode("latin-1")  # the parser lets nothing but ASCII through
    return unquote(path) if "%" in path else path, raw, query
