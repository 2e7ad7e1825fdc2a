"""A bounded queue of writes and one thread that writes them in batches, in order.

Under a busy event loop the thread gets the interpreter only every few milliseconds, so it
collects what comes in meanwhile and hands it over in one piece.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from policies.base.ports import Entry
from proxy.stores.tier import Slot, StoreError

_LINGER = 0.05  # seconds a batch stays open for more
_OVERHEAD = 500  # bytes of Python objects around one entry that waits

Write = tuple[Slot, Entry, bytes]  # the last is the seal
Batch = dict[bytes, Write]  # by the digest of the slot
GONE = Entry(b"", 0.0, 1.0)  # queued, it is a deletion; found, it has expired


class _Work:
    """A batch to write, or a job to do between batches. `cost` in bytes."""

    __slots__ = ("batch", "cost", "done", "job")

    def __init__(self, job: Callable[[], Any] | None = None) -> None:
        self.job = job
        self.batch: Batch = {}
        self.cost = 0
        self.done: Future[Any] = Future()


class WriteBehind:
    """Runs `write` and jobs in the order in which they were handed in, on one thread.

    `tend` runs at once and then about every `pause` seconds. At most `limit` bytes wait.
    `failure` is the error of the last work that failed, until a batch is written again.
    """

    def __init__(
        self, write: Callable[[Batch], None], tend: Callable[[], None], limit: int, pause: float
    ) -> None:
        self.failure: Exception | None = None
        self._write = write
        self._tend = tend
        self._limit = limit
        self._pause = pause
        self._due = time.monotonic()
        self._waiting = 0
        self._queue: deque[_Work] = deque()
        self._unwritten: dict[bytes, Entry] = {}  # all that is queued
        self._open: _Work | None = None  # the last batch, while it takes more writes
        self._closing = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name="penstock-store", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Queue writes. Raises `StoreError`, and takes none of them, when the queue is full."""
        cost = sum([len(entry.value) + _OVERHEAD for _, entry, _ in batch.values()])
        with self._lock:
            if self._waiting + cost > self._limit:
                raise StoreError("writes come faster than the disk takes them")
            work = self._open
            if work is None:
                work = self._open = _Work()
                self._queue.append(work)
                self._changed.notify()
            work.batch.update(batch)
            self._unwritten.update([(key, entry) for key, (_, entry, _) in batch.items()])
            work.cost += cost
            self._waiting += cost

    def find(self, key: bytes) -> Entry | None:
        """The latest entry put under this digest, or `GONE`, that has yet to reach the disk."""
        return self._unwritten.get(key)

    def call(self, job: Callable[[], Any]) -> Future[Any]:
        """Run a job after all that was handed in before it."""
        work = _Work(job)
        with self._lock:
            if self._closing:
                raise StoreError("the store is closed")
            self._open = None
            self._queue.append(work)
            self._changed.notify()
        return work.done

    def close(self) -> None:
        """Write what is queued, then end the thread. Blocks."""
        with self._lock:
            self._closing = True
            self._open = None
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            self._do(work)
            with self._lock:
                if self._queue and self._queue[0] is work:
                    self._queue.popleft()
                self._waiting -= work.cost
                for key, (_, entry, _) in work.batch.items():
                    if self._unwritten.get(key) is entry:
                        del self._unwritten[key]

    def _next(self) -> _Work | None:
        """The work at the head of the queue, which stays there until it is done."""
        with self._lock:
            while not self._closing:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._due = time.monotonic() + self._pause
                    return _Work(self._tend)
                if self._queue:
                    break
                self._changed.wait(left)
            if not self._queue:
                return None
            if self._queue[-1] is self._open:
                self._changed.wait(_LINGER)
            if self._queue[0] is self._open:
                self._open = None
            return self._queue[0]

    def _do(self, work: _Work) -> None:
        if not work.done.set_running_or_notify_cancel():
            return  # nobody wants the job done any more
        try:
            if work.job is not None:
                work.done.set_result(work.job())
            else:
                self._write(work.batch)
                self.failure = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach the event loop
            self.failure = error
            if work.job is not None:
                work.done.set_exception(error)
