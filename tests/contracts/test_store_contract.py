"""What every tier promises, whatever it keeps its entries in."""

import contextlib
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from policies.base.ports import Entry
from proxy.stores.bound import bind
from proxy.stores.guarded import GuardedTier
from proxy.stores.memory import MemoryTier
from proxy.stores.redis import RedisTier
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Match, Slot
from proxy.stores.tiered import TieredTier
from tests.fakes.redis_server import RedisServer

BOUND = 64_000_000


@pytest.fixture(scope="module")
def server():
    server = RedisServer()
    server.start()
    yield server
    server.kill()


def _never(name: str, error: Exception) -> None:
    raise AssertionError(f"{name}: {error!r}") from error


def _make(kind, server, folder):
    if kind == "memory":
        return MemoryTier(BOUND)
    if kind == "sqlite":
        return SqliteTier(folder / "store.sqlite", BOUND)
    if kind == "redis":
        return RedisTier(server.url, budget=5)
    shared = _make(kind.removeprefix("tiered-"), server, folder)
    return TieredTier(MemoryTier(BOUND), GuardedTier(shared, _never))


@pytest.fixture(params=["memory", "sqlite", "redis", "tiered-sqlite", "tiered-redis"])
async def tier(request, server, tmp_path):
    server.flush()
    tier = _make(request.param, server, tmp_path)
    await tier.setup()
    yield tier
    await tier.aclose()


def entry(value=b"value", *, age=0.0, ttl=60.0, model="m"):
    stored = time.time() - age
    return Entry(value, stored, stored + ttl if ttl else 0.0, model)


SLOT = Slot("cache.exact", "team", b"key")
# Names that would run into each other if they were joined, globbed, cut or quoted badly.
ODD = [
    "", "a", "a:b", "a:", ":", "*", "a*", "?", "[a]", "[", "a\0", "\0", "%", "%3A", "a%3Ab",
    "a\\", "\\*", "A", "é", "e\u0301", "a'b", 'a"b', "a\nb", "_", "a b", "😀",
]  # fmt: skip
names = st.sampled_from(ODD) | st.text(max_size=8)
keys = st.sampled_from([name.encode() for name in ODD]) | st.binary(max_size=40)
slots = st.builds(Slot, names, names, keys)
lawful = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def test_nothing_is_there_at_first(tier):
    assert await tier.get(SLOT) is None
    await tier.delete(SLOT)
    assert (await tier.size())[0] == 0


@pytest.mark.parametrize("size", [0, 1, 5000, 1_000_000])
async def test_an_entry_comes_back_whole(tier, size):
    put = entry(bytes(i % 251 for i in range(size)), model="gpt-é")
    await tier.put(SLOT, put)
    assert await tier.get(SLOT) == put


async def test_a_later_put_replaces_an_earlier(tier):
    await tier.put(SLOT, entry(b"one", ttl=1.0))
    await tier.put(SLOT, entry(b"two", ttl=0))
    found = await tier.get(SLOT)
    assert found is not None
    assert (found.value, found.expires) == (b"two", 0.0)


async def test_a_deleted_entry_is_gone(tier):
    await tier.put(SLOT, entry())
    await tier.delete(SLOT)
    assert await tier.get(SLOT) is None


async def test_an_expired_entry_is_not_served(tier):
    await tier.put(SLOT, entry(b"old"))
    await tier.put(SLOT, entry(age=61))
    assert await tier.get(SLOT) is None


async def test_an_entry_expires_in_time(tier):
    await tier.put(SLOT, entry(ttl=0.06))
    await _flushed(tier)
    asked = time.time()
    while found := await tier.get(SLOT):
        assert asked < found.expires
        asked = time.time()


async def test_size_counts_entries_and_bytes(tier):
    before = await tier.size()
    for number in range(50):
        await tier.put(replace(SLOT, key=b"%d" % number), entry(b"x" * 10_000))
    await _flushed(tier)
    entries, held = await tier.size()
    assert entries == before[0] + 50
    assert held > before[1] + 50 * 9_000


async def test_an_entry_put_after_a_purge_stays(tier):
    await tier.put(SLOT, entry(b"before"))
    assert await tier.purge(Match()) == 1
    await tier.put(SLOT, entry(b"after"))
    await _flushed(tier)
    found = await tier.get(SLOT)
    assert found is not None
    assert found.value == b"after"


async def test_purge_takes_what_fits_every_field_given(tier):
    kept = {}
    for tenant in ("t1", "t2"):
        for space in ("s1", "s2"):
            for model in ("gpt-5", "gpt-5-mini", "qwen[1]", "x" * 3000):
                for age in (0, 100):
                    slot = Slot(space, tenant, f"{model}{age}".encode())
                    kept[slot] = entry(age=age, ttl=1000, model=model)
    for slot, put in kept.items():
        await tier.put(slot, put)
    for match in (
        Match(tenant="t1", model="gpt-5*", older_than=50.0, space="s1"),
        Match(model="qwen[[]1]"),
        Match(model="QWEN*"),
        Match(older_than=50.0, space="s2"),
        Match(tenant="t1"),
        Match(tenant="t*"),
        Match(model="x*"),
        Match(space="s1"),
        Match(),
    ):
        now = time.time()
        meant = {slot for slot, put in kept.items() if match.fits(slot, put, now)}
        assert await tier.purge(match) == len(meant)
        for slot in meant:
            assert await tier.get(slot) is None
            del kept[slot]
        for slot, put in kept.items():
            assert await tier.get(slot) == put
    assert (await tier.size())[0] == 0


async def test_odd_names_are_kept_apart(tier):
    held = {Slot(space, tenant, b"k"): entry() for space in ODD for tenant in ODD}
    held = {slot: structs.replace(put, value=repr(slot).encode()) for slot, put in held.items()}
    for slot, put in held.items():
        await tier.put(slot, put)
    for slot, put in held.items():
        assert await tier.get(slot) == put
    assert await tier.purge(Match(tenant="*")) == len(ODD)
    assert await tier.purge(Match(space="a:b")) == len(ODD) - 1
    for slot, put in held.items():
        gone = slot.tenant == "*" or slot.space == "a:b"
        assert await tier.get(slot) == (None if gone else put)


@lawful
@given(found=st.lists(slots, min_size=2, max_size=12, unique=True), data=st.data())
async def test_no_slot_ever_touches_another(tier, found, data):
    await tier.purge(Match())
    held = {slot: entry(repr(slot).encode()) for slot in found}
    for slot, put in held.items():
        await tier.put(slot, put)
    for slot, put in held.items():
        assert await tier.get(slot) == put
    await _flushed(tier)
    for slot in held:
        assert not _lacks(tier, slot)
    gone = data.draw(st.sampled_from(found))
    await tier.delete(gone)
    del held[gone]
    tenant = data.draw(st.sampled_from(found)).tenant
    meant = {slot for slot in held if slot.tenant == tenant}
    assert await tier.purge(Match(tenant=tenant)) == len(meant)
    for slot in found:
        assert await tier.get(slot) == (None if slot in meant else held.get(slot))
    stranger = data.draw(slots)
    if stranger not in held:
        assert await tier.get(stranger) is None


async def test_a_bound_store_reaches_only_its_own(tier):
    mine, theirs = bind(tier, "cache.exact", "me"), bind(tier, "cache.exact", "them")
    other = bind(tier, "memo", "me")
    await mine.put(b"k", b"mine", 60.0, "gpt-\ud800")
    assert await theirs.get(b"k") is None
    assert await other.get(b"k") is None
    found = await mine.get(b"k")
    assert found is not None
    assert (found.value, found.model) == (b"mine", "gpt-?")
    assert 59 < found.expires - time.time() <= 60
    await theirs.delete(b"k")
    assert await mine.get(b"k") == found
    await mine.delete(b"k")
    assert await mine.get(b"k") is None
    await mine.put(b"k", b"for ever", 0.0)
    found = await mine.get(b"k")
    assert found is not None
    assert found.expires == 0


def _lacks(tier, slot) -> bool:
    tier = getattr(tier, "shared", tier)
    return hasattr(tier, "lacks") and tier.lacks(slot)


async def _flushed(tier) -> None:
    with contextlib.suppress(AttributeError):
        tier = tier.shared._tier
    with contextlib.suppress(AttributeError):
        await tier.flush()
