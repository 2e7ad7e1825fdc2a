"""What goes up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

Headers = tuple[tuple[bytes, bytes], ...]


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds: to get a connection, to the end of the reply's head, between body bytes."""

    connect: float = 5.0
    first_byte: float = 600.0
    idle: float = 300.0


class Request(msgspec.Struct):
    """A request below the client's origin.

    `target` is path and query, starting with `/`. Header names are in lower case; `host`
    and the framing headers are the client's to write. `length` is the size in bytes that a
    streamed body will have; without one it goes in chunked encoding.
    """

    method: str
    target: bytes
    headers: Headers = ()
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
