"""The chunks of a reply in rounds: whoever gives one up gives up the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from policies.base.reply import Chunks
from proxy.errors import ProxyError

_LINGER = 0.1  # seconds


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
