import asyncio
import contextlib
import sqlite3

import pytest

from proxy.stores.presence import Presence
from proxy.stores.sqlite_file import open_file
from proxy.stores.sqlite_presence import rebuild
from proxy.stores.tier import Match, digest
from tests.fakes import store_writer
from tests.fakes.stores import entry, opened, slot, until
from tests.proxy.stores.test_store_presence import full_disk

SMALL = 1_000_000
BITS = 1 << 15


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def complete(tier, number=-1):
    """Waits until a slot that never had an entry is known to have none."""

    async def lacks():
        return tier.lacks(slot(number))

    return until(lacks)


async def fill(tier, count):
    for number in range(count):
        await tier.put(slot(number), entry())
        if number % 1000 == 0:
            await tier.flush()
    await tier.flush()


async def filled(path, count):
    async with opened(path, SMALL) as tier:
        await fill(tier, count)


async def test_absence_is_told_without_a_look_at_the_disk(path):
    async with opened(path) as tier:
        await complete(tier)
        tier._reader.shutdown()
        for number in range(100):
            assert await tier.get(slot(number)) is None


async def test_what_is_queued_written_or_deleted_is_never_lacking(path):
    async with opened(path) as tier:
        await complete(tier)
        for number in range(300):
            await tier.put(slot(number), entry())
            assert not tier.lacks(slot(number))
        await tier.flush()
        assert not any(tier.lacks(slot(number)) for number in range(300))
        await tier.delete(slot(1))
        assert await tier.get(slot(1)) is None


async def test_before_it_is_open_nothing_is_lacking(path):
    async with opened(path) as tier:
        await complete(tier)
    assert not tier.lacks(slot())


async def test_another_process_sees_what_was_committed(path):
    async with opened(path) as one, opened(path) as two:
        await complete(one)
        await complete(two)
        for number in range(50):
            await one.put(slot(number), entry())
            await one.flush()
            assert not two.lacks(slot(number))
            assert await two.get(slot(number)) is not None


@pytest.mark.parametrize("loss", ["missing", "text", "cut", "other database"])
async def test_it_is_made_anew_from_the_rows(path, loss):
    await filled(path, 3000)
    file = path.with_suffix(".presence")
    whole = file.read_bytes()
    if loss == "missing":
        file.unlink()
    elif loss == "other database":
        file.unlink()
        presence = Presence(file, BITS, inode=1)
        presence.complete()
    else:
        file.write_bytes({"text": b"text", "cut": whole[:-100]}[loss])
    async with opened(path, SMALL) as tier:
        assert await tier.get(slot(1)) is not None
        await complete(tier)
        for number in range(3000):
            assert not tier.lacks(slot(number))


async def test_it_is_kept_from_one_process_to_the_next(path):
    await filled(path, 100)
    before = path.with_suffix(".presence").stat().st_ino
    async with opened(path, SMALL, tend=1000.0) as tier:
        assert tier.lacks(slot(-1))
        assert not tier.lacks(slot(1))
    assert path.with_suffix(".presence").stat().st_ino == before


async def test_one_that_is_crowded_by_what_is_gone_is_made_anew(path):
    async with opened(path, SMALL, tend=0.02) as tier:
        await complete(tier)
        await fill(tier, 7000)
        await tier.purge(Match())
        await tier.put(slot(-2), entry())
        await complete(tier, 7)
        assert await tier.get(slot(-2)) is not None


@pytest.mark.parametrize("what", ["store.presence", "*"])
async def test_files_removed_while_open_are_made_anew(path, what):
    async with opened(path) as one, opened(path) as two:
        await complete(one)
        for file in list(path.parent.glob(what)):
            file.unlink()
        await one.put(slot(1), entry())
        await one.purges()
        await two.purges()
        await one.put(slot(2), entry())
        await two.put(slot(3), entry())
        for tier in (one, two):
            await tier.flush()
            await tier.purges()
        for tier in (one, two):
            await complete(tier)
            assert await tier.get(slot(2)) is not None
            assert await tier.get(slot(3)) is not None


async def test_a_process_that_only_reads_finds_the_new_file_too(path):
    async with opened(path) as one, opened(path) as two:
        await complete(two)
        path.with_suffix(".presence").unlink()
        await one.put(slot(), entry())
        await one.flush()
        await two.purges()
        assert await two.get(slot()) is not None


async def test_a_larger_bound_takes_over_from_processes_that_run(path):
    async with opened(path, SMALL) as one:
        await complete(one)
        await one.put(slot(1), entry())
        await one.flush()
        async with opened(path, 100 * SMALL) as two:
            await complete(two)
            await one.put(slot(2), entry())
            await one.flush()  # unseen by the other process until this one looks round
            await one.purges()
            await two.purges()
            await complete(two)
            for number in (1, 2):
                assert await two.get(slot(number)) is not None


async def test_without_room_for_it_reads_go_to_the_disk(path, caplog):
    with full_disk(200_000):
        async with opened(path, tend=0.02) as tier:
            await tier.put(slot(), entry())
            await tier.flush()
            assert not tier.lacks(slot(1))
            assert await tier.get(slot(1)) is None
            assert await tier.get(slot()) is not None
            await asyncio.sleep(0.06)
            assert [line for line in caplog.messages if "presence" in line] == caplog.messages
            assert len(caplog.messages) == 1
    async with opened(path, tend=0.02) as tier:
        await complete(tier)
        assert await tier.get(slot()) is not None


async def test_room_that_comes_later_is_taken(path):
    file = path.with_suffix(".presence")
    file.mkdir()
    async with opened(path, tend=0.02) as tier:
        await tier.put(slot(), entry())
        await tier.flush()
        assert await tier.get(slot(1)) is None
        file.rmdir()
        await complete(tier)
        assert await tier.get(slot()) is not None


async def test_a_rebuild_that_was_given_up_is_taken_up_by_others(path):
    await filled(path, 3000)
    file = open_file(path, BITS)
    steps = rebuild(file.presence, file.write)
    assert next(steps)
    async with opened(path, SMALL, tend=0.02) as tier:
        assert not tier.lacks(slot(-1))
        assert await tier.get(slot(1)) is not None
        steps.close()  # as the end of its process would
        await complete(tier)
        assert not any(tier.lacks(slot(number)) for number in range(3000))
    file.close()


async def test_a_row_has_its_bits_before_others_can_see_it(path):
    async with opened(path) as tier:
        await complete(tier)
        seen = []

        def look(statement):
            if statement.startswith("INSERT"):
                seen.append(tier._file.may_hold(digest(slot())))

        tier._file.write.set_trace_callback(look)
        await tier.put(slot(), entry())
        await tier.flush()
        assert seen == [True]


async def test_a_row_keeps_its_bits_where_the_filter_is_cleared_as_it_is_written(path):
    async with opened(path) as tier:
        await complete(tier)
        other = Presence(path.with_suffix(".presence"), BITS, path.stat().st_ino)

        def clear(statement):
            if statement.startswith("INSERT"):
                other.clear()
                other.complete()

        tier._file.write.set_trace_callback(clear)
        await tier.put(slot(), entry())
        await tier.flush()
        assert not tier.lacks(slot())
        assert tier.lacks(slot(1))


async def test_no_row_is_left_out_while_other_processes_write(path):
    """Again and again made anew, by this process, under the writes of others."""
    # Large, since a bit may be lost where two processes change one byte at once.
    file = open_file(path, 1 << 25)
    writers = [store_writer.start_writer(path, first) for first in (0, 10_000_000)]
    try:
        for _ in range(15):
            for _ in rebuild(file.presence, file.write):
                await asyncio.sleep(0.002)
            assert file.in_order()
            found = file.read.execute("SELECT slot FROM entries").fetchall()

            async def none_is_lacking(found=found):
                return all(file.may_hold(key) for (key,) in found)

            # Rows of a transaction that the clearing cut into get their bits right after it.
            await until(none_is_lacking)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(found) > 50
    file.close()


async def test_a_damaged_digest_does_not_stop_the_walk(path):
    await filled(path, 20)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for number, odd in enumerate(["text", b"", b"x" * 15, b"y" * 40, 5, "sixteen letters."]):
            key = digest(slot(number))
            database.execute("UPDATE entries SET slot = ? WHERE slot = ?", (odd, key))
    path.with_suffix(".presence").unlink()
    async with opened(path, SMALL) as tier:
        await complete(tier)
        for number in range(6, 20):
            assert await tier.get(slot(number)) is not None
