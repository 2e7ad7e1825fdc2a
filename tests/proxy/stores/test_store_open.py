from types import SimpleNamespace

from proxy.stores import open_store
from proxy.stores.bound import bind
from proxy.stores.tier import Match
from tests.fakes.redis_server import RedisServer
from tests.fakes.stores import until


def settings(**given):
    return SimpleNamespace(**{"memory": 1_000_000, "disk": 10_000_000, "redis": None, **given})


def never(name, error):
    raise AssertionError(name) from error


async def test_without_redis_entries_lie_on_disk(tmp_path):
    for written in (False, True):
        store = open_store(settings(), tmp_path / "data", never)
        await store.setup()
        bound = bind(store, "cache.exact", "team")
        assert (await bound.get(b"k") is not None) is written
        await bound.put(b"k", b"v", 60.0)
        await store.aclose()
    assert (tmp_path / "data" / "store.sqlite").exists()


async def test_without_disk_nothing_is_left_but_purges_reach_others(tmp_path):
    one, two = (open_store(settings(disk=0), tmp_path, never) for _ in range(2))
    await one.setup()
    await two.setup()
    bound = bind(one, "cache.exact", "team")
    await bound.put(b"k", b"v", 60.0)
    assert (await one.shared.size())[0] == 0
    await two.purge(Match())

    async def gone():
        return await bound.get(b"k") is None

    await until(gone)
    await one.aclose()
    await two.aclose()


async def test_with_redis_nothing_lies_on_disk(tmp_path):
    server = RedisServer()
    server.start()
    store = open_store(settings(redis=server.url), tmp_path / "data", never)
    await store.setup()
    await bind(store, "cache.exact", "team").put(b"k", b"v", 60.0)
    assert (await store.size())[0] == 1
    await store.aclose()
    server.kill()
    assert not (tmp_path / "data").exists()


async def test_a_store_that_cannot_be_opened_still_serves_from_memory(tmp_path):
    (tmp_path / "data").touch()
    errors = []
    store = open_store(settings(), tmp_path / "data", lambda *error: errors.append(error))
    await store.setup()
    bound = bind(store, "cache.exact", "team")
    await bound.put(b"k", b"v", 60.0)
    assert await bound.get(b"k") is not None
    await store.aclose()
    assert [name for name, _ in errors] == ["sqlite"]
