"""A Bloom filter over the slots of a shared file, itself a file that all processes map.

It tells almost every absent slot without a look at the database. It may take an absent slot
for present, which costs that look. It may take a present one for absent where two processes
change a byte in the same tenth of a microsecond, or where the two files fell apart (power was
lost, the database was restored from a copy); that costs a miss, after which the slot is
written, and its bits set, again.

A slot sets four bits, and the file has one for every 16 to 32 bytes of the database's bound:
4 MiB for 1 GB. At that bound and with 1 KB entries, one absent slot in 5,000 is taken for
present. Removed rows leave their bits behind; when half of all are set, so that it would be
one in 16, the filter is made anew from the rows.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HEAD = struct.Struct("<8sQQQ?")  # magic, bits, the database's inode, epoch, complete
_MAGIC = b"penstck1"
_INODE, _EPOCH, _COMPLETE = 16, 24, 32  # where in the file
_BITS_AT = 4096
_LEAST, _MOST = 15, 31  # powers of two
_PIECE = 1 << 20
_SAMPLE = 1 << 16  # bytes that tell the share of set bits to a thousandth
_PROBES = 4
_CROWDED = 0.5  # share of set bits
_GAIN = 0.1  # what making it anew must take off that share

_number = struct.Struct("<Q")
_indexes = struct.Struct("<4I")  # of a 16-byte digest


def bits_for(bound: int) -> int:
    """A power of two that serves a database of `bound` bytes."""
    return 1 << min(max((bound >> 5).bit_length(), _LEAST), _MOST)


class Presence:
    """The filter beside the database whose inode is `inode`; what cannot be used is replaced.

    `bits` is a power of two; a larger file that is there already is taken as it is. Raises
    `OSError` when there is no file and none can be made. What is called on every request
    makes no system call, so that it keeps hold of the interpreter, and raises nothing.
    """

    def __init__(self, path: Path, bits: int, inode: int) -> None:
        self._path = path
        self._database = inode
        found = _open(path, bits)
        if found is None:
            _make(path, bits)
            found = _open(path, bits)
        if found is None:
            raise OSError(f"{path} cannot be used and stays")
        self._map, self._mask, self._file = found
        if _number.unpack_from(self._map, _INODE)[0] != inode:
            self._map[_COMPLETE] = 0
            _number.pack_into(self._map, _INODE, inode)

    def may_hold(self, digest: bytes) -> bool:
        """False when no row was ever written under this digest of 16 bytes."""
        bits = self._map
        if not bits[_COMPLETE]:
            return True
        mask = self._mask
        for index in _indexes.unpack(digest):
            at = index & mask
            if not bits[_BITS_AT + (at >> 3)] >> (at & 7) & 1:
                return False
        return True

    @contextmanager
    def adding(self, digests: Collection[bytes]) -> Iterator[None]:
        """Set the bits of rows that are committed inside.

        A clearing in between may undo that, so it is then done again. A clearing that is
        over by then is one of before, and one yet to come finds the rows.
        """
        epoch = self._epoch()
        self.add(digests)
        yield
        if self._epoch() != epoch:
            self.add(digests)

    def add(self, digests: Iterable[bytes]) -> None:
        """Set the bits of rows."""
        bits, mask = self._map, self._mask
        for digest in digests:
            for index in _indexes.unpack(digest):
                at = index & mask
                bits[_BITS_AT + (at >> 3)] |= 1 << (at & 7)

    def in_place(self) -> bool:
        """Whether the path still leads to the file that is mapped."""
        try:
            return self._path.stat().st_ino == self._file
        except OSError:
            return False

    def is_complete(self) -> bool:
        """Whether `may_hold` can be False."""
        return self._map[_COMPLETE] == 1

    def is_due(self, count: Callable[[], int]) -> bool:
        """Whether it must be made anew: it is incomplete, or crowded by rows that are gone.

        `count` gives the number of rows that are there; it is called only if that matters.
        """
        if not self.is_complete():
            return True
        sample = self._map[_BITS_AT : _BITS_AT + _SAMPLE]  # digests spread evenly
        fill = int.from_bytes(sample, "little").bit_count() / (8 * len(sample))
        if fill < _CROWDED:
            return False
        anew = 1 - math.exp(-_PROBES * count() / (self._mask + 1))
        return fill - anew > _GAIN

    @contextmanager
    def rebuilding(self) -> Iterator[bool]:
        """Whether this process may make it anew: one at a time, for as long as this is open."""
        lock = self._lock()
        try:
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def doubt(self) -> None:
        """Have it made anew: rows may have been written without it."""
        self._map[_COMPLETE] = 0

    def clear(self) -> None:
        """Forget all; `may_hold` is True until `complete`."""
        self._map[_COMPLETE] = 0
        self._next_epoch()
        for at in range(_BITS_AT, len(self._map), _PIECE):
            end = min(at + _PIECE, len(self._map))
            self._map[at:end] = bytes(end - at)
        self._next_epoch()

    def complete(self) -> None:
        """Say that since `clear` all rows were added, if they were those of our database."""
        # Another process may have come upon a new one meanwhile.
        if _number.unpack_from(self._map, _INODE)[0] == self._database:
            self._map[_COMPLETE] = 1

    def _epoch(self) -> int:
        """Changes when a clearing begins, and when it ends."""
        epoch: int = _number.unpack_from(self._map, _EPOCH)[0]
        return epoch

    def _next_epoch(self) -> None:
        _number.pack_into(self._map, _EPOCH, self._epoch() + 1)

    def _lock(self) -> int | None:
        """A descriptor that holds the lock until it is closed, be it by the end of the process."""
        try:
            lock = os.open(self._path, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock


def _open(path: Path, bits: int) -> tuple[mmap.mmap, int, int] | None:
    """The file mapped, the mask of its bits and its inode; None if it is not one to use."""
    try:
        file = path.open("r+b")
    except OSError:
        return None
    with file:
        head = file.read(_HEAD.size)
        size = os.fstat(file.fileno()).st_size
        if len(head) < _HEAD.size:
            return None
        magic, there, *_ = _HEAD.unpack(head)
        if magic != _MAGIC or there < bits or there & (there - 1) or there > 1 << 32:
            return None
        if size != _BITS_AT + there // 8:
            return None
        return mmap.mmap(file.fileno(), size), there - 1, os.fstat(file.fileno()).st_ino


def _make(path: Path, bits: int) -> None:
    """Put an incomplete filter in the place of what is there.

    A file that somebody may have mapped is never written over or cut: touching a page
    beyond the end, or one the disk has no room for, kills the process. So all blocks are
    taken here, where a full disk is an error, and the file then takes its place whole.
    """
    handle, name = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            head = _HEAD.pack(_MAGIC, bits, 0, 0, False)
            file.write(head.ljust(_BITS_AT, b"\0"))
            for at in range(0, bits // 8, _PIECE):
                file.write(bytes(min(_PIECE, bits // 8 - at)))
        Path(name).replace(path)
    except OSError:
        Path(name).unlink()
        raise
