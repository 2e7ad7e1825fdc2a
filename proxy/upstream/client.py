"""The client: a pool of connections to one origin."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from proxy.errors import ConnectFailed
from proxy.upstream.connection import Connection
from proxy.upstream.dial import dial
from proxy.upstream.failures import ConnectTimeout, NoReply
from proxy.upstream.message import Request, Timeouts
from proxy.upstream.origin import Origin, Proxy
from proxy.upstream.reply import Response
from proxy.upstream.writer import head

_FEW = 2  # connections, up to which every request is written at once


class Client:
    """Sends requests to one origin over kept-alive connections, the latest used first.

    At most `limit` connections are open; further requests wait for one within the connect
    timeout. `idle_limit` of them are kept, each for `keepalive` seconds. `prefix` is the
    path of the base URL, for callers to put before their targets. Belongs to one event loop.
    """

    def __init__(  # noqa: PLR0913 - one origin's settings, all but the URL by name
        self,
        base_url: str,
        *,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        limit: int = 1000,
        idle_limit: int = 512,
        keepalive: float = 30.0,
    ) -> None:
        origin = self._origin = Origin.parse(base_url)
        self.prefix = origin.prefix
        self._timeouts = timeouts
        self._tls = tls
        self._proxy = Proxy.parse(proxy) if proxy and not origin.path else None
        self._idle_limit = idle_limit
        self._keepalive = keepalive
        self._authority = b""
        self._fixed = b"host: %b\r\n" % origin.authority
        if self._proxy and not origin.tls:
            self._authority = b"http://" + origin.authority
            self._fixed += self._proxy.credentials
        self._limit = limit
        self._open: set[Connection] = set()  # those being opened, too
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection]] = deque()
        self._ticker: asyncio.TimerHandle | None = None
        self._tick = min(1.0, *(t / 8 for t in (timeouts.first_byte, timeouts.idle, keepalive)))
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send a request; the reply, once its head is there.

        Raises `ConnectFailed` and `ConnectTimeout` when nothing was sent, `NoReply` when no
        byte came back, `BrokenReply`, `UpstreamTimeout`, and `ValueError` for a request
        that cannot be written. What a streamed body raises is passed on.
        """
        lines = head(request, self._authority, self._fixed)
        connection = self._idle.pop() if self._idle else await self._acquire()
        reply = connection.send(lines, request, hold=len(self._open) > _FEW)
        try:
            return await reply
        except asyncio.CancelledError:
            connection.leave(reply)
            raise
        except NoReply:
            replayable = request.body is None or isinstance(request.body, bytes)
            if not (connection.reused and replayable):
                raise
        # The upstream closed a kept-alive connection while the request was on its way.
        connection = await self._acquire(fresh=True)
        reply = connection.send(lines, request, hold=False)
        try:
            return await reply
        except asyncio.CancelledError:
            connection.leave(reply)
            raise

    async def aclose(self) -> None:
        """Close idle connections; exchanges in flight finish, new ones are refused."""
        self._closed = True
        for connection in [*self._idle]:
            connection.abort()
        await asyncio.sleep(0)  # transports close their sockets in the next turn of the loop

    async def _acquire(self, *, fresh: bool = False) -> Connection:
        if self._closed:
            raise ConnectFailed(f"the client of {self._origin.name} is closed")
        try:
            async with asyncio.timeout(self._timeouts.connect):
                while True:
                    if self._idle and not fresh:
                        return self._idle.pop()
                    if self._idle and len(self._open) >= self._limit:
                        self._idle[0].abort()  # makes room
                    if len(self._open) < self._limit:
                        connection = self._new()
                    else:
                        connection = await self._wait()
                    if not connection.reused:
                        await self._connect(connection)
                        return connection
                    if not fresh:
                        return connection
                    self._open.discard(connection)  # so that nobody else gets its room
                    connection.abort()
        except TimeoutError:
            text = f"{self._origin.name}: connect timeout after {self._timeouts.connect:g} s"
            raise ConnectTimeout(text) from None

    async def _wait(self) -> Connection:
        """A connection that was freed, or one to be opened in the room of another."""
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # the next one's, then
                freed = waiter.result()
                if not freed.reused:
                    self._lost(freed)
                elif freed in self._open:  # it may have been lost since
                    self._free(freed)
            raise

    def _next(self) -> asyncio.Future[Connection] | None:
        """Who has waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _new(self) -> Connection:
        """A connection yet to be opened, which has its place among those that are open."""
        connection = Connection(self._origin.name, self._timeouts, self._free, self._lost)
        self._open.add(connection)
        return connection

    async def _connect(self, connection: Connection) -> None:
        try:
            await dial(connection, self._origin, self._proxy, self._tls)
        except BaseException:
            self._lost(connection)
            raise
        if self._ticker is None:
            self._watch()

    def _free(self, connection: Connection) -> None:
        """Keep a connection whose exchange has ended."""
        if self._waiters and not self._closed and (waiter := self._next()) is not None:
            waiter.set_result(connection)
            return
        if self._closed or len(self._idle) >= self._idle_limit:
            connection.abort()
            return
        connection.deadline = connection.now() + self._keepalive
        self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        """Forget a connection, idle or in an exchange; its room goes to who waits."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if (waiter := self._next()) is not None:
            waiter.set_result(self._new())

    def _watch(self) -> None:
        """End what is overdue, and look again: one timer serves all connections."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [*self._open]:
            if connection.deadline < now:
                connection.expire()
        self._ticker = loop.call_later(self._tick, self._watch) if self._open else None
