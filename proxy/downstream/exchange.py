"""One request and its response, as the application sees them: ASGI 3, HTTP only."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

from proxy.downstream.invalid import answer
from proxy.downstream.request import Application, Request, Scope
from proxy.downstream.reset import reset
from proxy.downstream.writer import CHUNKED, CLOSE, LENGTH, NONE, Framing, chunk, head
from proxy.errors import ProxyError
from proxy.send import CLIENT, Listener, Message

if TYPE_CHECKING:  # a cycle: the connection makes these
    from proxy.downstream.connection import Connection

_FEW = 2  # connections, up to which every response is written at once
_JOINED = 64 * 1024  # up to here copying a body behind its head is cheaper than a second buffer

log = logging.getLogger("penstock.downstream")


class Exchange:
    """Owns the response until it is complete; `over` once nothing more can be sent.

    The head waits for the first piece of the body, and goes out with it in one write; but
    no longer than the current turn of the loop.
    """

    # Most exchanges end with most of these as they are here.
    complete = False
    over = False
    waiting = False  # somebody waits in `receive`
    task: asyncio.Task[None]
    _gone = False  # the client has hung up
    _taken = False  # the application has been given the whole body
    _news: asyncio.Event | None = None
    _listener: Listener | None = None
    _framing: Framing | None = None  # once the response has started
    _left = 0  # bytes of a body of declared length
    _head = b""  # while it waits
    _flush: asyncio.Handle | None = None

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self.keep_alive = request.keep_alive
        self._connection = connection
        self._outlet = connection.outlet

    async def run(self, application: Application, scope: Scope) -> None:
        """Call the application, and end the response if it did not."""
        try:
            scope["extensions"] = {CLIENT: self}
            await application(scope, self.receive, self.send)
            if not (self.complete or self.over):
                self._abandoned()
        except asyncio.CancelledError:
            self.cut()
            raise
        except Exception as error:  # noqa: BLE001 - the application's; a client must hear of it
            # Its message may quote a prompt; where it happened does not.
            *_, (frame, line) = traceback.walk_tb(error.__traceback__)
            kind, where = type(error).__name__, frame.f_code.co_filename
            log.error("%s in %s:%d", kind, where, line)  # noqa: TRY400 - see above
            self._fail()
        finally:
            self._connection.server.tasks.discard(self.task)

    # What the application calls.

    async def receive(self) -> Message:
        """The next piece of the body; `http.disconnect` once there is nobody or no need."""
        request = self.request
        while not (self.complete or self.over):
            if request.parts or (request.complete and not self._taken):
                complete = self._taken = request.complete
                body = request.take()
                if self._connection.paused:
                    self._connection.regulate()
                return {"type": "http.request", "body": body, "more_body": not complete}
            if self._gone:
                break
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the head, or a piece of the body; waits while the client reads too slowly.

        Once the client has gone, nothing happens. Raises `RuntimeError` for a message out
        of turn, `ValueError` for a head that cannot be written.
        """
        if self.over:
            return
        kind = message["type"]
        if kind == "http.response.body" and self._framing is not None and not self.complete:
            if (drained := self._connection.drained) is not None:
                await drained.wait()
                if self.over:
                    return
            self._write(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and self._framing is None:
            self._start(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"{kind} is out of turn")

    def take(self) -> bytes | None:
        """The whole body, where all of it has come and none was received; else None."""
        request = self.request
        if not request.complete or self._taken or self.complete or self.over:
            return None
        self._taken = True
        body = request.take()
        if self._connection.paused:
            self._connection.regulate()
        return body

    def respond(self, status: int, fields: Any, body: bytes) -> None:
        """A whole response; see `send`, of which this takes the place."""
        if self.over:
            return
        if self._framing is not None:
            raise RuntimeError("a response is out of turn")
        self._open(status, fields)
        self._write(body, more=False)

    def on_disconnect(self, listener: Listener | None) -> None:
        """Have `listener` called, once, if the client goes before the response is complete.

        It is given what cancels the application, unless the response is complete by then. None
        takes it back. It is called by the loop, at the next turn if the client has gone already.
        """
        self._listener = listener
        if self._gone:
            self._tell()

    # What the connection calls.

    def wake(self) -> None:
        """Something has changed for whoever waits in `receive`."""
        self.waiting = False
        if self._news is not None:
            self._news.set()

    def hung_up(self) -> None:
        """The client has gone, as far as can be told."""
        self._gone = True
        self._tell()
        self.wake()

    def lost(self) -> None:
        """The connection has gone."""
        if self.complete:
            return
        self.over = True
        self._stop_flush()
        self.hung_up()

    def probe(self) -> bool:
        """Write what changes nothing for a client that reads; False where nothing can be.

        That is an interim response (RFC 9110, section 15.2), or a zero before the size of the
        chunk to come (RFC 9112, section 7.1).
        """
        if self._framing is None and self.request.version == "1.1":
            self._outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self._framing is CHUNKED:
            if not self._head:
                self._outlet.write(b"0")
        else:
            return False
        return True

    @property
    def started(self) -> bool:
        """Whether the client may have got some of the response."""
        return self._framing is not None and not self._head

    # The response.

    def _start(self, status: int, fields: Any) -> None:
        self._open(status, fields)
        self._flush = self._connection.loop.call_soon(self._flush_head)

    def _open(self, status: int, fields: Any) -> None:
        connection, request = self._connection, self.request
        keep_alive = self.keep_alive and not connection.closing
        if request.expects and not request.complete:
            # Whether the client will send the body now is its own guess (RFC 9110, 10.1.1).
            keep_alive = False
        if (defaults := connection.server.default_headers) or not isinstance(fields, (tuple, list)):
            fields = [*defaults, *fields]
        written = head(status, fields, request, keep_alive=keep_alive)
        self._head, self._framing, self._left, self.keep_alive = written

    def _write(self, body: bytes, *, more: bool) -> None:
        framing = self._framing
        if framing is LENGTH:
            left = self._left = self._left - len(body)
            if left < 0 or (left and not more):
                log.error("a response had not the content-length that it was declared with")
                self.cut()
                return
        elif framing is CHUNKED:
            body = chunk(body, last=not more)
        elif framing is NONE:
            body = b""
        if body or not more:
            self._out(body)
        if not more:
            self.complete = True
            self._listener = None
            if self.waiting:
                self.wake()
            self._connection.finished(self)

    def _out(self, body: bytes) -> None:
        """Write a piece of the body, and the head where it still waits.

        Where many are connected it waits for the end of the turn: see `outlet`.
        """
        lines = self._head
        if lines:
            self._stop_flush()
        if len(self._connection.server.connections) > _FEW and len(body) <= _JOINED:
            self._outlet.hold(lines + body)
        elif lines and len(body) > _JOINED:
            self._outlet.write(lines, body)
        else:
            self._outlet.write(lines + body)

    def _flush_head(self) -> None:
        self._flush = None
        self._outlet.write(self._head)
        self._head = b""

    def _stop_flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._head = b""

    def _abandoned(self) -> None:
        """The application has returned without completing its response."""
        if self._framing is None:
            if not self._gone:
                log.error("the application returned without an answer")
            self._fail()
        else:
            self.cut()

    def _fail(self) -> None:
        """Answer with an error, or break off if the client has got some of the response."""
        if self.complete or self.over:
            return
        if self.started:
            self.cut()
        else:
            self.refuse(ProxyError("Penstock failed; its log says where"))

    def refuse(self, error: ProxyError) -> None:
        """Answer with an error instead of a response; the connection then closes."""
        self._stop_flush()
        self.keep_alive = False
        fields, body = answer(error)
        self._open(error.status, fields)
        self._write(body, more=False)
        self.over = True

    def cut(self) -> None:
        """Close the connection: the client learns from it that the response is broken."""
        if not self.complete:
            self._stop_flush()
            self.over = True
            self.wake()
            if self._framing is CLOSE:
                reset(self._connection.transport)
            else:
                self._connection.close()

    async def _wait(self) -> None:
        """Wait for news of the request, whose client may wait to be asked for the body."""
        if self.request.expects and not self.started:
            self.request.expects = False
            self._outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._news is None:
            self._news = asyncio.Event()
        self._news.clear()
        self.waiting = True
        await self._news.wait()

    def _tell(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._connection.loop.call_soon(listener, lambda: self.complete or self.task.cancel())
