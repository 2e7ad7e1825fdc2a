"""The running configuration: build, swap, drain. Stores and books outlive it.

A reload parses, validates and sets everything up before it swaps one reference; on any
error the old generation stays and says why.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from proxy.books import Books
from proxy.config import Config
from proxy.errors import ConfigError
from proxy.generation import Generation
from proxy.guards.monotone import Monotone
from proxy.stores.bound import BoundStore
from proxy.stores.tier import Tier

log = logging.getLogger("penstock.live")
_LOOK = 1.0  # seconds between looks at the configuration file
_LAG = 0.5  # seconds between measurements of the event loop's lag
_DRAIN = 600.0  # seconds that a retired generation may still be used

Load = Callable[[], Config]
Open = Callable[[], Awaitable["Resources"]]


class Resources(msgspec.Struct, frozen=True):
    """What outlives a reload."""

    store: Tier
    books: Books
    turns: Monotone = msgspec.field(default_factory=Monotone)


class Live:
    """Hands out the current generation. `load` reads the configuration anew."""

    def __init__(self, path: Path | None, load: Load, opened: Open) -> None:
        self._open = opened
        self._resources: Resources | None = None
        self.problems: list[str] = []  # why the last reload failed
        self._path = path
        self._load = load
        self._current: Generation | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._stamp = _stamp(path)

    @property
    def resources(self) -> Resources:
        """Stores and books, which outlive generations."""
        assert self._resources is not None, "live before start()"
        return self._resources

    @property
    def current(self) -> Generation:
        """The generation that new requests run on."""
        assert self._current is not None, "live before start()"
        return self._current

    def lease(self) -> Generation:
        """The current generation, kept open until it is released."""
        generation = self.current
        generation.leases += 1
        self._flying(1)
        return generation

    def release(self, generation: Generation) -> None:
        """A request has ended."""
        generation.leases -= 1
        self._flying(-1)

    async def start(self) -> None:
        """Build the first generation; raises `ConfigError`."""
        self._resources = await self._open()
        self._flying = self._resources.books.metrics.in_flight
        self._current = await self._build(self._load())
        self._spawn(self._watch_file())
        self._spawn(self._watch_loop())
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.ask_reload)

    async def _build(self, config: Config) -> Generation:
        try:
            store = partial(BoundStore, self.resources.store)
            generation = Generation(config, store, self.resources.books, self.resources.turns)
        except Exception as error:
            raise ConfigError([f"a backend cannot be set up: {error}"]) from error
        try:
            await generation.setup()
        except Exception as error:
            await generation.aclose()
            raise ConfigError([f"a policy cannot be set up: {error}"]) from error
        return generation

    async def reload(self) -> list[str]:
        """Swap to the configuration as it is now; the problems, if it cannot be used."""
        async with self._reloading:
            self._stamp = _stamp(self._path)
            try:
                fresh = await self._build(self._load())
            except (ConfigError, OSError) as error:
                error = error if isinstance(error, ConfigError) else ConfigError([str(error)])
                self.problems = error.problems
                log.error(  # noqa: TRY400 - the problems say it all
                    "reload failed, the old configuration stays:\n%s", error
                )
                self.resources.books.metrics.reloaded(ok=False)
                return self.problems
            old, self._current = self.current, fresh
            self.problems = []
            self._warn_of_fixed(old.config, fresh.config)
            self.resources.books.metrics.reloaded(ok=True)
            log.info("configuration reloaded")
            self._spawn(self._retire(old))
            return []

    def _warn_of_fixed(self, old: Config, new: Config) -> None:
        for name in ("listen", "data", "store", "ledger"):
            if getattr(old, name) != getattr(new, name):
                log.warning("'%s' changed: that takes a restart, the old value stays", name)

    async def _retire(self, old: Generation) -> None:
        """Close a generation when its last request has ended."""
        started = perf_counter()
        while old.leases and perf_counter() - started < _DRAIN:  # noqa: ASYNC110 - seldom, and cheap
            await asyncio.sleep(0.1)
        await old.aclose()

    async def _watch_file(self) -> None:
        while self._path is not None:
            await asyncio.sleep(_LOOK)
            if _stamp(self._path) != self._stamp:
                await self.reload()

    async def _watch_loop(self) -> None:
        while True:
            asked = perf_counter()
            await asyncio.sleep(_LAG)
            self.resources.books.metrics.lag(max(0.0, perf_counter() - asked - _LAG))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ask_reload(self) -> None:
        """Reload soon: for signal handlers."""
        self._spawn(self._reload_quietly())

    async def _reload_quietly(self) -> None:
        await self.reload()

    async def stop(self) -> None:
        """Finish what is under way and let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.current.aclose()
        await self.resources.books.aclose()
        await self.resources.store.aclose()


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What tells that a file was written or replaced; None while it is not there."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
