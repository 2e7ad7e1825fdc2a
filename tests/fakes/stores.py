"""Slots, entries and tiers that open and close themselves, for the tests of stores."""

import asyncio
import contextlib
import time

from policies.base.ports import Entry
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Slot

BOUND = 64_000_000


def slot(number=0):
    return Slot("cache.exact", "team", b"key-%d" % number)


def entry(value=b"value", ttl=0.0, model="model"):
    now = time.time()
    return Entry(value, now, now + ttl if ttl else 0.0, model)


@contextlib.asynccontextmanager
async def running(tier):
    await tier.setup()
    try:
        yield tier
    finally:
        await tier.aclose()


def opened(path, bound=BOUND, **options):
    return running(SqliteTier(path, bound, **options))


async def until(condition):
    """Wait for what happens in another thread or process."""
    deadline = time.monotonic() + 10
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
