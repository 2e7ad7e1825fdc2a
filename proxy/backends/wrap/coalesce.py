"""Concurrent identical requests share one upstream call, live where it streams."""

from __future__ import annotations

from functools import partial

from policies.base.call import OPAQUE, CacheMode, Call
from policies.base.fingerprint import fingerprint, is_sampled, is_stateful
from policies.base.ports import Backend
from policies.base.reply import Chunks, Reply
from proxy.backends.wrap.flight import Flight, GivenUp
from proxy.backends.wrap.flight_views import Landed, Leader, Reader

_APART = frozenset({CacheMode.OFF, CacheMode.REFRESH})
Key = tuple[bytes, bool, bytes | None, str | None]


class Coalesce:
    """Sends each distinct call to `inner` once at a time."""

    def __init__(self, inner: Backend, *, sampled: bool, limit: int) -> None:
        self.name = inner.name
        self._inner = inner
        self._sampled = sampled
        self._limit = limit
        self._flights: dict[Key, Flight] = {}

    async def send(self, call: Call) -> Reply:
        """The shared reply; `collapsed` for all but the one who made the call.

        The leader's call must not be cancelled while `call.audience` has others.
        """
        key = self._key(call)
        if key is None:
            return await self._inner.send(call)
        flight = self._flights.get(key)
        if flight is not None:
            try:
                return await _follow(flight)
            except GivenUp:
                return await self.send(call)  # the leader left as this call came
        flight = Flight(call.audience, self._limit, partial(self._flights.pop, key, None))
        self._flights[key] = flight
        try:
            reply = await self._inner.send(call)
        except BaseException as error:
            flight.finish(error)
            raise
        flight.land(reply)
        chunks = Leader(flight) if reply.whole is None else Landed(flight, reply.whole)
        return _seen(reply, chunks, collapsed=False)

    def _key(self, call: Call) -> Key | None:
        controls = call.controls
        if call.dialect is OPAQUE or controls.cache in _APART:
            return None
        if controls.bypasses("batch") or is_stateful(call):
            return None
        if not self._sampled and is_sampled(call):
            return None
        identity = fingerprint(call)
        if identity is None:
            return None
        # What chooses the bytes in which the one answer comes.
        options = call.body.field("stream_options")
        encoding = call.header(b"accept-encoding")
        try:
            told = None if options is None else repr(options)
        except RecursionError:  # nested as deep as could just be read
            return None
        return identity, call.stream, encoding, told

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()


async def _follow(flight: Flight) -> Reply:
    reader = Reader(flight)
    try:
        while flight.reply is None:
            flight.parts(0)
            await flight.progress()
    except BaseException:
        flight.leave(reader)
        raise
    return _seen(flight.reply, reader, collapsed=True)


def _seen(reply: Reply, chunks: Chunks, *, collapsed: bool) -> Reply:
    """The reply as one of those who share it sees it: in the flight's own it would be a cycle."""
    return Reply(
        reply.status,
        reply.headers,
        chunks,
        reply.backend,
        reply.whole,
        collapsed=collapsed,
        attempts=reply.attempts,
    )
