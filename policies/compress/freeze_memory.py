"""Memory bounded in bytes, for values that are asked for again every turn."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_OVERHEAD = 300  # bytes of an entry besides its text


class Generations(Generic[K, V]):
    """Two generations: once the younger holds half of `limit` bytes, the older is forgotten.

    What is asked for passes into the younger. Looking up costs one dictionary access.
    """

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._held = 0
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}

    def get(self, key: K) -> V | None:
        """The value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is None:
                return None
            self._put(key, found)
        return found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Remember a value whose texts have `size` bytes."""
        old = self._young.pop(key, None)
        if old is not None:
            self._held -= old[1]
        self._old.pop(key, None)
        self._put(key, (value, size + _OVERHEAD))

    def _put(self, key: K, entry: tuple[V, int]) -> None:
        if entry[1] > self._half:
            return
        if self._held + entry[1] > self._half:
            self._old, self._young, self._held = self._young, {}, 0
        self._young[key] = entry
        self._held += entry[1]
