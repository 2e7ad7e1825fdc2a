"""One client's connection: requests in, one after another to the application."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from proxy.downstream import stall
from proxy.downstream.doubt import doubt
from proxy.downstream.exchange import Exchange
from proxy.downstream.invalid import InvalidHttp, answer
from proxy.downstream.reader import Reader
from proxy.downstream.request import Application, Request, Scope
from proxy.downstream.ticker import NEVER, ticker_of
from proxy.downstream.writer import head
from proxy.outlet import Outlet, outlet

UNREAD_LIMIT = 64 * 1024  # bytes of a body that nobody has taken, at which reading pauses
QUEUE_LIMIT = 16  # requests that wait for their turn, at which reading pauses
PIPELINE_LIMIT = 1024  # requests that wait; a single read may hold many
_LINGER = 2.0  # seconds in which a client may read why it was refused

# All keys are there from the start: so a copy never has to grow.
_KEYS = "asgi scheme server client root_path http_version method path raw_path query_string"
_SCOPE = dict.fromkeys(f"type {_KEYS} headers state extensions".split())
_NOBODY = Request("", keep_alive=False)


class Connection(asyncio.Protocol):
    """What uvicorn plugs in as its HTTP protocol. Requests are served strictly in order.

    A client that half-closes after its request gets its response, if it still reads: see
    `doubt`. Not here: access log, WebSockets, `limit_concurrency`.
    """

    # Seconds for a head to arrive, once its first byte is there; and without a byte of a body.
    head_timeout = 60.0

    transport: asyncio.Transport
    outlet: Outlet
    _reader: Reader

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.loop = _loop or asyncio.get_running_loop()
        self.deadline = NEVER
        self.closing = False  # the response under way is the last
        self.paused = False
        self.drained: asyncio.Event | None = None  # while the client reads too slowly
        self._config = config
        self.keep_alive = config.timeout_keep_alive
        self.server = server_state
        self._state = app_state
        self._application = cast(Application, config.loaded_app)
        self._current: Exchange | None = None
        self._queue: deque[tuple[Request, Scope]] = deque()
        self._refusal: InvalidHttp | None = None  # said when the queue is empty
        self.deaf = False  # whatever comes is dropped
        self._ended = False  # the client has said that nothing more will come
        self._late = False  # the deadline is that of a head
        self._held = False  # the next request waits until the client has read more
        self.unsent = NEVER  # bytes that the client had yet to read at the last deadline
        self.came = 0  # bytes of the body under way that had come by then
        self._secure = False

    # Called by uvicorn.

    def shutdown(self) -> None:
        """Close when idle, or else after the response under way."""
        self.closing = True
        if self._current is None:
            self.close()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect a request."""
        self.transport = cast(asyncio.Transport, transport)
        self.outlet = outlet(self.transport, self.loop)
        self._secure = is_ssl(self.transport)
        base = _SCOPE | {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "scheme": "https" if self._secure else "http",
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "root_path": self._config.root_path,
        }
        self._reader = Reader(base, self._take)
        self.deadline = self.loop.time() + self.head_timeout
        self.server.connections.add(self)  # type: ignore[arg-type]  # a protocol like uvicorn's
        shortest = min(self._config.timeout_keep_alive, self.head_timeout)
        ticker_of(self.server, min(1.0, shortest / 8)).start(self.loop)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.deaf:
            return
        reader = self._reader
        try:
            reader.feed(data)
        except InvalidHttp as error:
            self.refuse(error)
            return
        current = self._current
        if current is None:
            if reader.url and not self._late:
                self._late = True
                self.deadline = self.loop.time() + self.head_timeout
        elif current.waiting:
            current.wake()
        request = reader.request
        if self._queue or (request is not None and request.unread > UNREAD_LIMIT):
            self.regulate()

    def eof_received(self) -> bool:
        """Whether to keep the sending half: while somebody may want to read from it."""
        self._ended = True
        current = self._current
        if self._secure or not (self._held or (current and current.request.complete)):
            return False
        if current is not None:
            doubt(self, current)
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        """Tell everybody."""
        self.server.connections.discard(self)  # see connection_made
        self.deaf, self._held = True, False
        self._queue.clear()
        self._reader.close()
        self.resume_writing()
        if self._current is not None:
            self._current.lost()
            self._current = None

    def pause_writing(self) -> None:
        """Hold the application until the client has read some of what it was sent."""
        self.drained = asyncio.Event()
        stall.reading(self)

    def resume_writing(self) -> None:
        """Let the application go on."""
        if self.drained is not None:
            self.drained.set()
            self.drained = None
            if self._current is not None:
                stall.sending(self, self._current.request)
        if self._held:
            self.loop.call_soon(self._release)  # asyncio's transport must not be closed in here

    # Called by the exchange under way.

    def regulate(self) -> None:
        """Stop or resume reading, by what waits to be taken."""
        request = self._reader.request
        unread = request is not None and request.unread > UNREAD_LIMIT
        full = unread or len(self._queue) >= QUEUE_LIMIT
        if full is not self.paused and not self.transport.is_closing():
            self.paused = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def finished(self, exchange: Exchange) -> None:
        """The response is complete: go on with the next request, or close."""
        self.server.total_requests += 1
        self._current = None
        self.unsent = NEVER
        request = exchange.request
        if self.transport.is_closing():
            return
        if not exchange.keep_alive or self.closing:
            self._hang_up()
            return
        if request.complete and not self._reader.url:
            self._late = False
            self.deadline = self.loop.time() + self.keep_alive
        else:
            self._late = True
            self.deadline = self.loop.time() + self.head_timeout
        request.drop()  # what the application did not read, nobody will: reading may go on
        self._held = self.drained is not None  # one unread response in memory is enough
        if not self._held:
            self._go_on()

    def close(self) -> None:
        """Send what was written, then close the socket; who reads none of it is dropped."""
        self.deaf, self._held = True, False
        self.deadline = self.loop.time() + self.head_timeout
        self.outlet.flush()
        self.transport.close()

    def expire(self) -> None:
        """The deadline has passed."""
        stall.expired(self, self._current)

    # One request after another.

    def _take(self, request: Request, scope: Scope) -> None:
        """Serve a request whose head is there, or let it wait for its turn."""
        if self._current is None and not self._held:
            self._begin(request, scope)
            return
        if len(self._queue) >= PIPELINE_LIMIT:
            raise InvalidHttp(f"over {PIPELINE_LIMIT} requests were sent at once")
        self._queue.append((request, scope))

    def _begin(self, request: Request, scope: Scope) -> None:
        stall.sending(self, request)
        exchange = self._current = Exchange(self, request)
        if self._ended:
            doubt(self, exchange)
        scope["state"] = self._state.copy()
        exchange.task = task = self.loop.create_task(exchange.run(self._application, scope))
        self.server.tasks.add(task)

    def _release(self) -> None:
        """The client has read what held its next request back."""
        if self._held and self.drained is None:
            self._held = False
            if not self._late:  # it is idle from now on
                self.deadline = self.loop.time() + self.keep_alive
            self._go_on()

    def _go_on(self) -> None:
        if self._queue or self._ended or self._refusal is not None:
            self._next()
        if self.paused:
            self.regulate()

    def _next(self) -> None:
        """Serve what waits; after the last of it say what was wrong, or close."""
        if self._queue and (self._queue[0][0].complete or not self._ended):
            self._begin(*self._queue.popleft())
        elif self._refusal is not None:
            self._say(self._refusal)
        else:
            self.close()

    def refuse(self, error: InvalidHttp) -> None:
        """Serve the requests that came before what is no HTTP, say so, and close."""
        self.deaf = True
        request, current = self._reader.request, self._current
        broken = request is not None and not request.complete
        if broken and self._queue:
            self._queue.pop()
        elif broken:
            if current is None or current.started:
                self.close()
            else:
                current.refuse(error)
            return
        self._refusal = error
        if current is not None:
            current.wake()  # the end of its body may have come with what is no HTTP
        elif not self._held:
            self._next()

    def _say(self, error: InvalidHttp) -> None:
        fields, body = answer(error)
        self.outlet.write(head(error.status, fields, _NOBODY, keep_alive=False)[0] + body)
        self._hang_up()

    def _hang_up(self) -> None:
        """Close; where the client still sends, only once it could read the last response.

        Closing a socket with unread bytes resets it, and takes the response with it.
        """
        request = self._reader.request
        sending = self._refusal is not None or not (request is None or request.complete)
        if not sending or self._ended or not self.transport.can_write_eof():
            self.close()
            return
        self.deaf = True
        self.deadline = self.loop.time() + _LINGER
        self.outlet.flush()
        try:
            self.transport.write_eof()
        except OSError:  # asyncio's answer where the client has reset the connection
            self.close()
            return
        if self.paused:
            self.paused = False
            self.transport.resume_reading()
