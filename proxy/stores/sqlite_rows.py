"""What the tier says to SQLite. Every transaction here is short: others wait for the lock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, repeat

import msgspec

from policies.base.ports import Entry
from proxy.stores.tier import Match, Purge, Slot, digest, seal

_WINDOW = 1000  # rows looked at in one transaction
_PAGES = 1000  # pages given back in one transaction
_KEPT_PURGES = 10_000
_ROOM = 0.05  # share of the bound that an eviction frees beyond need
Blob = bytearray  # taken as it is; bytes Python's module tries to adapt, twenty times as dear
Row = tuple[Blob, str, str, float, float, str, Blob, Blob]

# Under a busy event loop every call of SQLite may wait a tenth of a second to get back to
# Python. So rows are written by few calls, each a transaction of its own: no other process
# must wait for the lock while we wait for the interpreter.
MOST = 2048  # rows in one call, a power of two
_LEAST = 16
_FILL = ("",) * 8
_INSERT = (
    "INSERT OR REPLACE INTO entries (slot, space, tenant, stored, expires, model, seal, value)"
    " SELECT * FROM (VALUES {}) WHERE column1 <> ''"
    " AND (SELECT coalesce(max(id), 0) FROM purges) <= ?"
)


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


def load(connection: sqlite3.Connection, slot: Slot) -> tuple[int, Entry | None] | None:
    """The row's id and its entry; no entry when the row does not fit its seal or the slot."""
    found = connection.execute(
        "SELECT id, space, tenant, stored, expires, model, seal, value FROM entries WHERE slot = ?",
        (digest(slot),),
    ).fetchone()
    if found is None:
        return None
    row, space, tenant, stored, expires, model, sealed, value = found
    entry = Entry(value, stored, expires, model)
    whole = (
        isinstance(value, bytes)
        and (space, tenant) == (slot.space, slot.tenant)
        and seal(slot, entry) == sealed
    )
    return row, entry if whole else None


def remove(connection: sqlite3.Connection, row: int) -> None:
    """Delete one row."""
    connection.execute("DELETE FROM entries WHERE id = ?", (row,))


def row(key: bytes, slot: Slot, entry: Entry, sealed: bytes) -> Row:
    """What `insert` takes; `key` is the digest of the slot."""
    kept = (entry.stored, entry.expires, entry.model, Blob(sealed), Blob(entry.value))
    return (Blob(key), slot.space, slot.tenant, *kept)


def insert(connection: sqlite3.Connection, entries: Sequence[Row], heeded: int) -> bool:
    """Put up to `MOST` rows in place of what lies under their keys, in a transaction.

    False, and nothing is done, if there was a purge after the one with the id `heeded`.
    """
    size = _LEAST  # rows are filled up to few sizes, so that few statements must be compiled
    while size < len(entries):
        size *= 2
    filling = repeat(_FILL, size - len(entries))
    values = [*chain.from_iterable(chain(entries, filling)), heeded]
    return connection.execute(_insert(size), values).rowcount > 0


@cache
def _insert(size: int) -> str:
    return _INSERT.format(", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * size))


def delete(connection: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    """Delete what lies under each key, in a transaction."""
    with transaction(connection):
        connection.executemany("DELETE FROM entries WHERE slot = ?", [(key,) for key in keys])


def digests(connection: sqlite3.Connection, after: bytes) -> list[bytes]:
    """The next digests in order, in one call: see `MOST`."""
    text = connection.execute(
        "SELECT group_concat(hex(slot), '') FROM"
        " (SELECT slot FROM entries WHERE slot > ? AND length(hex(slot)) = 32"
        " ORDER BY slot LIMIT ?)",
        (after, _WINDOW),
    ).fetchone()[0]
    found = bytes.fromhex(text or "")
    return [found[at : at + 16] for at in range(0, len(found), 16)]


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


def evict(connection: sqlite3.Connection, bound: int) -> int:
    """Remove the longest stored rows until the file's used pages fit the bound (bytes).

    Returns how many bytes may be written before that must be looked to again.
    """
    room = int(bound * _ROOM)
    if used(connection) > bound:
        _make_room(connection, bound - room)
    return room // 8


def _make_room(connection: sqlite3.Connection, bound: int) -> None:
    while (over := used(connection) - bound) > 0:
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
    pages = "SELECT (page_count - freelist_count) * page_size FROM"
    sizes = " pragma_page_count, pragma_freelist_count, pragma_page_size"
    return int(connection.execute(pages + sizes).fetchone()[0])


def count(connection: sqlite3.Connection) -> int:
    """Rows, expired ones included."""
    return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
