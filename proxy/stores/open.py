"""The stores that a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from proxy.stores.guarded import GuardedTier, OnError
from proxy.stores.memory import MemoryTier
from proxy.stores.redis import RedisTier
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Tier
from proxy.stores.tiered import TieredTier


class StoreSettings(Protocol):
    """What is read of the configuration."""

    @property
    def memory(self) -> int:
        """Bytes of memory, in each worker process."""

    @property
    def disk(self) -> int:
        """Bytes of disk, for all of them; unused with Redis."""

    @property
    def redis(self) -> str | None:
        """A URL."""


def open_store(settings: StoreSettings, data: Path, on_error: OnError) -> Tier:
    """Memory over SQLite in the folder `data`, or over Redis where one is configured.

    Its `setup` and all that follows raise nothing when the disk or Redis is out of order;
    `on_error` gets the tier's name and the error. `purge` alone raises `StoreError`.
    """
    shared = (
        RedisTier(settings.redis)
        if settings.redis
        else SqliteTier(data / "store.sqlite", settings.disk)
    )
    return TieredTier(MemoryTier(settings.memory), GuardedTier(shared, on_error))
