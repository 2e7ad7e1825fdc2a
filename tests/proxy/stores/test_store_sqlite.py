import asyncio
import contextlib
import os
import sqlite3
import stat
import threading

import pytest

from proxy.stores.tier import Match
from tests.fakes import store_writer
from tests.fakes.stores import entry, opened, slot, until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "store.sqlite"


async def test_entries_outlive_the_process(path):
    async with opened(path) as tier:
        for number in range(200):
            await tier.put(slot(number), entry(b"%d" % number))
        await tier.delete(slot(7))
    async with opened(path) as tier:
        assert (await tier.size())[0] == 199
        assert await tier.get(slot(7)) is None
        found = await tier.get(slot(8))
        assert found is not None
        assert (found.value, found.model) == (b"8", "model")


async def test_what_is_queued_is_read_back_before_it_is_written(path):
    async with opened(path) as tier:
        await tier.put(slot(), entry(b"one"))
        await tier.put(slot(), entry(b"two"))
        assert (await tier.get(slot())).value == b"two"
        await tier.flush()
        await tier.delete(slot())
        assert await tier.get(slot()) is None


async def test_nobody_else_may_read_the_files(path):
    async with opened(path) as tier:
        await tier.put(slot(), entry())
        await tier.flush()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        files = list(path.parent.iterdir())
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_the_bound_holds_and_the_newest_stay(path):
    bound = 2_000_000
    async with opened(path, bound) as tier:
        for number in range(600):
            await tier.put(slot(number), entry(os.urandom(10_000)))
            if number % 20 == 0:
                await tier.flush()
                assert (await tier.size())[1] <= bound
        await tier.flush()
        entries, held = await tier.size()
        assert 100 < entries < 200
        assert held <= bound
        assert await tier.get(slot(599)) is not None
        assert await tier.get(slot(0)) is None
    assert path.stat().st_size < 2 * bound


async def test_a_lower_bound_holds_from_the_start(path):
    async with opened(path) as tier:
        for number in range(300):
            await tier.put(slot(number), entry(os.urandom(10_000)))
    async with opened(path, 1_000_000) as tier:
        await tier.flush()
        assert (await tier.size())[1] <= 1_000_000
    async with opened(path, 0) as tier:
        await tier.flush()
        assert (await tier.size())[0] == 0
        await tier.put(slot(), entry())
        assert await tier.get(slot()) is None


async def test_a_value_over_an_eighth_of_the_bound_replaces_but_is_not_kept(path):
    async with opened(path, 80_000) as tier:
        await tier.put(slot(), entry(b"x" * 10_000))
        await tier.put(slot(1), entry(b"x" * 10_001))
        assert await tier.get(slot()) is not None
        assert await tier.get(slot(1)) is None
        await tier.put(slot(), entry(b"x" * 10_001))
        assert await tier.get(slot()) is None


async def test_expired_rows_are_swept(path):
    async with opened(path, tend=0.02) as tier:
        for number in range(1500):
            await tier.put(slot(number), entry(ttl=0.05))
        await tier.put(slot(-1), entry())
        await tier.flush()

        async def only_the_lasting_one():
            return (await tier.size())[0] == 1

        await until(only_the_lasting_one)


async def test_a_purge_gives_the_space_back(path):
    async with opened(path) as tier:
        for number in range(300):
            await tier.put(slot(number), entry(os.urandom(10_000)))
        assert await tier.purge(Match()) == 300
    assert path.stat().st_size < 200_000


async def test_a_purge_reaches_what_others_have_put_and_are_yet_to_write(path):
    async with opened(path) as one, opened(path) as two:
        await one.put(slot(1), entry())
        await one.flush()
        purged = threading.Event()
        one._behind.call(purged.wait)  # what follows is written after the purge
        await one.put(slot(2), entry())
        assert await two.purge(Match(tenant="team")) == 1
        await one.put(slot(3), entry())
        purged.set()
        await one.flush()
        assert await one.get(slot(1)) is None
        assert await one.get(slot(2)) is None
        assert await two.get(slot(3)) is not None
        for tier in (one, two):
            (made,) = await tier.purges()
            assert made.match == Match(tenant="team")
            assert await tier.purges() == []


async def test_reads_go_on_while_another_process_writes(path):
    async with opened(path) as tier:
        await tier.put(slot(), entry())
        await tier.flush()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await tier.get(slot()) is not None
            assert await tier.get(slot(1)) is None
            other.execute("ROLLBACK")


async def test_several_processes_may_write_at_once(path):
    with contextlib.ExitStack() as stack:
        async with opened(path, store_writer.BOUND) as tier:
            for first in (0, 1_000_000, 2_000_000):
                writer = stack.enter_context(store_writer.start_writer(path, first))
                stack.callback(writer.kill)

                async def has_written(first=first):  # asked at once: later it makes room
                    return await tier.get(store_writer.slot(first)) is not None

                await until(has_written)
            await tier.put(slot(), entry())
            await tier.flush()


@pytest.mark.parametrize("begun", [False, True])
async def test_work_that_nobody_waits_for_any_more_does_not_end_the_writing(path, begun):
    async with opened(path) as tier:
        running, free = threading.Event(), threading.Event()

        def slow():
            running.set()
            free.wait()

        jobs = [asyncio.wrap_future(tier._behind.call(slow)) for _ in range(2)]
        await asyncio.to_thread(running.wait, 5)
        jobs[0 if begun else 1].cancel()
        await asyncio.sleep(0)
        free.set()
        await tier.put(slot(), entry())
        await asyncio.wait_for(tier.flush(), 5)
        assert (await tier.size())[0] == 1
