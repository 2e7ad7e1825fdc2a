"""What comes back: a live reply, and one that has been recorded whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec

from policies.base.call import Headers
from policies.base.usage import Usage


class Chunks(Protocol):
    """The body of a reply: bytes as they arrive. `aclose` gives up the upstream call."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def __anext__(self) -> bytes: ...
    async def aclose(self) -> None:
        """Give up what has not arrived yet."""


class Reply(msgspec.Struct):
    """A reply whose head has arrived. Header names are lower case, hop-by-hop ones gone.

    `whole` is the complete body where it arrived together with the head; `chunks` then
    yields it once. `started` and `first_byte` are `time.perf_counter()` readings.
    """

    status: int
    headers: Headers
    chunks: Chunks
    backend: str = ""
    whole: bytes | None = None
    collapsed: bool = False  # shared another request's upstream call
    attempts: int = 1

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Recording(msgspec.Struct, frozen=True, gc=False):
    """A complete reply as it came: what a cache stores. `body` is not content-encoded."""

    status: int
    headers: Headers
    body: bytes
    stream: bool
    usage: Usage | None = None


Closer = Callable[[], Awaitable[None]]
