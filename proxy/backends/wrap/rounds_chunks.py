"""The chunks of a reply in rounds: whoever gives one up gives up the other."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress

import msgspec

from policies.base.reply import Chunks, Reply
from proxy.errors import BrokenReply, ProxyError, UpstreamError
from proxy.wire.encoding import inflating
from proxy.wire.frames import Frames
from proxy.wire.rounds import Relay

_LINGER = 0.1  # seconds
_LARGEST = 1 << 24  # bytes of an event, which is copied with every chunk that adds to it


class RoundChunks:
    """Those of all `rounds`; the `first` one's are closed also if none was asked for."""

    def __init__(self, rounds: AsyncGenerator[bytes], first: Chunks) -> None:
        self._rounds = rounds
        self._first = first

    def __aiter__(self) -> RoundChunks:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._rounds)

    async def aclose(self) -> None:
        """Give up the round at hand, and with it the reply."""
        await self._rounds.aclose()
        await self._first.aclose()


async def leave(chunks: Chunks) -> None:
    """Close a body of which all has come that matters.

    At its end, if that is near: then the connection can be used again.
    """
    with suppress(TimeoutError, ProxyError):
        async with asyncio.timeout(_LINGER):
            async for _ in chunks:
                pass
    await chunks.aclose()


async def shown(
    relay: Relay, frames: Frames, reply: Reply, *, hidden: bool
) -> AsyncGenerator[bytes]:
    """What passes to the client of a round, up to its last event: some upstreams linger.

    Raises `UpstreamError` where a `hidden` round fails before anything of it was shown, and
    `BrokenReply` where it, or a round of which something is not shown, stops without an end.
    """
    async for chunk in reply.chunks:
        passed = b"".join(map(relay.feed, frames.feed(chunk)))
        if len(frames.rest) > _LARGEST:
            raise BrokenReply(f"the upstream sent an event of more than {_LARGEST:,} bytes")
        if passed:
            yield passed
        if relay.failed:
            raise UpstreamError("the upstream sent an error instead of going on with its reply")
        if relay.over:
            return
    if (hidden or relay.own) and not relay.whole:
        raise BrokenReply("the upstream's reply stopped without an end")


class Unreadable(BrokenReply):
    """A reply that cannot be looked into, since its content encoding is not known or broken."""


async def decoded(reply: Reply) -> Reply:
    """A stream without its content encoding, which nobody asked for. Raises `Unreadable`."""
    codings = b",".join([value for name, value in reply.headers if name == b"content-encoding"])
    if not codings:
        return reply
    inflate = inflating(codings)
    if inflate is None:
        await reply.chunks.aclose()
        raise Unreadable("the upstream's stream is in a content-encoding that cannot be read")
    chunks = RoundChunks(_inflated(reply.chunks, inflate), reply.chunks)
    return msgspec.structs.replace(reply, chunks=chunks, whole=None)


async def _inflated(
    chunks: Chunks, inflate: Callable[[bytes], Iterator[bytes]]
) -> AsyncGenerator[bytes]:
    async for chunk in chunks:
        try:
            for piece in inflate(chunk):
                yield piece
                await asyncio.sleep(0)  # little may hold much
        except zlib.error as error:
            why = "the upstream's stream is not what its content-encoding says"
            raise BrokenReply(why) from error
