"""Entries in one SQLite file that all worker processes share, written behind.

What is longest stored goes first when the file's used pages exceed the bound. An entry is
on disk some hundredths of a second after `put`; a process that is killed in between loses
it, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from policies.base.ports import Entry
from proxy.stores import sqlite_rows as rows
from proxy.stores.memory import LARGEST
from proxy.stores.presence import bits_for
from proxy.stores.sqlite_file import SqliteFile, is_damage, open_file, set_aside
from proxy.stores.sqlite_presence import rebuild
from proxy.stores.tier import Match, Purge, Slot, StoreError, digest, live, seal
from proxy.stores.write_behind import GONE, Batch, WriteBehind

log = logging.getLogger(__name__)
T = TypeVar("T")

_LINGER = 0.005  # seconds in which entries gather before they are queued
_TOGETHER = 64  # of them at most
_LARGE = 64 * 1024  # bytes of one that does not wait
_TEND = 30.0  # seconds between sweeps
_SWEEPS = 20  # batches of one sweep, so that writes need not wait long
_ROW = 200  # bytes of a row that are not its value
_MIB = 1 << 20


class SqliteTier:
    """`bound` in bytes of used pages; 0 keeps nothing but still carries purges."""

    name = "sqlite"

    def __init__(self, path: Path, bound: int, tend: float = _TEND) -> None:
        self._path = path
        self._bound = bound
        self._pause = tend
        self._file: SqliteFile
        self._reader: ThreadPoolExecutor
        self._behind: WriteBehind | None = None
        self._loop: asyncio.AbstractEventLoop
        self._late: dict[Slot, Entry] = {}  # put, and not yet queued for the thread
        self._lost: StoreError | None = None  # why some of them were not, until it is told

    async def setup(self) -> None:
        """Open or make the file; a damaged one is renamed and a new one made.

        Raises `OSError` or `sqlite3.Error` when there can be none; may be called again.
        """
        self._file = await asyncio.to_thread(open_file, self._path, bits_for(self._bound))
        self._reader = ThreadPoolExecutor(1, "penstock-store-read")
        limit = min(32 * _MIB, max(self._bound // 4, _MIB))
        self._loop = asyncio.get_running_loop()
        self._behind = WriteBehind(self._write, self._tend, limit, self._pause)
        self._behind.start()

    async def aclose(self) -> None:
        """Write what is queued and close the file."""
        self._queue_late()
        behind, self._behind = self._behind, None
        if behind is not None:
            await asyncio.to_thread(behind.close)
            await asyncio.to_thread(self._reader.shutdown)
            self._file.close()

    async def flush(self) -> None:
        """Return once all that was put has been written. Raises if it was lost."""
        behind = self._opened()
        self._queue_late()
        await asyncio.wrap_future(behind.call(_nothing))
        if behind.failure is not None:
            raise behind.failure

    def lacks(self, slot: Slot) -> bool:
        """Whether it is known at once that there is no entry."""
        behind = self._behind
        if behind is None or slot in self._late:
            return False
        key = digest(slot)
        # In this order: a row leaves the queue once its bits are set.
        return behind.find(key) is None and not self._file.may_hold(key)

    async def get(self, slot: Slot) -> Entry | None:
        """The live entry, read in a thread where it may be on disk."""
        late = self._late.get(slot)
        if late is not None:
            return live(late, time.time())
        key = digest(slot)
        queued = self._opened().find(key)
        if queued is not None:
            return live(queued, time.time())
        if not self._file.may_hold(key):
            return None
        return await self._read(lambda file: self._load(file, slot))

    async def put(self, slot: Slot, entry: Entry) -> None:
        """Queue the entry. Raises the error that lost the writes before it, if one did."""
        behind = self._opened()
        if not self._bound:
            return
        if len(entry.value) > self._bound // LARGEST:
            entry = GONE
        if not self._late:
            self._loop.call_later(_LINGER, self._queue_late)
        self._late[slot] = entry
        if len(self._late) >= _TOGETHER or len(entry.value) > _LARGE:
            self._queue_late()
        lost, self._lost = self._lost, None
        if lost is not None:
            raise lost
        if behind.failure is not None:
            raise StoreError(f"writes are being lost: {behind.failure}") from behind.failure

    def delete(self, slot: Slot) -> Coroutine[Any, Any, None]:
        """Queue the deletion. Raises as `put` does."""
        return self.put(slot, GONE)

    def _queue_late(self) -> None:
        """Hand on what was put: together, since code that has just run runs twice as fast.

        Sealed here rather than by the writing thread, which gets the interpreter too rarely.
        """
        late, self._late = self._late, {}
        batch: Batch = {}
        for slot, entry in late.items():
            sealed = b"" if entry is GONE else seal(slot, entry)
            batch[digest(slot)] = (slot, entry, sealed)
        try:
            if batch:
                self._opened().put(batch)
        except StoreError as error:
            self._lost = error

    async def purge(self, match: Match) -> int:
        """Remove what fits, here and by way of `purges` in all other processes."""
        self._queue_late()
        job = self._opened().call(lambda: self._on_file(lambda file: rows.purge(file.write, match)))
        removed: int = await asyncio.wrap_future(job)
        return removed

    async def size(self) -> tuple[int, int]:
        """Rows, and bytes of used pages."""
        return await self._read(lambda file: (rows.count(file.read), rows.used(file.read)))

    async def purges(self) -> list[Purge]:
        """Purges made by any process since the last call."""
        if not await self._read(SqliteFile.in_order):
            await asyncio.wrap_future(self._opened().call(self._follow))
        return await self._read(_news)

    def _opened(self) -> WriteBehind:
        if self._behind is None:
            raise StoreError("the store is not open")
        return self._behind

    async def _read(self, job: Callable[[SqliteFile], T]) -> T:
        self._opened()
        file = self._file
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, job, file)
        except sqlite3.DatabaseError as error:
            self._report(file, error)
            raise

    def _report(self, file: SqliteFile, error: sqlite3.DatabaseError) -> None:
        """Have a damaged file replaced by the one thread that may."""
        if is_damage(error):
            self._opened().call(lambda: self._replace(file, error))

    # What follows runs in the reading thread ...

    def _load(self, file: SqliteFile, slot: Slot) -> Entry | None:
        found = rows.load(file.read, slot)
        if found is None:
            return None
        row, entry = found
        if entry is None:
            log.warning("%s: an entry does not fit its seal and is deleted", self._path)
            self._opened().call(lambda: self._on_file(lambda file: rows.remove(file.write, row)))
        return live(entry, time.time())

    # ... and this in the writing one.

    def _on_file(self, job: Callable[[SqliteFile], T]) -> T:
        file = self._file
        try:
            return job(file)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self._replace(file, error)
            raise

    def _write(self, batch: Batch) -> None:
        self._on_file(lambda file: _write(file, batch, self._bound))

    def _tend(self) -> None:
        self._on_file(lambda file: _tend(file, self._bound))
        if self._file.presence is None:
            self._file.look()
        self._renew()

    def _renew(self) -> None:
        """Begin to make the filter anew, if that is due."""
        file = self._file
        if file.presence is not None and file.presence.is_due(lambda: rows.count(file.write)):
            self._go_on(file, rebuild(file.presence, file.write))

    def _go_on(self, file: SqliteFile, steps: Iterator[bool]) -> None:
        """Take a step, and the next after the writes that came in meanwhile."""
        if file is self._file and self._on_file(lambda _: next(steps, False)):
            self._opened().call(lambda: self._go_on(file, steps))

    def _replace(self, file: SqliteFile, error: Exception) -> None:
        if file is self._file:
            set_aside(self._path, file.inode, error)
            self._follow()

    def _follow(self) -> None:
        """Open the files that took the place of those that are open."""
        old = self._file
        if not old.in_place():
            self._file = open_file(self._path, bits_for(self._bound))
            # Each by the thread that uses it: a connection closed in use can crash us.
            old.write.close()
            self._reader.submit(old.read.close)
        elif old.presence is not None and not old.presence.in_place():
            old.look()
            if old.presence is not None:  # what we wrote meanwhile is not in it
                old.presence.doubt()
        self._renew()


def _write(file: SqliteFile, batch: Batch, bound: int) -> None:
    gone = [key for key, (_, entry, _) in batch.items() if entry is GONE]
    if gone:
        rows.delete(file.write, gone)
    kept = [(key, *write) for key, write in batch.items() if write[1] is not GONE]
    for start in range(0, len(kept), rows.MOST):
        _insert(file, kept[start : start + rows.MOST])
    file.room -= sum(len(entry.value) + _ROW for _, _, entry, _ in kept)
    if file.room < 0:
        file.room = rows.evict(file.write, bound)


def _insert(file: SqliteFile, kept: list[tuple[bytes, Slot, Entry, bytes]]) -> None:
    while kept:
        with file.adding([key for key, *_ in kept]):
            if rows.insert(file.write, [rows.row(*each) for each in kept], file.heeded):
                return
        # A purge that another process made while these were waiting holds for them too.
        purges = rows.purges(file.write, file.heeded)
        if not purges:
            raise StoreError("rows are refused though there was no purge")
        for number, made in purges:
            file.heeded = number
            kept = [each for each in kept if not made.took(each[1], each[2])]


def _tend(file: SqliteFile, bound: int) -> None:
    for _ in range(_SWEEPS):
        if not rows.sweep(file.write, time.time()):
            break
    file.room = rows.evict(file.write, bound)
    rows.shrink(file.write)


def _news(file: SqliteFile) -> list[Purge]:
    found = rows.purges(file.read, file.told)
    if found:
        file.told = found[-1][0]
    return [made for _, made in found]


def _nothing() -> None:
    """What `flush` waits for."""
