"""Prompts whose replies have not begun: what arrives meanwhile has no entry to read yet."""

from __future__ import annotations

_FORGOTTEN = 60.0  # seconds: what takes so long to begin is not worth a wait
_MOST = 256


class Flights:
    """By what several prompts have in common, their head."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, float, bool]] = {}

    def of(self, key: bytes, now: float) -> tuple[bool, bool]:
        """Whether another is under way, and whether one of them writes its head."""
        count, until, writes = self._known.get(key, (0, 0.0, False))
        alive = count > 0 and until - _FORGOTTEN <= now < until
        return alive, alive and writes

    def begin(self, key: bytes, now: float, *, writes: bool) -> None:
        """A request is sent at `now`, in Unix seconds."""
        alive, written = self.of(key, now)
        count = self._known[key][0] if alive else 0
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (count + 1, now + _FORGOTTEN, written or writes)

    def end(self, key: bytes) -> None:
        """It has been answered, or has failed."""
        count, until, writes = self._known.get(key, (0, 0.0, False))
        if count > 1:
            self._known[key] = (count - 1, until, writes)
        else:
            self._known.pop(key, None)
