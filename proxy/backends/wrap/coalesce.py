"""Concurrent identical requests share one upstream call, live where it streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from policies.base.call import CacheMode, Call, Dialect
from policies.base.fingerprint import fingerprint, is_sampled, is_stateful
from policies.base.ports import Backend
from policies.base.reply import Reply
from proxy.errors import BrokenReply

Key = tuple[bytes, bool, bool]


class Flight:
    """One upstream call and those who follow it.

    What has passed is kept, up to `limit` bytes, for whoever joins in the middle. Beyond
    that nobody can join, what all have read is dropped, the fastest reader sets the pace,
    and a reader more than `limit` bytes behind it is cut off.
    """

    __slots__ = (
        "_closed",
        "_dropped",
        "_error",
        "_limit",
        "_parts",
        "_readers",
        "_size",
        "_task",
        "_waiters",
        "done",
        "open",
        "reply",
    )

    def __init__(self, limit: int, closed: Callable[[], object]) -> None:
        self.reply: Reply | None = None
        self.done = False
        self.open = True  # whether others may still join
        self._closed = closed
        self._error: BaseException | None = None
        self._limit = limit
        self._parts: list[bytes] = []
        self._dropped = 0  # parts no longer held
        self._size = 0  # bytes held
        self._readers: set[Reader] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, inner: Backend, call: Call) -> None:
        """Make the upstream call in a task of its own, so that no reader's end ends it."""
        self._task = asyncio.get_running_loop().create_task(self._pump(inner, call))

    async def _pump(self, inner: Backend, call: Call) -> None:
        try:
            reply = await inner.send(call)
            if reply.whole is not None:
                self._keep(reply.whole)
                self.done = True
            self.reply = reply
            if not self.done:
                self.wake()
                try:
                    async for chunk in reply.chunks:
                        self._keep(chunk)
                        self.wake()
                        if self._size > self._limit:
                            await self._relieve()
                finally:
                    await reply.chunks.aclose()
        except BaseException as error:  # noqa: BLE001 - raised again by every reader
            self._error = error
        finally:
            self.done = True
            if self.reply is None or self._error is not None or self.reply.status >= 300:
                self.close()
            self.wake()

    def close(self) -> None:
        """Let nobody join any more."""
        if self.open:
            self.open = False
            self._closed()

    def _keep(self, chunk: bytes) -> None:
        self._parts.append(chunk)
        self._size += len(chunk)

    async def _relieve(self) -> None:
        """Bring the held bytes under the limit again."""
        self.close()
        while self._size > self._limit and self._readers:
            slowest = min(reader.at for reader in self._readers)
            end = self._dropped + len(self._parts)
            if slowest > self._dropped:
                gone = slowest - self._dropped
                self._size -= sum(map(len, self._parts[:gone]))
                del self._parts[:gone]
                self._dropped = slowest
            elif any(reader.at == end for reader in self._readers):
                for reader in [r for r in self._readers if r.at == slowest]:
                    reader.cut()
            else:
                await self.progress()

    def wake(self) -> None:
        """Something happened: let everybody who waits look again."""
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def progress(self) -> None:
        """Wait until something happens."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def part(self, at: int) -> bytes | None:
        """The part at this position; None at the end; raises the upstream call's error."""
        index = at - self._dropped
        if index < len(self._parts):
            return self._parts[index]
        if self.done and self._error is not None:
            raise self._error.with_traceback(None)
        return None

    def join(self, reader: Reader) -> None:
        """Follow from the first byte on."""
        self._readers.add(reader)

    def leave(self, reader: Reader) -> None:
        """Follow no longer; the upstream call is cancelled when nobody does."""
        self._readers.discard(reader)
        if not self._readers:
            self.close()
            if not self.done and self._task is not None:
                self._task.cancel()
        elif not self.open:
            self.wake()  # the pump may wait for the slowest


class Reader:
    """One follower's view of a flight: the `Chunks` of its reply."""

    __slots__ = ("_cut", "at", "flight")

    def __init__(self, flight: Flight) -> None:
        self.flight = flight
        self.at = 0
        self._cut = False
        flight.join(self)

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        flight = self.flight
        while True:
            if self._cut:
                raise BrokenReply("this client read too slowly to share its upstream call")
            part = flight.part(self.at)
            if part is not None:
                self.at += 1
                if not flight.open and not flight.done:
                    flight.wake()  # the pump may wait for this reader
                return part
            if flight.done:
                raise StopAsyncIteration
            await flight.progress()

    def cut(self) -> None:
        """Give up on this reader: the others are too far ahead."""
        self._cut = True
        self.flight.leave(self)
        self.flight.wake()

    async def aclose(self) -> None:
        """Leave the flight, whose answer is settled now: later requests ask anew."""
        self.flight.close()
        self.flight.leave(self)


class Coalesce:
    """Sends each distinct call to `inner` once at a time."""

    def __init__(self, inner: Backend, *, sampled: bool, limit: int) -> None:
        self.name = inner.name
        self._inner = inner
        self._sampled = sampled
        self._limit = limit
        self._flights: dict[Key, Flight] = {}

    async def send(self, call: Call) -> Reply:
        """The shared reply; `collapsed` for all but the one who made the call."""
        key = self._key(call)
        if key is None:
            return await self._inner.send(call)
        flight = self._flights.get(key)
        leads = flight is None
        if flight is None:
            flight = Flight(self._limit, lambda: self._flights.pop(key, None))
            self._flights[key] = flight
            flight.start(self._inner, call)
        reader = Reader(flight)
        try:
            while flight.reply is None:
                flight.part(0)
                await flight.progress()
        except BaseException:
            await reader.aclose()
            raise
        reply = flight.reply
        return Reply(
            reply.status,
            reply.headers,
            reader,
            reply.backend,
            reply.whole,
            collapsed=not leads,
            attempts=reply.attempts,
        )

    def _key(self, call: Call) -> Key | None:
        controls = call.controls
        if call.dialect is Dialect.OPAQUE or controls.cache in (CacheMode.OFF, CacheMode.REFRESH):
            return None
        if controls.bypasses("batch") or is_stateful(call):
            return None
        if not self._sampled and is_sampled(call):
            return None
        identity = fingerprint(call)
        if identity is None:
            return None
        options = call.doc().get("stream_options") or {}
        return identity, call.stream, bool(options.get("include_usage"))

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()
