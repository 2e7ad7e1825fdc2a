import asyncio
import contextlib
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from proxy.stores.redis import RedisTier
from proxy.stores.tier import Match, Slot, StoreError
from tests.fakes.redis_server import RedisServer
from tests.fakes.stores import entry, running

SLOT = Slot("cache.exact", "team", b"key")


@pytest.fixture
def server():
    server = RedisServer()
    server.start()
    yield server
    server.kill()


def opened(server, budget=5.0):
    return running(RedisTier(server.url, budget))


def test_redis_is_imported_only_by_setup():
    code = (
        "import sys, proxy.stores; assert not any(m.split('.')[0] == 'redis' for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


async def test_redis_itself_expires_entries(server):
    async with opened(server) as tier, Redis.from_url(server.url) as client:
        await tier.put(SLOT, entry(ttl=100))
        await tier.put(replace(SLOT, key=b"\0"), entry(ttl=0))
        assert 99_000 < await client.pttl("penstock:cache.exact:team:6b6579") <= 100_000
        assert await client.pttl("penstock:cache.exact:team:00") == -1


async def test_what_is_torn_or_under_the_wrong_key_is_deleted(server):
    async with opened(server) as tier, Redis.from_url(server.url) as client:
        await tier.put(SLOT, entry())
        name = "penstock:cache.exact:team:6b6579"
        whole = await client.get(name)
        for damaged in (b"", whole[:3], whole[:-1], whole + b"x", b"\xff" * 50):
            await client.set(name, damaged)
            assert await tier.get(SLOT) is None
            assert not await client.exists(name)
        await client.set("penstock:cache.exact:them:6b6579", whole)
        assert await tier.get(replace(SLOT, tenant="them")) is None
        await client.set(name, whole)
        assert await tier.get(SLOT) is not None


async def test_keys_of_others_survive_a_purge(server):
    async with opened(server) as tier, Redis.from_url(server.url) as client:
        await client.set("other:cache.exact:team:6b6579", b"theirs")
        await tier.put(SLOT, entry())
        assert await tier.purge(Match()) == 1
        assert await client.exists("other:cache.exact:team:6b6579")


async def test_what_cannot_be_read_does_not_escape_a_purge(server):
    async with opened(server) as tier, Redis.from_url(server.url) as client:
        await client.set("penstock:cache.exact:team:00", b"garbage")
        assert await tier.purge(Match(model="m")) == 1


async def test_a_purge_walks_many_keys(server):
    async with opened(server) as tier:
        await asyncio.gather(
            *(tier.put(replace(SLOT, key=b"%d" % n), entry(model=f"m{n % 2}")) for n in range(1500))
        )
        assert await tier.purge(Match(model="m0")) == 750
        assert await tier.purge(Match(space="cache.exact")) == 750


async def test_every_process_hears_of_a_purge_once(server):
    async with opened(server) as one, opened(server) as two:
        before = time.time()
        await one.purge(Match(tenant="team", model="a*"))
        for tier in (one, two):
            (made,) = await tier.purges()
            assert made.match == Match(tenant="team", model="a*")
            assert before <= made.at <= time.time()
            assert await tier.purges() == []


async def test_a_dead_server_is_an_error_and_a_new_one_is_found(server):
    async with opened(server) as tier:
        await asyncio.gather(*(tier.put(SLOT, entry()) for _ in range(10)))
        server.kill()
        for operation in (tier.get(SLOT), tier.put(SLOT, entry()), tier.purge(Match())):
            with pytest.raises(Exception, match=r"onnect|refused"):
                await operation
        server.start()
        # Ten pooled connections are stale now, and none of them costs a request.
        assert await asyncio.gather(*(tier.get(SLOT) for _ in range(10))) == [None] * 10
        await tier.put(SLOT, entry())
        assert await tier.get(SLOT) is not None


async def test_a_frozen_server_costs_a_read_no_more_than_its_budget(server):
    async with opened(server, budget=0.03) as tier:
        for _ in range(20):  # the first read may spend its budget on connecting
            with contextlib.suppress(TimeoutError):
                await tier.put(SLOT, entry())
                break
        server.freeze()
        with pytest.raises(TimeoutError):  # not the client's, which comes after 5 s
            await tier.get(SLOT)
        server.thaw()
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(TimeoutError):
                    if await tier.get(SLOT) is not None:
                        break


async def test_a_cancelled_read_never_gives_its_answer_to_another(server):
    async with opened(server) as tier:
        slots = [Slot("s", f"tenant-{n}", b"k") for n in range(20)]
        for slot in slots:
            await tier.put(slot, entry(slot.tenant.encode() * 200))
        for turn in range(150):
            reads = [asyncio.create_task(tier.get(slot)) for slot in slots]
            for _ in range(turn % 15):
                await asyncio.sleep(0)
            for read in reads[::2]:
                read.cancel()
            found = await asyncio.gather(*reads, return_exceptions=True)
            for slot, answer in zip(slots, found, strict=True):
                if not isinstance(answer, asyncio.CancelledError):
                    assert answer.value == slot.tenant.encode() * 200


async def test_before_setup_and_after_aclose_it_says_so(server):
    tier = RedisTier(server.url)
    with pytest.raises(StoreError):
        await tier.get(SLOT)
    await tier.setup()
    await tier.aclose()
    await tier.aclose()
    with pytest.raises(StoreError):
        await tier.put(SLOT, entry())


async def test_a_wrong_url_is_an_error():
    with pytest.raises(ValueError, match="scheme"):
        await RedisTier("http://127.0.0.1").setup()
