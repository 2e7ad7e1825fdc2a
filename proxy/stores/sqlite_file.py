"""One SQLite file and the connections to it; what is damaged is set aside."""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import functools
import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from proxy.stores.presence import Presence
from proxy.stores.sqlite_version import require

log = logging.getLogger(__name__)

_BUSY = 3.0  # seconds to wait for another process's transaction
_START = 1.0  # the same while starting, when requests may be waiting for us
_FORMAT = 2  # of the tables; those of another format are dropped, being only a cache
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- rises with time: eviction goes by it
    slot BLOB NOT NULL,  -- a digest, since an index of whole keys would be twice as dear to write
    space TEXT NOT NULL,
    tenant TEXT NOT NULL,
    stored REAL NOT NULL,
    expires REAL NOT NULL,
    model TEXT NOT NULL,
    seal BLOB NOT NULL,
    value BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS slots ON entries (slot);
CREATE INDEX IF NOT EXISTS expiry ON entries (expires) WHERE expires > 0;
CREATE TABLE IF NOT EXISTS purges (id INTEGER PRIMARY KEY AUTOINCREMENT, purge BLOB NOT NULL);
"""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteFile:
    """Two connections, for a thread each, and the filter that spares most reads.

    `bits` is the least size of the filter. Without one, `presence` is None. Raises `OSError`
    or `sqlite3.Error` when the file can be neither opened nor made.
    """

    def __init__(self, path: Path, bits: int) -> None:
        self.path = path
        self.presence: Presence | None = None
        self.heeded = 0  # id of the last purge that the writing thread has seen
        self.told = 0  # and of the last that the tier has passed on
        require(3, 32)  # which has room for 32,766 values in a statement
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(path)
        self.inode = path.stat().st_ino
        _prepare(path)
        self.write = _connect(path, _BUSY)
        self.write.execute("PRAGMA cache_size = -8000")  # KiB: writes go all over the index
        self.write.execute("PRAGMA wal_autocheckpoint = 4000")
        self.read = _connect(path, _BUSY)
        self.room = 0  # bytes that may be written before the bound must be looked to
        self._bits = bits
        self._blind = False
        self.look()

    def in_place(self) -> bool:
        """Whether the path still leads to the file that is open."""
        return _inode(self.path) == self.inode

    def look(self) -> None:
        """Have the filter that lies beside the file now, or none where that cannot be."""
        path = self.path.with_suffix(".presence")
        try:
            self.presence = Presence(path, self._bits, self.inode)
        except (OSError, ValueError) as error:
            self.presence = None
            if not self._blind:
                log.warning("%s: none, so each miss costs a look at the disk: %r", path, error)
        self._blind = self.presence is None

    def may_hold(self, key: bytes) -> bool:
        """False when it is certain that no row has this digest. Never raises, reads no disk."""
        presence = self.presence  # which the writing thread may replace at any time
        return presence is None or presence.may_hold(key)

    def adding(self, keys: Collection[bytes]) -> AbstractContextManager[None]:
        """Have the filter tell of rows that are committed inside."""
        presence = self.presence
        return contextlib.nullcontext() if presence is None else presence.adding(keys)

    def in_order(self) -> bool:
        """Whether both files are in place, and the filter, if there can be one, complete."""
        presence = self.presence
        sound = presence is None or (presence.in_place() and presence.is_complete())
        return sound and self.in_place()

    def close(self) -> None:
        """Close both connections, neither of which may be in use."""
        self.read.close()
        self.write.close()


def open_file(path: Path, bits: int) -> SqliteFile:
    """Open or make the file, in place of a damaged one if need be."""
    before = _inode(path)
    try:
        return SqliteFile(path, bits)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        set_aside(path, before, error)
        return SqliteFile(path, bits)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file itself is broken."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def set_aside(path: Path, inode: int | None, why: Exception) -> None:
    """Rename a damaged file, unless another process has replaced it already."""
    with _alone_in(path.parent):
        if inode is None or _inode(path) != inode:
            return
        log.warning("%s is damaged (%s): set aside as %s.damaged", path, why, path.name)
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(path.with_name(f"{path.name}.damaged{suffix}"))


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from renaming at the same time, so that none renames a new file."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_private(path: Path) -> None:
    """Make an empty file that nobody else may read; `-wal` and `-shm` inherit its mode.

    A file that exists is not touched: closing it here would end the locks that SQLite
    holds on it for this process.
    """
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process was first
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    # Made in one thread, used in another, and never in two at once.
    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    # Text that is not UTF-8 comes from damage, which the seal finds out.
    connection.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
    connection.create_function("fits", 2, fnmatch.fnmatchcase, deterministic=True)
    return connection


def _prepare(path: Path) -> None:
    """Bring the file into shape; several processes may be doing so at this moment."""
    deadline = time.monotonic() + _START
    with contextlib.closing(_connect(path, _START)) as connection:
        while True:
            try:
                _lay_out(connection)
                return
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.rollback()
                # The change to WAL does not wait for locks as other statements do.
                if error.sqlite_errorcode & 0xFF not in _LOCKED or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _lay_out(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
        connection.execute("DROP TABLE IF EXISTS entries")
        connection.execute("DROP TABLE IF EXISTS purges")
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("COMMIT")
