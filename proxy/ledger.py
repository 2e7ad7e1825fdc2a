"""What every request cost, in SQLite: one row per request, one per step.

Rows are written by a thread of each process, in batches. A ledger that cannot be written
(disk full, folder read-only, file locked) costs rows, never requests: what is lost is counted
and told to `on_lost`, and each outage is logged once.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import astuple

from proxy.entry import LedgerEntry, RequestRow, StepRow
from proxy.stores.sqlite_version import require

log = logging.getLogger("penstock.ledger")

VERSION = 2
_PERIOD = 0.2  # seconds between batches
_BATCH = 2_000  # requests in one transaction
_QUEUE = 50_000  # requests waiting for the disk
_BUSY = 5.0  # seconds to wait for another process's transaction
_SWEEP = 60.0  # seconds between looks for old rows
_SWEPT = 1_000  # old requests deleted in one transaction
_SWEEPS = 10  # such transactions between two batches

_SCHEMA = """
CREATE TABLE requests (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL, time REAL NOT NULL, tenant TEXT NOT NULL, route TEXT NOT NULL,
  pipeline TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, backend TEXT NOT NULL,
  status INTEGER NOT NULL, cache TEXT NOT NULL, stream INTEGER NOT NULL,
  uncached INTEGER NOT NULL, read INTEGER NOT NULL, write INTEGER NOT NULL,
  output INTEGER NOT NULL, estimated INTEGER NOT NULL, usd REAL, usd_direct REAL,
  tokens_before INTEGER NOT NULL, tokens_after INTEGER NOT NULL, attempts INTEGER NOT NULL,
  overhead_s REAL NOT NULL, ttft_s REAL, total_s REAL NOT NULL, error TEXT,
  holdout INTEGER NOT NULL
) STRICT;
CREATE INDEX requests_time ON requests (time);
CREATE TABLE steps (
  request INTEGER NOT NULL REFERENCES requests (n), n INTEGER NOT NULL,
  policy TEXT NOT NULL, decision TEXT NOT NULL, why TEXT NOT NULL, mode TEXT NOT NULL,
  applied INTEGER NOT NULL, effect TEXT NOT NULL,
  tokens_before INTEGER NOT NULL, tokens_after INTEGER NOT NULL,
  usd_before REAL, usd_after REAL, seconds REAL NOT NULL,
  PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID;
"""
_MISSED = """
ALTER TABLE requests ADD COLUMN predicted_read INTEGER;
ALTER TABLE requests ADD COLUMN missed TEXT NOT NULL DEFAULT '';
"""
MIGRATIONS = {0: _SCHEMA, 1: _MISSED}  # version found -> the SQL that leads to the next


_REQUEST = ("requests", ("n", *RequestRow.__struct_fields__))
_STEP = ("steps", ("request", *StepRow.__struct_fields__))
_NULLS = {"error": "nullif(?, '')", "predicted_read": "nullif(?, -1)"}  # see `RequestRow`
_TOGETHER = (512, 64, 8, 1)  # rows per statement


def connect(path: Path) -> sqlite3.Connection:
    """The ledger, created or migrated if need be. Raises `OSError` or `sqlite3.Error`."""
    require(3, 37)  # which has strict tables, and room for 32,766 values in a statement
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # for its owner only, like the store
    db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")  # safe in WAL mode, also against kill -9
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch a new file's mode: of several workers that do so at once SQLite lets none wait."""
    until = time.monotonic() + _BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(_PERIOD / 10)


def _migrate(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")  # of several workers one migrates, the others then see it done
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise sqlite3.DatabaseError(f"the ledger is of version {found}, newer than {VERSION}")
    for step in range(found, VERSION):
        for statement in MIGRATIONS[step].split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


class Ledger:
    """Takes entries from any thread; a thread of its own writes them.

    `keep` is how long rows stay, in seconds (0: for ever). `on_lost` is called with the
    number of requests whose rows were lost, on the writer's thread.
    """

    def __init__(
        self, path: Path, keep: float = 0.0, on_lost: Callable[[int], None] | None = None
    ) -> None:
        self._path = path
        self._keep = keep
        self._on_lost = on_lost
        self._queue: deque[LedgerEntry] = deque()
        self._overflow = 0
        self._db: sqlite3.Connection | None = None
        self._failing = False
        self._swept = 0.0
        self._closing = False
        self._wake = threading.Event()
        self._round = threading.Condition()
        self._asked = self._done = 0
        self._thread = threading.Thread(target=self._run, name="penstock-ledger", daemon=True)
        self._thread.start()

    def record(self, entry: LedgerEntry) -> None:
        """Queue an entry; it is dropped and counted when too many wait for the disk."""
        if len(self._queue) < _QUEUE:
            self._queue.append(entry)
        else:
            self._overflow += 1

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all entries recorded so far are written or lost; False when it took longer.

        Blocks: from an event loop, call it in a thread.
        """
        if not self._thread.is_alive():
            return not self._queue
        with self._round:
            self._asked += 1
            mine = self._asked
            self._wake.set()
            return self._round.wait_for(lambda: self._done >= mine, timeout)

    def close(self) -> None:
        """Write what is queued and stop. Blocks as `flush` does."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(_PERIOD)
            self._wake.clear()
            asked, last = self._asked, self._closing
            while self._queue:
                self._write([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])
            self._sweep()
            if self._overflow:
                overflow, self._overflow = self._overflow, 0
                self._lose(overflow, "the queue is full")
            with self._round:
                self._done = asked
                self._round.notify_all()
            if last:
                break
        self._disconnect()

    def _write(self, batch: list[LedgerEntry]) -> None:
        try:
            if self._db is None:
                self._db = connect(self._path)
            _insert_all(self._db, batch)
        except (OSError, sqlite3.Error) as error:
            self._disconnect()
            self._lose(len(batch), str(error))
        else:
            self._failing = False

    def _lose(self, count: int, reason: str) -> None:
        if not self._failing:
            self._failing = True
            log.error("the ledger %s cannot be written, rows are lost: %s", self._path, reason)
        if self._on_lost is not None:
            self._on_lost(count)

    def _disconnect(self) -> None:
        """Close the connection, which ends any transaction; it is opened again when needed."""
        if self._db is not None:
            with suppress(sqlite3.Error):  # what went wrong has been reported by the write
                self._db.close()
            self._db = None

    def _sweep(self) -> None:
        """Delete some of what is older than `keep`; come back at once while there is more."""
        now = time.time()
        if self._keep <= 0 or self._db is None or now < self._swept + _SWEEP:
            return
        try:
            if all(sweep(self._db, now - self._keep) == _SWEPT for _ in range(_SWEEPS)):
                return
        except sqlite3.Error as error:
            self._disconnect()
            log.warning("old rows of the ledger %s cannot be deleted: %s", self._path, error)
        self._swept = now


def _insert_all(db: sqlite3.Connection, batch: list[LedgerEntry]) -> None:
    """Write a batch in one transaction: a request comes with all its steps or not at all."""
    db.execute("BEGIN IMMEDIATE")
    last = db.execute("SELECT max(n) FROM requests").fetchone()[0] or 0
    numbered = list(enumerate(batch, last + 1))
    _put(db, _REQUEST, [(n, *astuple(entry.request)) for n, entry in numbered])
    _put(db, _STEP, [(n, *astuple(step)) for n, entry in numbered for step in entry.steps])
    db.execute("COMMIT")


def _put(
    db: sqlite3.Connection, table: tuple[str, tuple[str, ...]], rows: list[tuple[Any, ...]]
) -> None:
    """Insert many rows per statement.

    The module gives up the interpreter's lock at each statement and then waits for a busy
    event loop to hand it back: row by row, a loaded proxy would never catch up.
    """
    at = 0
    for size in _TOGETHER:
        query = _insert(table, size)
        while len(rows) - at >= size:
            values = list(chain.from_iterable(rows[at : at + size]))
            try:
                db.execute(query, values)
            except UnicodeEncodeError:  # a model's name may carry a lone surrogate
                db.execute(query, [_printable(value) for value in values])
            at += size


@cache
def _insert(table: tuple[str, tuple[str, ...]], size: int) -> str:
    name, columns = table
    marks = ", ".join([_NULLS.get(column, "?") for column in columns])
    rows = ", ".join([f"({marks})"] * size)
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES {rows}"  # noqa: S608 - our names


def _printable(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def sweep(db: sqlite3.Connection, before: float) -> int:
    """Delete up to a thousand requests begun before a Unix time; how many there were."""
    old = f"SELECT n FROM requests WHERE time < ? ORDER BY time, n LIMIT {_SWEPT}"  # noqa: S608 - a constant
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"DELETE FROM steps WHERE request IN ({old})", (before,))  # noqa: S608 - same
    count = db.execute(f"DELETE FROM requests WHERE n IN ({old})", (before,)).rowcount  # noqa: S608 - same
    db.execute("COMMIT")
    return count
