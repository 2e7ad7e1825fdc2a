"""How those who share a flight see its reply."""

from __future__ import annotations

from proxy.backends.wrap.flight import Flight
from proxy.errors import BrokenReply


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
        """All that is there and was not read yet."""
        flight = self.flight
        while True:
            if self._cut:
                raise BrokenReply("this client read too slowly to share its upstream call")
            parts = flight.parts(self.at)
            if parts:
                self.at += len(parts)
                flight.nudge()
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if flight.done:
                raise StopAsyncIteration
            if not flight.driving:
                flight.take_over()
            await flight.progress()

    def cut(self) -> None:
        """Give up on this reader: the others are too far ahead."""
        self._cut = True
        self.flight.leave(self)

    async def aclose(self) -> None:
        """Leave the flight; once its answer is settled, later requests ask anew."""
        if self.flight.done:
            self.flight.close()
        self.flight.leave(self)


class Leader:
    """The view of the one whose call it is: it reads the upstream for all."""

    __slots__ = ("_at", "_flight", "_reader")

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._at = 0
        self._reader: Reader | None = None  # once a task has taken over
        flight.leader = self

    def __aiter__(self) -> Leader:
        return self

    def follow(self) -> None:
        """Be a reader like the others from now on."""
        self._reader = Reader(self._flight)
        self._reader.at = self._at

    async def __anext__(self) -> bytes:
        flight = self._flight
        if self._reader is not None:
            return await self._reader.__anext__()
        if flight.done:
            flight.parts(self._at)  # raises what ended it
            raise StopAsyncIteration
        chunk = await flight.drive()
        self._at = flight.end
        return chunk

    async def aclose(self) -> None:
        """Leave; what is settled now is not shared with later requests."""
        if self._reader is not None:
            await self._reader.aclose()
        await self._flight.abandon()


class Landed:
    """The leader's view of a reply that came whole: nothing is left to be read for others."""

    __slots__ = ("_flight", "_whole")

    def __init__(self, flight: Flight, whole: bytes) -> None:
        self._flight = flight
        self._whole: bytes | None = whole

    def __aiter__(self) -> Landed:
        return self

    async def __anext__(self) -> bytes:
        whole, self._whole = self._whole, None
        if not whole:
            raise StopAsyncIteration
        return whole

    async def aclose(self) -> None:
        """What is settled now is not shared with later requests."""
        self._flight.part()
