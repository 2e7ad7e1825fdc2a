"""A memory of bounded size that costs no more than a dictionary."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Two generations of `limit` in size: once the younger is full, the older is forgotten.

    `young` may be looked into first; what is only in the older one `get` makes young again.
    """

    def __init__(self, limit: int) -> None:
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._limit = limit
        self._size = 0

    def __len__(self) -> int:
        return len(self.young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """The value; None where there is none."""
        found = self.young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V, size: int = 1) -> None:
        """Remember a value, which counts for `size`."""
        if key not in self.young:
            if self._size >= self._limit:
                self._old, self.young = self.young, {}
                self._size = 0
            self._size += max(1, size)
        self.young[key] = value
