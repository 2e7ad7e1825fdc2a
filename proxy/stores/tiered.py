"""Memory in front of a tier that several processes share.

Each process serves from its own memory what it has there: a put or delete in one process is
seen by another once the entry in that one's memory expires or makes room. A purge is seen by
all within about a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from policies.base.ports import Entry
from proxy.stores.memory import MemoryTier
from proxy.stores.tier import Match, Purge, Shared, Slot

_AGAIN = 0.5  # seconds
_REMEMBERED = 60.0  # seconds within which what was purged has gone from the shared tier, too


class TieredTier:
    """`poll`: seconds between looks at what other processes have purged."""

    name = "tiered"

    def __init__(self, memory: MemoryTier, shared: Shared, poll: float = 1.0) -> None:
        self.memory = memory
        self.shared = shared
        self._poll = poll
        self._removals = 0  # so that a read under way does not bring back what is removed
        self._purged: list[Purge] = []  # not long ago
        self._follower: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Open both tiers and begin to follow purges."""
        await self.memory.setup()
        await self.shared.setup()
        self._follower = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """Finish writing and close both tiers."""
        follower, self._follower = self._follower, None
        while follower is not None and not follower.done():
            follower.cancel()  # again, as the Redis client at times loses a cancellation
            await asyncio.wait([follower], timeout=_AGAIN)
        await self.shared.aclose()
        await self.memory.aclose()

    async def get(self, slot: Slot) -> Entry | None:
        """The live entry, which is in memory from then on."""
        entry = self.memory.find(slot)
        if entry is not None or self.shared.lacks(slot):
            return entry
        removals = self._removals
        entry = await self.shared.get(slot)
        if entry is None or any(made.took(slot, entry) for made in self._purged):
            return None
        newer = self.memory.find(slot)  # put there while we were reading
        if newer is not None:
            return newer
        if removals == self._removals:
            self.memory.keep(slot, entry)
        return entry

    def put(self, slot: Slot, entry: Entry) -> Coroutine[Any, Any, None]:
        """Keep the entry in memory now, and in the tier behind it once this is awaited."""
        self.memory.keep(slot, entry)
        return self.shared.put(slot, entry)

    async def delete(self, slot: Slot) -> None:
        """Forget the entry in both tiers."""
        self._removals += 1
        self.memory.drop(slot)
        await self.shared.delete(slot)

    async def purge(self, match: Match) -> int:
        """Purge both tiers, and soon after the memory of every other process."""
        self._heed(Purge(match, time.time()))
        here = await self.memory.purge(match)
        there = await self.shared.purge(match)
        return max(here, there)

    async def size(self) -> tuple[int, int]:
        """Entries of the tier that holds more of them, and the bytes of both."""
        here, there = await self.memory.size(), await self.shared.size()
        return max(here[0], there[0]), here[1] + there[1]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            for made in await self.shared.purges():
                self._heed(made)
                await self.memory.apply(made)
            old = time.time() - _REMEMBERED
            self._purged = [made for made in self._purged if made.at > old]

    def _heed(self, made: Purge) -> None:
        """Have no read bring into memory what is being purged, as long as it is still found."""
        self._removals += 1
        self._purged.append(made)
