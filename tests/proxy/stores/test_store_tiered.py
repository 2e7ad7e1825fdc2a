import asyncio
import threading

import pytest
from msgspec.structs import replace

from policies.base.ports import Entry
from proxy.stores.memory import MemoryTier
from proxy.stores.redis import RedisTier
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Match, Slot
from proxy.stores.tiered import TieredTier
from tests.fakes.redis_server import RedisServer
from tests.fakes.stores import entry, running, until

SLOT = Slot("cache.exact", "team", b"key")


def opened(shared, memory=1_000_000):
    return running(TieredTier(MemoryTier(memory), shared, poll=0.01))


@pytest.fixture(params=["sqlite", "redis"])
def shared(request, tmp_path):
    """Makes the shared tier of one process after another."""
    if request.param == "sqlite":
        yield lambda: SqliteTier(tmp_path / "store.sqlite", 10_000_000)
        return
    server = RedisServer()
    server.start()
    yield lambda: RedisTier(server.url, budget=5)
    server.kill()


async def test_a_read_brings_the_entry_into_memory(shared):
    async with opened(shared()) as tier:
        await tier.put(SLOT, entry())
        await tier.memory.delete(SLOT)
        found = await tier.get(SLOT)
        assert found is not None
        assert await tier.memory.get(SLOT) is found


async def test_an_entry_too_large_for_memory_is_in_the_shared_tier(shared):
    async with opened(shared(), memory=1000) as tier:
        await tier.put(SLOT, entry(b"x" * 1000))
        assert await tier.memory.get(SLOT) is None
        assert await tier.get(SLOT) is not None


async def test_another_process_sees_what_one_has_put(shared):
    async with opened(shared()) as one, opened(shared()) as two:
        await one.put(SLOT, entry())

        async def seen():
            return await two.get(SLOT) is not None

        await until(seen)


async def test_what_another_process_renewed_is_found_when_ours_expires(shared):
    async with opened(shared()) as one, opened(shared()) as two:
        await one.put(SLOT, entry(b"old", ttl=1))

        async def kept():
            return await two.shared.get(SLOT) is not None

        await until(kept)
        await two.put(SLOT, entry(b"new"))

        async def renewed():
            found = await one.get(SLOT)
            return found is not None and found.value == b"new"

        await until(renewed)


async def test_a_purge_reaches_the_memory_of_other_processes(shared):
    async with opened(shared()) as one, opened(shared()) as two, opened(shared()) as purger:
        other = replace(SLOT, tenant="other")
        for tier in (one, two):
            await tier.memory.put(SLOT, entry())
            await tier.memory.put(other, entry())
        await purger.purge(Match(tenant="team"))
        for tier in (one, two):

            async def gone(tier=tier):
                return await tier.memory.get(SLOT) is None

            await until(gone)
            assert await tier.memory.get(other) is not None


async def test_what_is_put_after_a_purge_outlives_its_late_application(shared):
    async with opened(shared()) as one:
        one._follower.cancel()
        await one.memory.put(SLOT, entry(b"before"))
        async with opened(shared()) as purger:
            await purger.purge(Match())
        await one.put(replace(SLOT, key=b"after"), entry(b"after"))
        for made in await one.shared.purges():
            await one.memory.apply(made)
        assert await one.memory.get(SLOT) is None
        assert await one.memory.get(replace(SLOT, key=b"after")) is not None


async def test_size_is_of_both_tiers(shared):
    async with opened(shared()) as tier:
        await tier.memory.put(SLOT, entry())
        entries, held = await tier.size()
        assert entries == 1
        assert held > (await tier.memory.size())[1]


class Slow:
    """A shared tier whose answer comes when the test says so."""

    name = "slow"

    def __init__(self):
        self.answer: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()

    def lacks(self, slot):
        return False

    async def get(self, slot):
        return await self.answer

    async def ignore(self, *_):
        return 0

    put = delete = purge = setup = aclose = ignore

    async def purges(self):
        return []


@pytest.mark.parametrize("removal", ["delete", "purge"])
async def test_a_read_under_way_does_not_bring_back_what_is_removed(removal):
    async with opened(Slow()) as tier:
        read = asyncio.create_task(tier.get(SLOT))
        await asyncio.sleep(0)
        await (tier.delete(SLOT) if removal == "delete" else tier.purge(Match()))
        tier.shared.answer.set_result(entry())
        assert await read is not None
        assert await tier.memory.get(SLOT) is None


async def test_a_read_under_way_does_not_undo_a_put():
    async with opened(Slow()) as tier:
        read = asyncio.create_task(tier.get(SLOT))
        await asyncio.sleep(0)
        await tier.put(SLOT, entry(b"new"))
        tier.shared.answer.set_result(entry(b"old"))
        assert (await read).value == b"new"
        assert (await tier.memory.get(SLOT)).value == b"new"


async def test_a_read_while_a_purge_is_under_way_does_not_bring_back_what_it_takes():
    async with opened(Slow()) as tier:
        purged = asyncio.get_running_loop().create_future()

        async def purge(_):
            return await purged

        tier.shared.purge = purge
        tier.shared.answer.set_result(entry())
        purging = asyncio.create_task(tier.purge(Match()))
        await asyncio.sleep(0)
        assert await tier.get(SLOT) is None
        purged.set_result(1)
        assert await purging == 1
        assert await tier.memory.get(SLOT) is None


async def test_what_waits_for_the_disk_does_not_come_back_after_a_purge_by_another(tmp_path):
    def shared():
        return SqliteTier(tmp_path / "store.sqlite", 10_000_000)

    async with opened(shared()) as one, opened(shared()) as two:
        busy = threading.Event()
        one.shared._behind.call(busy.wait)  # what follows is written after the purge
        await one.put(SLOT, entry())
        assert await one.get(SLOT) is not None
        await two.purge(Match())

        async def heard():
            return await one.memory.get(SLOT) is None

        await until(heard)
        found = await one.get(SLOT), await one.memory.get(SLOT)
        busy.set()
        assert found == (None, None)
        await one.put(SLOT, entry(b"new"))
        await one.memory.delete(SLOT)
        assert (await one.get(SLOT)).value == b"new"
