"""Prefix digests with a lifetime, bounded in number, the longest unused dropped first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec


class _Entry(msgspec.Struct, gc=False):
    ready: float
    expires: float
    lifetime: float


class Shelf:
    """At most `capacity` digests. Times are seconds of the caller's clock."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, digest: bytes, now: float) -> bool:
        """Whether the entry can be read now: its writer's reply began, its time is not up."""
        entry = self._entries.get(digest)
        return entry is not None and entry.ready <= now < entry.expires

    def keep(self, digest: bytes, now: float, delay: float, lifetime: float) -> None:
        """Add an entry, readable `delay` from now, or renew the one that is there."""
        entry = self._entries.get(digest)
        if entry is None or entry.expires <= now:
            entry = self._entries[digest] = _Entry(now + delay, now + lifetime, lifetime)
        else:
            entry.ready = min(entry.ready, now + delay)
            entry.lifetime = max(entry.lifetime, lifetime)
            entry.expires = now + entry.lifetime
        self._entries.move_to_end(digest)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def touch(self, digest: bytes, now: float) -> None:
        """Renew an entry that was hit, for its own lifetime."""
        entry = self._entries[digest]
        entry.expires = now + entry.lifetime
        self._entries.move_to_end(digest)

    def chain(self, digests: Sequence[bytes], now: float) -> int:
        """How many digests, counted from the first without a gap, can be read now."""
        for index, digest in enumerate(digests):
            if not self.holds(digest, now):
                return index
        return len(digests)
