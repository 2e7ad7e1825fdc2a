"""The store of policies in a replay: in memory, and in the trace's own time."""

from __future__ import annotations

from collections import OrderedDict

from policies.base.ports import Entry

_Key = tuple[str, str, bytes]
_ENTRY = 300  # bytes around one key and value


class Clock:
    """Unix seconds of the trace; moved by the replay, never backwards."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """The present."""
        return self.now

    def reach(self, time: float) -> None:
        """It is `time` now, or later already."""
        self.now = max(self.now, time)


class Shelves:
    """All entries of one scheme, at most `bound` bytes; the longest unused go first."""

    def __init__(self, clock: Clock, bound: int = 256 << 20) -> None:
        self._clock = clock
        self._left = bound
        self._entries: OrderedDict[_Key, Entry] = OrderedDict()

    def bind(self, space: str, tenant: str) -> TraceStore:
        """`proxy.engine.Bind`."""
        return TraceStore(self, space, tenant)

    def find(self, key: _Key) -> Entry | None:
        """The live entry."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if 0 < entry.expires <= self._clock.now:
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def keep(self, key: _Key, value: bytes, ttl: float, model: str) -> None:
        """Keep a value for `ttl` seconds (0: for ever)."""
        self.drop(key)
        now = self._clock.now
        self._entries[key] = Entry(value, now, now + ttl if ttl else 0.0, model)
        self._left -= len(value) + _ENTRY
        while self._left < 0 and self._entries:
            self.drop(next(iter(self._entries)))

    def drop(self, key: _Key) -> None:
        """Forget an entry, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._left += len(entry.value) + _ENTRY


class TraceStore:
    """`policies.base.ports.Store` of one policy and tenant."""

    def __init__(self, shelves: Shelves, space: str, tenant: str) -> None:
        self._shelves = shelves
        self._space = space
        self._tenant = tenant

    async def get(self, key: bytes) -> Entry | None:
        """The live entry, or None."""
        return self._shelves.find((self._space, self._tenant, key))

    async def put(self, key: bytes, value: bytes, ttl: float, model: str = "") -> None:
        """Keep `value` for `ttl` seconds (0: for ever)."""
        self._shelves.keep((self._space, self._tenant, key), value, ttl, model)

    async def delete(self, key: bytes) -> None:
        """Forget the entry, if there is one."""
        self._shelves.drop((self._space, self._tenant, key))
