"""What the tier says to SQLite. Every transaction here is short: others wait for the lock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec

from policies.base.ports import Entry
from proxy.stores.tier import Match, Purge, Slot, seal
from proxy.stores.write_behind import Batch

_WINDOW = 1000  # rows looked at in one transaction
_ROWS = 64  # rows in one statement: each statement costs one wait for the interpreter
_PAGES = 1000  # pages given back in one transaction
_KEPT_PURGES = 10_000
_ROOM = 0.05  # share of the bound that an eviction frees beyond need
_INSERT = (
    "INSERT OR REPLACE INTO entries"
    " (space, tenant, key, stored, expires, model, seal, value) VALUES "
)
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?)"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, with the write lock held from the start."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def has(connection: sqlite3.Connection, slot: Slot) -> bool:
    """Whether a row is there, live or not; reads the index only."""
    found = connection.execute(
        "SELECT 1 FROM entries WHERE space = ? AND tenant = ? AND key = ?", slot
    )
    return found.fetchone() is not None


def load(connection: sqlite3.Connection, slot: Slot) -> tuple[int, Entry | None] | None:
    """The row's id and its entry; no entry when the row does not fit its seal."""
    row = connection.execute(
        "SELECT id, stored, expires, model, seal, value FROM entries"
        " WHERE space = ? AND tenant = ? AND key = ?",
        slot,
    ).fetchone()
    if row is None:
        return None
    entry = Entry(value=row[5], stored=row[1], expires=row[2], model=row[3])
    whole = isinstance(entry.value, bytes) and seal(slot, entry) == row[4]
    return row[0], entry if whole else None


def remove(connection: sqlite3.Connection, row: int) -> None:
    """Delete one row."""
    connection.execute("DELETE FROM entries WHERE id = ?", (row,))


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Insert or delete each slot; belongs in a transaction."""
    gone = [slot for slot, (entry, _) in batch.items() if entry is None]
    connection.executemany("DELETE FROM entries WHERE space = ? AND tenant = ? AND key = ?", gone)
    rows = (
        (*slot, entry.stored, entry.expires, entry.model, seal_, entry.value)
        for slot, (entry, seal_) in batch.items()
        if entry is not None
    )
    while chunk := list(islice(rows, _ROWS)):
        statement = _INSERT + ", ".join([_ROW] * len(chunk))
        connection.execute(statement, [value for row in chunk for value in row])


def purges(connection: sqlite3.Connection, after: int) -> list[tuple[int, Purge]]:
    """Purges recorded after the one with this id, oldest first."""
    rows = connection.execute("SELECT id, purge FROM purges WHERE id > ? ORDER BY id", (after,))
    return [(row, msgspec.msgpack.decode(purge, type=Purge)) for row, purge in rows]


def purge(connection: sqlite3.Connection, match: Match) -> int:
    """Record the purge, then remove the rows; returns how many."""
    with transaction(connection):
        made = Purge(match, time.time())
        row = connection.execute(
            "INSERT INTO purges (purge) VALUES (?)", (msgspec.msgpack.encode(made),)
        ).lastrowid
        connection.execute("DELETE FROM purges WHERE id <= ?", ((row or 0) - _KEPT_PURGES,))
        # Ids only rise, so whatever is stored after the purge is out of its reach.
        newest = connection.execute("SELECT max(id) FROM entries").fetchone()[0] or 0
    removed = _remove(connection, made, newest)
    while shrink(connection):
        pass
    return removed


def _remove(connection: sqlite3.Connection, made: Purge, newest: int) -> int:
    condition, values = _condition(made)
    removed = done = 0
    while done < newest:
        window = "SELECT max(id) FROM (SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT ?)"
        end = connection.execute(window, (done, _WINDOW)).fetchone()[0] or newest
        end = min(end, newest)
        cursor = connection.execute(
            f"DELETE FROM entries WHERE id > ? AND id <= ?{condition}",  # noqa: S608 - our own text
            (done, end, *values),
        )
        removed += cursor.rowcount
        done = end
    return removed


def _condition(made: Purge) -> tuple[str, list[object]]:
    """`Match.fits` in SQL."""
    match = made.match
    oldest = None if match.older_than is None else made.at - match.older_than
    terms: list[tuple[str, object]] = [
        (" AND tenant = ?", match.tenant),
        (" AND space = ?", match.space),
        (" AND stored <= ?", oldest),
        (" AND fits(model, ?)", match.model),
    ]
    given = [(text, value) for text, value in terms if value is not None]
    return "".join(text for text, _ in given), [value for _, value in given]


def sweep(connection: sqlite3.Connection, now: float) -> bool:
    """Remove some expired rows; whether there may be more."""
    expired = "SELECT id FROM entries WHERE expires > 0 AND expires <= ? LIMIT ?"
    cursor = connection.execute(
        f"DELETE FROM entries WHERE id IN ({expired})",  # noqa: S608 - our own text
        (now, _WINDOW),
    )
    return cursor.rowcount == _WINDOW


def evict(connection: sqlite3.Connection, bound: int) -> None:
    """Remove the longest stored rows until the file's used pages fit the bound (bytes)."""
    if used(connection) <= bound:
        return
    while (over := used(connection) - int(bound * (1 - _ROOM))) > 0:
        freed = last = 0
        oldest = "SELECT id, length(value) FROM entries ORDER BY id LIMIT ?"
        for row, size in connection.execute(oldest, (_WINDOW,)).fetchall():
            if freed >= over:
                break
            freed += size
            last = row
        if not last:
            return
        connection.execute("DELETE FROM entries WHERE id <= ?", (last,))


def shrink(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; whether there are more."""
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    return _pragma(connection, "freelist_count") > 0


def used(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def count(connection: sqlite3.Connection) -> int:
    """Rows, expired ones included."""
    return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
