"""The store of policies in the trace's own time."""

from proxy.replay.store import Clock, Shelves


async def test_an_entry_lives_as_long_as_the_traces_clock_says():
    clock = Clock(100.0)
    store = Shelves(clock).bind("p", "t")
    await store.put(b"k", b"v", 10.0)
    await store.put(b"for ever", b"v", 0.0)
    clock.reach(109.0)
    assert (await store.get(b"k")).stored == 100.0
    clock.reach(110.0)
    assert await store.get(b"k") is None
    assert (await store.get(b"for ever")).value == b"v"


async def test_spaces_and_tenants_see_only_their_own():
    shelves = Shelves(Clock(0.0))
    await shelves.bind("p", "t").put(b"k", b"v", 0.0)
    assert await shelves.bind("p", "other").get(b"k") is None
    assert await shelves.bind("q", "t").get(b"k") is None
    await shelves.bind("p", "other").delete(b"k")
    assert await shelves.bind("p", "t").get(b"k") is not None


async def test_the_longest_unused_goes_first_when_the_bound_is_reached():
    store = Shelves(Clock(0.0), bound=2000).bind("p", "t")
    for name in (b"a", b"b", b"c"):
        await store.put(name, bytes(300), 0.0)
        await store.get(b"a")
    await store.put(b"d", bytes(300), 0.0)
    assert await store.get(b"b") is None
    assert await store.get(b"a") is not None


def test_the_clock_never_runs_back():
    clock = Clock(5.0)
    clock.reach(3.0)
    assert clock() == 5.0
