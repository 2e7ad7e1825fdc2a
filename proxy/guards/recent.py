"""A bounded map that forgets what has not been asked for lately."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Holds up to twice `bound` entries, in two generations.

    Once the younger is full it becomes the older, and the older is forgotten; what is found
    in the older is young again. So the last `bound` keys put or found are always there.
    """

    __slots__ = ("_bound", "_old", "_young")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: bytes) -> V | None:
        """The value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: bytes, value: V) -> None:
        """Keep the value, as the latest."""
        if len(self._young) >= self._bound and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value
