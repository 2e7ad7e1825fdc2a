"""What has passed to the client, kept aside until the last byte, and when it passed."""

from __future__ import annotations

import asyncio
from time import perf_counter

from policies.base.call import OPAQUE, Dialect
from policies.base.reply import Recording, Reply
from proxy.wire.complete import Finding, decode, inspect

# A plain reply up to here is held until it is whole: the client gets one write, a receipt
# with its tokens, and a clean error instead of half a body.
_HELD = 256 * 1024
INLINE = 64 * 1024  # beyond this, looking into a reply could hold up the event loop

_NOTHING = Finding(complete=False, usage=None, text=[], reason="not looked at")


class Tee:
    """Keeps up to `limit` bytes, or a chunk; of a longer stream, its end, where usage stands."""

    __slots__ = ("_limit", "_parts", "_size", "_text", "times", "truncated")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._text: bytes | None = None  # all of it, without content encoding
        self.truncated = False
        self.times: list[float] = []  # perf_counter readings, one a chunk

    def feed(self, chunk: bytes) -> None:
        """A chunk has been handed to the client's connection."""
        self.times.append(perf_counter())
        self._parts.append(chunk)
        self._size += len(chunk)
        if self._size > self._limit:
            self.truncated = True
            gone = 0
            while gone < len(self._parts) - 1 and self._size > self._limit // 2:
                self._size -= len(self._parts[gone])
                gone += 1
            del self._parts[:gone]

    async def hold(self, dialect: Dialect, reply: Reply) -> bytes | None:
        """The whole body of a reply that says it is short; None for any other.

        What is only passed on is not waited for.
        """
        if reply.whole is not None:
            self.feed(reply.whole)
            return reply.whole
        if dialect is OPAQUE:
            return None
        length = reply.header(b"content-length")
        if length is None or not length.isdigit() or int(length) > _HELD:
            return None
        whole = b"".join([chunk async for chunk in reply.chunks])
        self.feed(whole)
        return whole

    async def finding(self, dialect: Dialect, reply: Reply, *, stream: bool) -> Finding:
        """What the passed reply holds: nothing is made of errors and opaque replies."""
        if dialect is OPAQUE or reply.status != 200 or not self._parts:
            return _NOTHING
        if self._size > INLINE:
            return await asyncio.to_thread(self._look, dialect, reply, stream)
        return self._look(dialect, reply, stream)

    def glance(self, dialect: Dialect, reply: Reply, *, stream: bool) -> Finding:
        """As `finding`, at once, of what has passed so far; nothing of what is long."""
        if dialect is OPAQUE or not self._parts or self._size > INLINE:
            return _NOTHING
        return self._look(dialect, reply, stream)

    def _look(self, dialect: Dialect, reply: Reply, stream: bool) -> Finding:
        whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._text = decode(reply.headers, whole, self._limit)
        if self._text is None:
            return _NOTHING
        return inspect(dialect, reply.headers, self._text, stream)

    def recording(self, reply: Reply, finding: Finding, *, stream: bool) -> Recording | None:
        """The reply as a cache may keep it; None unless it is complete."""
        if not finding.complete or self.truncated or self._text is None:
            return None
        kept = tuple([pair for pair in reply.headers if pair[0] == b"content-type"])
        return Recording(reply.status, kept, self._text, stream, finding.usage)
