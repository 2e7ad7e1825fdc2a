"""A shared tier whose failures cost the request nothing but the entry."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from policies.base.ports import Entry
from proxy.stores.tier import Match, Purge, Shared, Slot, StoreError

log = logging.getLogger(__name__)

OnError = Callable[[str, Exception], None]  # the tier's name, what it raised
T = TypeVar("T")
A = TypeVarTuple("A")
_PATIENCE = 3  # failures in a row before the tier is left alone for a while


class Circuit:
    """Whether to try: after some failures in a row, once per `pause` seconds."""

    def __init__(self, pause: float) -> None:
        self.failed: float | None = None  # when it last did, while the outage lasts
        self._pause = pause
        self._failures = 0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether this call may go ahead; of many that ask after a pause, one may."""
        if self._failures < _PATIENCE:
            return True
        now = time.monotonic()
        if now < self._closed_until:
            return False
        self._closed_until = now + self._pause
        return True

    def fail(self) -> None:
        """Note a failure."""
        self.failed = time.monotonic()
        self._failures += 1
        self._closed_until = self.failed + self._pause

    def succeed(self) -> None:
        """Note a success. Only a success well after the last failure ends the outage."""
        self._failures = 0
        if self.failed is not None and time.monotonic() - self.failed >= self._pause:
            self.failed = None


class GuardedTier:
    """Answers a miss, loses the write or hears of no purge where the tier raises.

    Every failure goes to `on_error`; the log gets one line when an outage begins and one
    when it is over. Where `setup` fails it is tried again every `pause` seconds.
    `purge` alone raises, `StoreError`: whoever purges must know that it did not happen.
    """

    def __init__(self, tier: Shared, on_error: OnError, pause: float = 2.0) -> None:
        self.name = tier.name
        self._tier = tier
        self._on_error = on_error
        self._pause = pause
        self._reads, self._writes = Circuit(pause), Circuit(pause)
        self._ready = False
        self._down = False
        self._opening: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Open the tier, or go on trying in the background."""
        if not await self._open():
            self._opening = asyncio.create_task(self._keep_opening())

    async def aclose(self) -> None:
        """Close the tier, if it is open."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
            self._opening = None
        if self._ready:
            await self._try(self._writes, None, self._tier.aclose)
            self._ready = False

    def lacks(self, slot: Slot) -> bool:
        """Whether it is known at once that there is no entry."""
        return not self._ready or self._tier.lacks(slot)

    # These hand on the coroutine of `_try`: one of their own would cost each request.

    def get(self, slot: Slot) -> Coroutine[Any, Any, Entry | None]:
        """The live entry; None too where the tier fails."""
        return self._try(self._reads, None, self._tier.get, slot)

    def put(self, slot: Slot, entry: Entry) -> Coroutine[Any, Any, None]:
        """Keep the entry, or lose it."""
        return self._try(self._writes, None, self._tier.put, slot, entry)

    def delete(self, slot: Slot) -> Coroutine[Any, Any, None]:
        """Forget the entry, unless the tier fails."""
        return self._try(self._writes, None, self._tier.delete, slot)

    async def purge(self, match: Match) -> int:
        """Remove what fits. Raises `StoreError` where that could not be done."""
        try:
            return await self._tier.purge(match)
        except Exception as error:
            self._fail(self._writes, error)
            raise StoreError(f"store {self.name} could not purge: {error}") from error

    async def purges(self) -> list[Purge]:
        """Purges since the last call; none where the tier fails."""
        return await self._try(self._reads, [], self._tier.purges)

    async def size(self) -> tuple[int, int]:
        """Entries and bytes; none where the tier fails."""
        return await self._try(self._reads, (0, 0), self._tier.size)

    async def _try(
        self, circuit: Circuit, otherwise: T, method: Callable[[*A], Awaitable[T]], *given: *A
    ) -> T:
        if not self._ready or not circuit.allows():
            return otherwise
        try:
            result = await method(*given)
        except Exception as error:  # noqa: BLE001 - no failure of a store may reach a request
            self._fail(circuit, error)
            return otherwise
        circuit.succeed()
        if self._down and self._reads.failed is None and self._writes.failed is None:
            self._down = False
            log.warning("store %s works again", self.name)
        return result

    async def _open(self) -> bool:
        try:
            await self._tier.setup()
        except Exception as error:  # noqa: BLE001 - the proxy runs without this store
            self._fail(self._writes, error)
        else:
            self._ready = True
        return self._ready

    async def _keep_opening(self) -> None:
        await asyncio.sleep(self._pause)
        while not await self._open():  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(self._pause)

    def _fail(self, circuit: Circuit, error: Exception) -> None:
        circuit.fail()
        self._on_error(self.name, error)
        if not self._down:
            self._down = True
            log.warning("store %s fails, requests go on without it: %r", self.name, error)
