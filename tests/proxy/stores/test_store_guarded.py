import asyncio
import contextlib
import logging
import time

import pytest

from policies.base.ports import Entry
from proxy.stores.guarded import GuardedTier
from proxy.stores.redis import RedisTier
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Match, Slot, StoreError
from tests.fakes.redis_server import RedisServer

SLOT = Slot("cache.exact", "team", b"key")
ENTRY = Entry(b"value", 1.0, 0.0, "model")
PAUSE = 0.05


class Moody:
    """A shared tier that fails while `error` is set, and counts how often it is asked."""

    name = "moody"

    def __init__(self):
        self.error: Exception | None = None
        self.asked = 0

    async def _do(self, *_):
        self.asked += 1
        if self.error is not None:
            raise self.error

    def lacks(self, slot):
        return False

    get = put = delete = setup = aclose = _do

    async def purge(self, match):
        await self._do()
        return 3

    async def size(self):
        await self._do()
        return (1, 2)

    async def purges(self):
        await self._do()
        return []


@pytest.fixture
def errors():
    return []


@contextlib.asynccontextmanager
async def guarded(tier, errors):
    guarded = GuardedTier(tier, lambda *error: errors.append(error), PAUSE)
    await guarded.setup()
    try:
        yield guarded
    finally:
        await guarded.aclose()


async def test_failures_are_misses_and_lost_writes(errors):
    tier = Moody()
    async with guarded(tier, errors) as guard:
        tier.error = OSError("broken")
        assert await guard.get(SLOT) is None
        await guard.put(SLOT, ENTRY)
        await guard.delete(SLOT)
        assert await guard.size() == (0, 0)
        assert await guard.purges() == []
        assert errors == [("moody", tier.error)] * 5
        with pytest.raises(StoreError, match="broken"):
            await guard.purge(Match())
        tier.error = None
        assert await guard.purge(Match()) == 3


async def test_after_some_failures_only_one_request_per_pause_pays(errors):
    tier = Moody()
    async with guarded(tier, errors) as guard:
        tier.error = OSError()
        asked = tier.asked
        for _ in range(50):
            await guard.get(SLOT)
        assert tier.asked == asked + 3
        await asyncio.sleep(PAUSE * 1.2)
        await asyncio.gather(*(guard.get(SLOT) for _ in range(50)))
        assert tier.asked == asked + 4
        await asyncio.sleep(PAUSE * 1.2)
        tier.error = None
        for _ in range(50):
            await guard.get(SLOT)
        assert tier.asked == asked + 54


async def test_failing_writes_leave_reads_alone(errors):
    tier = Moody()
    async with guarded(tier, errors) as guard:
        for _ in range(5):
            tier.error = OSError()
            await guard.put(SLOT, ENTRY)
        tier.error = None
        asked = tier.asked
        await guard.get(SLOT)
        assert tier.asked == asked + 1


async def test_an_outage_is_one_line_and_its_end_another(errors, caplog):
    tier = Moody()
    async with guarded(tier, errors) as guard:
        for _ in range(2):  # now and then one works: still the same outage
            tier.error = OSError("no space")
            for _ in range(10):
                await guard.get(SLOT)
                await guard.put(SLOT, ENTRY)
            tier.error = None
            await guard.delete(SLOT)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "no space" in caplog.text
        await asyncio.sleep(PAUSE * 1.2)
        for _ in range(3):
            await guard.get(SLOT)
            await guard.put(SLOT, ENTRY)
        assert len(caplog.records) == 2
        assert "works again" in caplog.messages[1]
        tier.error = OSError("once more")
        await guard.get(SLOT)
        assert len(caplog.records) == 3
        tier.error = None


async def test_cancellation_is_no_failure(errors):
    tier = Moody()
    async with guarded(tier, errors) as guard:
        tier.error = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            await guard.get(SLOT)
        assert errors == []
        tier.error = None


async def test_a_tier_that_cannot_be_opened_is_tried_again(errors, tmp_path, caplog):
    (tmp_path / "data").touch()
    tier = SqliteTier(tmp_path / "data" / "store.sqlite", 10_000_000)
    async with guarded(tier, errors) as guard:
        assert await guard.get(SLOT) is None
        await guard.put(SLOT, ENTRY)
        assert len(errors) == 1
        with pytest.raises(StoreError):
            await guard.purge(Match())
        (tmp_path / "data").unlink()
        await _until_kept(guard)
    assert len(caplog.records) == 2


async def test_it_closes_while_it_is_still_trying_to_open(errors, tmp_path):
    (tmp_path / "data").touch()
    async with guarded(SqliteTier(tmp_path / "data" / "x", 1), errors):
        await asyncio.sleep(PAUSE * 1.5)
    assert len(errors) >= 2


async def test_redis_dies_freezes_and_comes_back(errors):
    server = RedisServer()
    async with guarded(RedisTier(server.url, budget=0.05), errors) as guard:
        assert await guard.get(SLOT) is None  # was never there
        server.start()
        await _until_kept(guard)
        server.kill()
        await guard.put(SLOT, ENTRY)
        assert await guard.get(SLOT) is None
        server.start()
        await _until_kept(guard)
        server.freeze()
        before = len(errors)
        for _ in range(100):
            assert await guard.get(SLOT) is None
        assert 3 <= len(errors) - before < 10
        server.thaw()
        await _until_kept(guard)
        server.kill()


async def _until_kept(guard):
    deadline = time.monotonic() + 5
    while await guard.get(SLOT) is None:
        assert time.monotonic() < deadline
        await guard.put(SLOT, ENTRY)
        await asyncio.sleep(0.01)
