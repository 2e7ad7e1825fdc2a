"""Forms made in a thread, as many as there is time for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from policies.compress.freeze_form import Form


class Task(NamedTuple):
    """One text to work on, by the key that a store has it under. `make` never raises."""

    key: bytes
    make: Callable[[], Form]


class _Job:
    """Runs tasks in order until it is stopped; those at hand are still finished.

    In as many threads as call `run`.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = iter(tasks)
        self._stopped = False
        self.done: dict[bytes, Form] = {}

    def run(self) -> None:
        for task in self._tasks:
            if self._stopped:
                return
            self.done[task.key] = task.make()

    def stop(self) -> None:
        """Begin nothing more, and hold no text: a job may wait long for its thread."""
        self._stopped = True
        self._tasks = iter(())


class Workshop:
    """A few threads, half of them for one request at most."""

    def __init__(self, threads: int = 2) -> None:
        self._half = max(1, threads // 2)
        self._closed = False
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="penstock-compress")

    async def made(
        self,
        tasks: Sequence[Task],
        seconds: float,
        late: Callable[[Mapping[bytes, Form]], None],
    ) -> dict[bytes, Form]:
        """The forms that are there after `seconds` at most, or less when all are.

        `late` is told, on the event loop, of what gets finished afterwards.
        """
        job = _Job(tasks)
        loop = asyncio.get_running_loop()
        runs = [loop.run_in_executor(self._threads, job.run) for _ in tasks[: self._half]]
        running = asyncio.gather(*runs)
        try:
            await asyncio.wait([running], timeout=max(0.0, seconds))
        finally:
            job.stop()
            found = dict(job.done)
            if not running.done():
                running.add_done_callback(lambda _: late(_others(job.done, found)))
        return found

    def start(self, seconds: float, work: Callable[[], object]) -> None:
        """Do something that nobody waits for, after so many seconds."""
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: self._closed or self._threads.submit(work))

    def close(self) -> None:
        """End the threads, each after the text at hand."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


def _others(done: Mapping[bytes, Form], found: Mapping[bytes, Form]) -> dict[bytes, Form]:
    return {key: form for key, form in done.items() if key not in found}
