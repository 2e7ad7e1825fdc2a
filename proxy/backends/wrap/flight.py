"""One upstream call and those who follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from policies.base.call import Audience
from policies.base.reply import Chunks, Reply
from proxy.errors import BrokenReply

if TYPE_CHECKING:  # a cycle: they look at flights
    from proxy.backends.wrap.flight_views import Leader, Reader


class GivenUp(BrokenReply):
    """The call that was to be shared has been cancelled."""


class Flight:
    """What has passed of a reply, kept up to `limit` bytes for whoever joins in the middle.

    Beyond that nobody can join, what all have read is dropped, and a reader more than
    `limit` bytes behind the others is cut off. The leader, whose call it is, reads the
    upstream; when its own client holds it up or it goes away, a task takes over.
    """

    __slots__ = (
        "_audience",
        "_chunks",
        "_closed",
        "_dropped",
        "_error",
        "_limit",
        "_parts",
        "_pump",
        "_readers",
        "_size",
        "_waiters",
        "done",
        "driving",
        "leader",
        "open",
        "reply",
    )

    def __init__(self, audience: Audience, limit: int, closed: Callable[[], object]) -> None:
        self.reply: Reply | None = None
        self.done = False
        self.open = True  # whether others may still join
        self.driving = False  # somebody is waiting for the upstream
        self.leader: Leader | None = None  # until it has left
        self._audience = audience
        self._closed = closed
        self._limit = limit
        self._error: BaseException | None = None
        self._chunks: Chunks | None = None
        self._parts: list[bytes] = []
        self._dropped = 0  # parts no longer held
        self._size = 0  # bytes held
        self._readers: set[Reader] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._pump: asyncio.Task[None] | None = None

    @property
    def end(self) -> int:
        """The position behind the last part."""
        return self._dropped + len(self._parts)

    @property
    def pumped(self) -> bool:
        """Whether a task reads the upstream, and the leader is a reader like the others."""
        return self._pump is not None

    def land(self, reply: Reply) -> None:
        """The head of the reply is there."""
        self.reply = reply
        self._chunks = reply.chunks
        if reply.whole is not None:
            self._keep(reply.whole)
            self.finish(None)
        else:
            self._wake()

    def finish(self, error: BaseException | None) -> None:
        """The reply is complete, or has failed for everybody."""
        if isinstance(error, asyncio.CancelledError):
            error = GivenUp("the upstream call was given up")
        self.done = True
        self._error = error
        if self.reply is None or error is not None or self.reply.status >= 300:
            self.close()
        self._wake()

    def close(self) -> None:
        """Let nobody join any more."""
        if self.open:
            self.open = False
            self._closed()

    async def drive(self) -> bytes:
        """Read the next chunk from the upstream, for all."""
        assert self._chunks is not None
        self.driving = True
        try:
            chunk = await self._chunks.__anext__()
        except StopAsyncIteration:
            self.finish(None)
            raise
        except BaseException as error:
            self.finish(error)
            raise
        finally:
            self.driving = False
        self._keep(chunk)
        self._wake()
        if self._size > self._limit:
            self._relieve()
        return chunk

    def take_over(self) -> None:
        """Read the upstream in a task from now on."""
        if self._pump is not None or self.done or self._chunks is None:
            return
        self._pump = asyncio.get_running_loop().create_task(self._drive_on())
        # Not by `finally`: a task that is cancelled before its first step runs nothing at all.
        self._pump.add_done_callback(self._shut)
        audience, self._audience = self._audience, Audience()
        if self.leader is not None:
            self.leader.follow()
        audience.dissolve()

    async def _drive_on(self) -> None:
        try:
            while True:
                await self.drive()
                while self._size > self._limit and self._readers:
                    await self.progress()  # nobody is at the end: wait for the fastest
                    self._relieve()
        except StopAsyncIteration:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by every reader
            self.finish(error)

    def _shut(self, _: object) -> None:
        """The pump has ended: close the upstream's body."""
        assert self._chunks is not None
        self._pump = asyncio.ensure_future(self._chunks.aclose())

    def _keep(self, chunk: bytes) -> None:
        self._parts.append(chunk)
        self._size += len(chunk)

    def _relieve(self) -> None:
        """Bring the held bytes under the limit, unless all readers are behind alike."""
        self.close()
        while self._size > self._limit:
            end = self.end
            positions = [reader.at for reader in self._readers]
            slowest = min(positions, default=end)
            if slowest > self._dropped:
                gone = slowest - self._dropped
                self._size -= sum(map(len, self._parts[:gone]))
                del self._parts[:gone]
                self._dropped = slowest
            elif not self.pumped or end in positions:
                for reader in [r for r in self._readers if r.at == slowest]:
                    reader.cut()
            else:
                return

    def _wake(self) -> None:
        """Something happened: let everybody who waits look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def progress(self) -> None:
        """Wait until something happens."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def parts(self, at: int) -> list[bytes]:
        """What is held from this position on; raises the call's error behind the last part."""
        found = self._parts[at - self._dropped :]
        if not found and self.done and self._error is not None:
            raise self._error.with_traceback(None)
        return found

    def join(self, reader: Reader) -> None:
        """Follow from the first byte on."""
        self._readers.add(reader)
        self._audience.join()

    def leave(self, reader: Reader) -> None:
        """Follow no longer."""
        if reader in self._readers:
            self._readers.discard(reader)
            self._audience.leave()
            if not self._readers and self._pump is not None and not self.done:
                self._pump.cancel()
            self._wake()  # the pump may wait for the slowest

    def nudge(self) -> None:
        """A reader has caught up: the pump may wait for that."""
        if self.pumped and self._size > self._limit:
            self._wake()

    def part(self) -> None:
        """The leader is through: whoever reads goes on without it."""
        self.leader = None
        if self._readers:
            self._audience = Audience()  # the leader's call is not to be ended any more
        self.close()

    async def abandon(self) -> None:
        """The leader is through, or gives up: others go on without it."""
        self.part()
        if self._readers:
            self.take_over()
        elif self._pump is None and self._chunks is not None:
            await self._chunks.aclose()
