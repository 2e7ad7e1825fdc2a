"""Fields that an upstream has rejected: remembered in the store, never sent to it again."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base.call import Call
from policies.base.ports import Entry, Reader, Store

_FRESH = 60.0  # seconds until another worker's findings are looked for
_KEPT = 7 * 86400.0  # seconds: upstreams learn too
_REMEMBERED = 1024

Key = tuple[str, str, str]


class Refused:
    """By tenant, backend and model."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[frozenset[str], float]] = {}

    async def fields(self, call: Call, store: Reader, now: float) -> frozenset[str]:
        """What this upstream does not take. `now` in Unix seconds."""
        key = _key(call)
        known = self._known.get(key)
        if known is not None and abs(now - known[1]) < _FRESH:
            return known[0]
        found = _names(await store.get(_name(key)))
        self._keep(key, found | (known[0] if known else frozenset()), now)
        return self._known[key][0]

    async def add(self, call: Call, names: Iterable[str], store: Store) -> None:
        """Remember that these fields were in a request that was rejected for them."""
        key = _key(call)
        known = self._known.get(key, (frozenset(), 0.0))
        found = known[0] | frozenset(names) | _names(await store.get(_name(key)))
        self._keep(key, found, known[1])
        await store.put(_name(key), ",".join(sorted(found)).encode(), _KEPT, call.model)

    def _keep(self, key: Key, names: frozenset[str], now: float) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()  # the store has them
        self._known[key] = (names, now)


def _key(call: Call) -> Key:
    return call.tenant, call.backends[0], call.model


def _name(key: Key) -> bytes:
    return f"refused\0{key[1]}\0{key[2]}".encode()


def _names(entry: Entry | None) -> frozenset[str]:
    if entry is None:
        return frozenset()
    return frozenset(entry.value.decode("ascii", "ignore").split(",")) - {""}
