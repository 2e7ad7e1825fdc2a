"""What comes back: the head at once, the body as it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from proxy.upstream.message import Headers

if TYPE_CHECKING:  # a cycle: the connection makes these
    from proxy.upstream.connection import Connection


class BodyChunks:
    """The body as it arrives, what is buffered joined into one chunk.

    Read it to the end or `aclose()` it. Raises `BrokenReply` or `UpstreamTimeout` after
    the bytes that came before the failure.
    """

    __slots__ = ("_connection", "_error", "_parts", "_waiter", "buffered")

    def __init__(self, connection: Connection, parts: list[bytes]) -> None:
        self.buffered = 0
        self._connection: Connection | None = connection
        self._parts = parts
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> BodyChunks:
        return self

    async def __anext__(self) -> bytes:
        parts = self._parts
        while not parts:
            if self._error is not None:
                raise self._error
            if self._connection is None:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self.join()
        parts.clear()
        self.buffered = 0
        if self._connection is not None:
            self._connection.resume()
        return data

    async def aclose(self) -> None:
        """Drop what is unread; before the end, close the connection at once."""
        connection, self._connection = self._connection, None
        self._parts.clear()
        self._error = None
        if connection is not None:
            connection.abort()
        self.wake()

    def wake(self) -> None:
        """Something has changed for whoever waits for the next chunk."""
        waiter, self._waiter = self._waiter, None
        wake(waiter)

    def join(self) -> bytes:
        """Make what is buffered one chunk, and return it without taking it."""
        parts = self._parts
        if len(parts) > 1:
            parts[:] = [b"".join(parts)]
        return parts[0] if parts else b""

    def end(self, error: Exception | None) -> None:
        """Nothing more will come: the body is complete, or `error` cut it off."""
        self._connection = None
        self._error = error
        self.wake()


class Response(msgspec.Struct):
    """A reply whose head has arrived; header names in lower case, hop-by-hop ones gone.

    `whole` is the complete body where it arrived in the same read as the head; `chunks`
    yields it too. Once the body has arrived, the connection is free for others.
    """

    status: int
    headers: Headers
    chunks: BodyChunks
    whole: bytes | None = None


def wake(waiter: asyncio.Future[None] | None) -> None:
    """End a wait, if there is one that was not cancelled."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
