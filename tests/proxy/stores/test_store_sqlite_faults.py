import asyncio
import contextlib
import os
import random
import sqlite3
import subprocess
import sys

import pytest

from proxy.stores import sqlite_rows as rows
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Match, Slot, StoreError, digest
from tests.fakes import store_writer
from tests.fakes.stores import BOUND, entry, opened, slot


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "store.sqlite"


def _pages(path, needle):
    """Where a value lies in the file."""
    return path.read_bytes().index(needle)


async def test_a_torn_value_is_a_miss_and_is_deleted(path):
    async with opened(path) as tier:
        await tier.put(slot(1), entry(b"A" * 3000))
        await tier.put(slot(2), entry(b"B" * 3000))
    with path.open("r+b") as file:
        file.seek(_pages(path, b"A" * 100) + 1000)
        file.write(b"?")
    async with opened(path) as tier:
        assert await tier.get(slot(1)) is None
        assert await tier.get(slot(2)) is not None
        await tier.flush()
        assert (await tier.size())[0] == 1


THEIRS = Slot("cache.exact", "them", b"key-0")


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("slot", digest(THEIRS)),
        ("space", "memo"),
        ("tenant", "them"),
        ("model", b"\xff"),
        ("stored", 9e9),
        ("expires", 9e9),
        ("value", "text"),
        ("seal", b""),
    ],
)
async def test_a_row_that_was_changed_or_moved_is_not_served(path, what, value):
    async with opened(path) as tier:
        await tier.put(THEIRS, entry())
        await tier.flush()
        await tier.delete(THEIRS)
        await tier.put(slot(), entry())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"UPDATE entries SET {what} = ?", (value,))
    async with opened(path) as tier:
        assert await tier.get(THEIRS if what == "slot" else slot()) is None
        await tier.flush()
        assert (await tier.size())[0] == 0


@pytest.mark.parametrize("damage", ["text", "half", "head", "schema"])
async def test_a_damaged_file_is_set_aside(path, damage, caplog):
    async with opened(path) as tier:
        for number in range(50):
            await tier.put(slot(number), entry(os.urandom(5000)))
    whole = path.read_bytes()
    path.write_bytes(
        {
            "text": b"not a database " * 1000,
            "half": whole[: len(whole) // 3],
            "head": b"\0" * 100 + whole[100:],
            "schema": whole[:100] + b"\xff" * 3996 + whole[4096:],
        }[damage]
    )
    async with opened(path) as tier:
        for number in range(50):
            with contextlib.suppress(sqlite3.DatabaseError):
                await tier.get(slot(number))
        with contextlib.suppress(sqlite3.DatabaseError):
            await tier.flush()
        await tier.put(slot(), entry(b"anew"))
        await tier.flush()
        assert (await tier.get(slot())).value == b"anew"
    assert path.with_name("store.sqlite.damaged").exists()
    assert sum("set aside" in line for line in caplog.messages) == 1


async def test_damage_while_open_is_mended_by_all_who_share_the_file(path):
    async with opened(path) as one, opened(path) as two:
        for number in range(300):
            await one.put(slot(number), entry(os.urandom(5000)))
        await one.flush()
    async with opened(path) as one, opened(path) as two:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        await asyncio.sleep(0.03)
        for number in range(300):
            with contextlib.suppress(sqlite3.DatabaseError):
                await one.get(slot(number))
        with contextlib.suppress(sqlite3.DatabaseError):
            await one.flush()
        for tier in (one, two):  # whichever came upon the damage, the other follows
            await tier.purges()
        with contextlib.suppress(StoreError):  # which tells of the writes before it
            await one.put(slot(), entry(b"anew"))
        await one.flush()
        assert (await two.get(slot())).value == b"anew"
        assert await two.purge(Match()) == 1
        assert len(await one.purges()) == 1


async def test_a_file_removed_while_open_is_made_anew(path):
    async with opened(path) as one, opened(path) as two:
        await one.put(slot(1), entry())
        await one.purge(Match(model="x"))
        assert len(await two.purges()) == 1
        for file in path.parent.iterdir():
            file.unlink()
        assert await one.purges() == []
        assert await two.purges() == []
        await one.put(slot(2), entry())
        await one.flush()
        assert await two.get(slot(1)) is None
        assert await two.get(slot(2)) is not None
        await one.purge(Match(model="y"))
        assert [made.match.model for made in await two.purges()] == ["y"]


async def test_tables_of_an_older_format_are_dropped(path):
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE entries (space TEXT, tenant TEXT, key BLOB)")
    for kept in (False, True):
        async with opened(path) as tier:
            assert (await tier.get(slot()) is not None) is kept
            await tier.put(slot(), entry())


async def test_an_sqlite_that_is_too_old_is_told_of(path, monkeypatch):
    assert 8 * rows.MOST + 1 <= 32_766
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(sqlite3.NotSupportedError, match=r"3\.32 or newer"):
        await SqliteTier(path, BOUND).setup()


async def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    tier = SqliteTier(tmp_path / "file" / "store.sqlite", BOUND)
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        await tier.setup()
    with pytest.raises(StoreError):
        await tier.get(slot())
    with pytest.raises(StoreError):
        await tier.put(slot(), entry())
    await tier.aclose()


async def test_a_file_locked_by_another_process_is_left_alone(path):
    async with opened(path) as tier:
        await tier.put(slot(), entry())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("INSERT INTO purges (purge) VALUES (x'')")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await SqliteTier(path, BOUND).setup()
        other.execute("ROLLBACK")
    async with opened(path) as tier:
        assert await tier.get(slot()) is not None
    assert not path.with_name("store.sqlite.damaged").exists()


FULL = """
import asyncio, os, resource, sys, time
from pathlib import Path
from policies.base.ports import Entry
from proxy.stores import sqlite_rows as rows
from proxy.stores.sqlite import SqliteTier
from proxy.stores.tier import Slot, StoreError

async def main():
    tier = SqliteTier(Path(sys.argv[1]), 64_000_000)
    await tier.setup()
    first = Slot("s", "t", b"first")
    await tier.put(first, Entry(b"first", time.time(), 0.0))
    await tier.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    lost = 0
    for number in range(40):
        try:
            slot = Slot("s", "t", b"%d" % number)
            await tier.put(slot, Entry(os.urandom(50_000), time.time(), 0.0))
            await tier.flush()
        except Exception:
            lost += 1
    assert lost > 20, lost
    found = await tier.get(first)
    assert found is not None and found.value == b"first"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for attempt in range(2):
        try:
            await tier.put(first, Entry(b"again", time.time(), 0.0))
            await tier.flush()
        except StoreError:
            assert attempt == 0
            await tier.flush()
    await tier.aclose()

asyncio.run(main())
"""


async def test_a_full_disk_loses_writes_until_there_is_room(path):
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FULL, path], check=True, timeout=30
    )
    async with opened(path) as tier:
        assert (await tier.get(Slot("s", "t", b"first"))).value == b"again"


async def test_a_full_queue_declines_writes(path):
    async with opened(path, 1_000_000) as tier:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            await tier.flush()
            other.execute("BEGIN IMMEDIATE")
            for number in range(8):
                await tier.put(slot(number), entry(b"x" * 100_000))
            with pytest.raises(StoreError, match="faster"):
                await asyncio.gather(
                    *(tier.put(slot(number), entry(b"x" * 100_000)) for number in range(8, 12))
                )
            other.execute("ROLLBACK")
        await tier.flush()
        await tier.put(slot(), entry())


async def _killed(path, rounds):
    """Kill a writing process `rounds` times and read back all that it left."""
    dice = random.Random(rounds)
    number = 0
    for _ in range(rounds):
        with store_writer.start_writer(path, number) as writer:
            await asyncio.sleep(dice.uniform(0.005, 0.12))
            writer.kill()
        async with opened(path, store_writer.BOUND) as tier:
            await tier.flush()
            entries, _ = await tier.size()
            assert not path.with_name("store.sqlite.damaged").exists()
            whole, number = 0, 0
            while whole < entries:
                found = await tier.get(store_writer.slot(number))
                if found is not None:
                    assert found.value == store_writer.value(number)
                    whole += 1
                number += 1
    assert number > rounds


async def test_what_a_killed_process_leaves_is_whole(path):
    await _killed(path, 8)


@pytest.mark.fuzz
async def test_what_a_killed_process_leaves_is_whole_many_times(path):
    await _killed(path, 60)
