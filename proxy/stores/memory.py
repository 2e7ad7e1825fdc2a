"""Entries in this process: least recently used go first, bounded in bytes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from policies.base.ports import Entry
from proxy.stores.tier import Match, Purge, Slot

OVERHEAD = 350  # bytes of Python objects around one key and value, measured on CPython 3.11
LARGEST = 8  # an entry over this fraction of the bound would push out too many others
_PAUSE = 1000  # entries looked at before the event loop gets its turn


class MemoryTier:
    """Holds at most `bound` bytes: keys, values and their overhead."""

    name = "memory"

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._bytes = 0
        self._entries: OrderedDict[Slot, Entry] = OrderedDict()

    async def setup(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to let go."""

    async def get(self, slot: Slot) -> Entry | None:
        """See `find`."""
        return self.find(slot)

    async def put(self, slot: Slot, entry: Entry) -> None:
        """See `keep`."""
        self.keep(slot, entry)

    async def delete(self, slot: Slot) -> None:
        """See `drop`."""
        self.drop(slot)

    def find(self, slot: Slot) -> Entry | None:
        """The live entry, which thereby becomes the most recently used."""
        entry = self._entries.get(slot)
        if entry is None:
            return None
        if 0 < entry.expires <= time.time():
            self.drop(slot)
            return None
        self._entries.move_to_end(slot)
        return entry

    def keep(self, slot: Slot, entry: Entry) -> None:
        """Keep the entry if it is not larger than an eighth of the bound."""
        old = self._entries.pop(slot, None)
        if old is not None:
            self._bytes -= _cost(slot, old)
        cost = len(slot.key) + len(entry.value) + OVERHEAD
        if cost > self._bound // LARGEST:
            return
        self._entries[slot] = entry
        self._bytes += cost
        while self._bytes > self._bound:
            oldest, evicted = self._entries.popitem(last=False)
            self._bytes -= _cost(oldest, evicted)

    def drop(self, slot: Slot) -> None:
        """Forget the entry, if there is one."""
        entry = self._entries.pop(slot, None)
        if entry is not None:
            self._bytes -= _cost(slot, entry)

    async def purge(self, match: Match) -> int:
        """Remove what is there now and fits."""
        return await self._remove(Purge(match, time.time()), late=False)

    async def apply(self, purge: Purge) -> int:
        """Remove what a purge made elsewhere would have removed; what came later stays."""
        return await self._remove(purge, late=True)

    async def size(self) -> tuple[int, int]:
        """Entries and bytes held, expired ones included."""
        return len(self._entries), self._bytes

    async def _remove(self, purge: Purge, *, late: bool) -> int:
        removed = 0
        for seen, (slot, entry) in enumerate(list(self._entries.items()), start=1):
            meant = purge.took(slot, entry) if late else purge.match.fits(slot, entry, purge.at)
            if meant and self._entries.get(slot) is entry:
                self.drop(slot)
                removed += 1
            if seen % _PAUSE == 0:
                await asyncio.sleep(0)
        return removed


def _cost(slot: Slot, entry: Entry) -> int:
    return len(slot.key) + len(entry.value) + OVERHEAD
