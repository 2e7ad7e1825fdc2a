"""One timer for all connections of a server."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

NEVER = float("inf")


class Timed(Protocol):
    """`deadline` is the loop time at which `expire` is due."""

    deadline: float

    def expire(self) -> None:
        """Do what the deadline was set for."""


class Ticker:
    """Looks every `period` seconds for what is overdue, as long as there is anything."""

    def __init__(self, connections: set[Timed], period: float) -> None:
        self._connections = connections
        self._period = period
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, if it is not running; it ends by itself."""
        if self._timer is None:
            self._timer = loop.call_later(self._period, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [*self._connections]:
            if connection.deadline < now:
                connection.expire()
        self._timer = None
        if self._connections:
            self.start(loop)


_tickers: WeakKeyDictionary[ServerState, Ticker] = WeakKeyDictionary()


def ticker_of(server: ServerState, period: float) -> Ticker:
    """The server's ticker; the first caller's `period` counts."""
    ticker = _tickers.get(server)
    if ticker is None:
        connections: set[Timed] = server.connections  # type: ignore[assignment]  # they are ours
        ticker = _tickers[server] = Ticker(connections, period)
    return ticker
