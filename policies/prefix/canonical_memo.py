"""A bounded memory: what was used least recently goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_OVERHEAD = 200  # bytes of an entry besides its text


class Recent(Generic[K, V]):
    """Holds entries whose sizes add up to `limit` bytes at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, which is then the most recent; None where there is none."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Remember a value of `size` bytes, its key included."""
        old = self._entries.pop(key, None)
        if old is not None:
            self._held -= old[1]
        size += _OVERHEAD
        if size > self._limit:
            return
        self._entries[key] = (value, size)
        self._held += size
        while self._held > self._limit:
            _, (_, gone) = self._entries.popitem(last=False)
            self._held -= gone
