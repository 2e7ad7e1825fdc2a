"""A tier seen through the port that policies know: one space, one tenant."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any

from policies.base.ports import Entry
from proxy.stores.tier import Slot, Tier


class BoundStore:
    """`policies.base.ports.Store` over a tier; reaches no entry but its own."""

    __slots__ = ("_space", "_tenant", "_tier")

    def __init__(self, tier: Tier, space: str, tenant: str) -> None:
        self._tier = tier
        self._space = space
        self._tenant = tenant

    def get(self, key: bytes) -> Coroutine[Any, Any, Entry | None]:
        """The live entry, or None."""
        return self._tier.get(Slot(self._space, self._tenant, key))

    def put(
        self, key: bytes, value: bytes, ttl: float, model: str = ""
    ) -> Coroutine[Any, Any, None]:
        """Keep `value` for `ttl` seconds (0: for ever), counted from this call."""
        now = time.time()
        if not model.isascii():  # it comes from the client and may hold lone surrogates
            model = model.encode(errors="replace").decode()
        entry = Entry(value, now, now + ttl if ttl else 0.0, model)
        return self._tier.put(Slot(self._space, self._tenant, key), entry)

    def delete(self, key: bytes) -> Coroutine[Any, Any, None]:
        """Forget the entry, if there is one."""
        return self._tier.delete(Slot(self._space, self._tenant, key))


def bind(tier: Tier, space: str, tenant: str) -> BoundStore:
    """The store of one policy for one tenant; cheap enough to make for each request."""
    return BoundStore(tier, space, tenant)
