"""The model for many threads at once: their texts gathered, the process kept alive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, Queue
from time import monotonic
from typing import NamedTuple

from policies.compress.lingua_child import Child, Gone
from policies.compress.lingua_pipe import Shown

log = logging.getLogger("penstock.compress")

_LOADING = 300.0  # seconds for the model to load
_PATIENCE = 10.0  # seconds for an answer
_PER_WORD = 0.05  # and for each word: the slowest processors read a hundred in a second
_FULL = 8000  # words that are sent together, unless one text has more
_LOOK = 2.0  # seconds between looks at a process that is not asked anything
_PAUSES = (1.0, 5.0, 30.0, 120.0)  # seconds before the next start; after the last there is none


class Unavailable(Exception):
    """The model cannot be asked now."""


class _Job(NamedTuple):
    shown: Shown
    verdict: Future[bytes | None]


class Classifier:
    """A thread with a process. `window`: seconds to wait for other texts after the first.

    A process that ends or does not answer is replaced, after a pause that grows until it has
    answered again; after five failures in a row there is no other. `pauses`: seconds.
    """

    def __init__(
        self, command: Sequence[str], window: float, pauses: Sequence[float] = _PAUSES
    ) -> None:
        self._command = command
        self._window = window
        self._pauses = pauses
        self._jobs: Queue[_Job | None] = Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._child: Child | None = None
        self._asked: list[_Job] = []  # that have no verdict yet
        self._closed = threading.Event()
        self.trouble = ""  # why it cannot be asked, if so

    def start(self) -> None:
        """Start the process without waiting for it."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="penstock-llmlingua", daemon=True
            )
            self._thread.start()

    def judge(self, shown: Shown) -> bytes | None:
        """A byte for each word: 1 where it stays; None where nothing can be said of the text.

        Blocks, also while the model is being loaded. Raises `Unavailable`.
        """
        job = _Job(shown, Future())
        with self._lock:
            if self._thread is None or self._closed.is_set() or self.trouble:
                raise Unavailable(self.trouble or "it is not running")
            self._jobs.put(job)
        return job.verdict.result()

    def close(self) -> None:
        """End the process and the thread. Whoever waits gets `Unavailable`."""
        with self._lock:
            self._closed.set()
            self._jobs.put(None)
            child = self._child
        if child is not None:
            child.close()
        if self._thread is not None:
            self._thread.join()
        self._refuse("it is closed")

    def _run(self) -> None:
        failures = 0

        def answered() -> None:
            nonlocal failures
            failures = 0

        while not self._closed.is_set():
            why = self._live(answered)
            if self._closed.is_set():
                return
            last = failures >= len(self._pauses)
            log.error("LLMLingua's process: %s%s", why, "; it is given up" if last else "")
            self._refuse(why)
            if last:
                return
            self._closed.wait(self._pauses[failures])
            failures += 1
            self.trouble = ""

    def _live(self, answered: Callable[[], None]) -> str:
        """One process from its start to its end, and why it ended."""
        try:
            child = Child(self._command)
        except OSError as error:
            return f"it cannot be started: {error}"
        try:
            with self._lock:
                if self._closed.is_set():
                    return "it is closed"
                self._child = child
            log.info("LLMLingua's model is loaded on %s", child.ready(_LOADING))
            while self._gather(child):
                self._ask(child)
                answered()
            return "it is closed"
        except Gone as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - nobody may wait for a thread that has ended
            return f"it failed: {type(error).__name__}"
        finally:
            with self._lock:
                self._child = None
            child.release()

    def _next(self, child: Child) -> _Job | None:
        """The next text, once there is one. Raises `Gone` if the process has ended meanwhile."""
        while True:
            with suppress(Empty):
                return self._jobs.get(timeout=_LOOK)
            if child.ended:
                raise Gone(child.end())

    def _gather(self, child: Child) -> bool:
        """Take the next texts. False when it is time to end."""
        job = self._next(child)
        until = monotonic() + self._window
        words = 0
        with suppress(Empty):
            while job is not None:
                self._asked.append(job)
                words += len(job.shown.words)
                if words >= _FULL:
                    break
                job = self._jobs.get(timeout=max(0.0, until - monotonic()))
        return job is not None

    def _ask(self, child: Child) -> None:
        words = sum(len(job.shown.words) for job in self._asked)
        texts = [job.shown for job in self._asked]
        found = child.judge(texts, _PATIENCE + _PER_WORD * words)
        for job, verdict in zip(self._asked, found, strict=True):
            job.verdict.set_result(verdict)
        self._asked = []

    def _refuse(self, why: str) -> None:
        """Tell all who wait, and those who come, until there is another process."""
        with self._lock:
            self.trouble = why
            waiting, self._asked = self._asked, []
            with suppress(Empty):
                while True:
                    job = self._jobs.get_nowait()
                    if job is not None:
                        waiting.append(job)
        for each in waiting:
            each.verdict.set_exception(Unavailable(why))
