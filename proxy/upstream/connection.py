"""One connection: a request out, its reply in, then the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

from proxy.errors import BrokenReply, UpstreamTimeout
from proxy.outlet import Outlet, outlet
from proxy.upstream.failures import NoReply
from proxy.upstream.message import Request, Timeouts
from proxy.upstream.reader import Reader
from proxy.upstream.reply import BodyChunks, Response, wake

BUFFERED_LIMIT = 256 * 1024  # bytes of unread body at which reading pauses
_JOINED = 64 * 1024  # up to here copying a body behind its head is cheaper than a second buffer
_NEVER = float("inf")
Ended = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; `deadline` is the loop time at which it is overdue.

    Calls `free` when it can carry another, and `lost` (perhaps twice) when it never will.
    """

    _transport: asyncio.Transport
    _outlet: Outlet

    def __init__(self, name: str, timeouts: Timeouts, free: Ended, lost: Ended) -> None:
        self.deadline = _NEVER
        self.reused = False
        self._name = name
        self._timeouts = timeouts
        self._free = free
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._reader = Reader()
        self._chunks: BodyChunks | None = None  # of the exchange under way
        self._reply: asyncio.Future[Response] | None = None  # of that exchange
        self._head: asyncio.Future[Response] | None = None  # until the reply's head is there
        self._upload: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None  # while writing has to wait
        self._paused = False
        self._closed = False

    def send(self, head: bytes, request: Request, *, hold: bool) -> asyncio.Future[Response]:
        """Send the request; the reply, once its head is there. Who stops waiting must `leave`.

        `hold` lets a short one wait for the end of the loop's turn: see `outlet`.
        """
        reply: asyncio.Future[Response] = self._loop.create_future()
        if self._closed:
            reply.set_exception(NoReply("the upstream hung up without a reply"))
            return reply
        self._reader.begin(bodiless=request.method == "HEAD")
        self._chunks = BodyChunks(self, self._reader.body)
        self.deadline = self.now() + self._timeouts.first_byte
        self._head = self._reply = reply
        body = request.body
        if isinstance(body, bytes):
            if len(body) > _JOINED:
                self._outlet.write(head, body)
            elif hold:
                self._outlet.hold(head + body)
            else:
                self._outlet.write(head + body)
        else:
            self._outlet.write(head)
            if body is not None:
                self._upload = self._loop.create_task(self._stream(body, request.length))
                self._upload.add_done_callback(self._uploaded)
        return reply

    def leave(self, reply: asyncio.Future[Response]) -> None:
        """Nobody waits for this reply: end its exchange, unless it has ended already."""
        if reply is self._reply:
            self.abort()

    def abort(self) -> None:
        """Close the socket now and forget the exchange."""
        self._chunks = self._head = self._reply = None
        self._stop_upload()
        self._closed = True
        self._lost(self)
        self._transport.abort()

    def resume(self) -> None:
        """Read on, if the body's reader had fallen behind."""
        if self._paused:
            self._paused = False
            self.deadline = self._loop.time() + self._timeouts.idle
            self._transport.resume_reading()

    def expire(self) -> None:
        """The deadline has passed: end the exchange, or an idle connection."""
        if self._chunks is None:
            self.abort()
            return
        seconds, of = self._timeouts.idle, "idle"
        if self._head is not None:
            seconds, of = self._timeouts.first_byte, "first-byte"
        self._end(UpstreamTimeout(f"{self._name}: {of} timeout after {seconds:g} s"))

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; after a tunnel's TLS handshake this is called by hand."""
        self._transport = cast(asyncio.Transport, transport)
        self._outlet = outlet(self._transport, self._loop)

    def data_received(self, data: bytes) -> None:
        """Read on in the reply; on an idle connection nothing should come."""
        chunks, reader = self._chunks, self._reader
        if chunks is None:
            self.abort()
            return
        try:
            reader.feed(data)
        except BrokenReply as error:
            self._end(error)
            return
        if reader.complete:
            self._end(None)
        elif reader.status:
            self._more(chunks, len(data))

    def eof_received(self) -> None:
        """The upstream will send no more; that may be the end of the body."""
        self._ended(clean=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way and tell the pool."""
        self._ended(clean=exc is None)

    def pause_writing(self) -> None:
        """Hold a streamed request body until the transport has sent some of it."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let a streamed request body go on."""
        drained, self._drained = self._drained, None
        wake(drained)

    # The exchange.

    def _more(self, chunks: BodyChunks, size: int) -> None:
        if self._head is not None:
            self._answer(chunks, None)
        chunks.wake()
        chunks.buffered += size
        if chunks.buffered > BUFFERED_LIMIT:
            self._paused = True
            self.deadline = _NEVER  # until resumed: the silence is the reader's
            self._transport.pause_reading()
        else:
            self.deadline = self._loop.time() + self._timeouts.idle

    def _ended(self, *, clean: bool) -> None:
        if self._chunks is None:
            self.abort()
            return
        try:
            self._reader.eof(clean=clean)
        except BrokenReply as error:
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """Finish the exchange; the connection goes back to the pool or is closed."""
        chunks = self._chunks
        if chunks is None:
            return
        if self._head is not None:
            self._answer(chunks, error)
        chunks.end(error)
        self._chunks = self._reply = None
        unsent = self._stop_upload() or self._drained is not None
        if self._reader.keep_alive and error is None and not unsent:
            self.reused = True
            self.resume()
            self._free(self)
        else:
            self.abort()

    def _answer(self, chunks: BodyChunks, error: Exception | None) -> None:
        """Give `send` its reply; an error after the head is the body's."""
        head, self._head = self._head, None
        reader = self._reader
        if head is None or head.done():
            return
        if reader.status:
            whole = chunks.join() if reader.complete else None
            head.set_result(Response(reader.status, reader.headers, chunks, whole))
        elif error is not None:
            head.set_exception(error)

    async def _stream(self, body: AsyncIterator[bytes], length: int | None) -> None:
        """Send a body as it comes. Time spent waiting for its source is not the upstream's."""
        self._expect(_NEVER)
        left = length
        async for part in body:
            if left is None:
                self._outlet.write(b"%x\r\n%b\r\n" % (len(part), part) if part else b"")
            else:
                left -= len(part)
                if left < 0:
                    break
                self._outlet.write(part)
            if self._drained is not None:
                self._expect(self._timeouts.first_byte)
                await self._drained
                self._expect(_NEVER)
        if left:
            raise ValueError("the request body has not the length it was declared with")
        if left is None:
            self._outlet.write(b"0\r\n\r\n")
        self._expect(self._timeouts.first_byte)

    def _expect(self, seconds: float) -> None:
        if self._head is not None:
            self.deadline = self._loop.time() + seconds

    def _uploaded(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and task is self._upload:  # else its exchange has ended
            self._end(cast(Exception, error))

    def _stop_upload(self) -> bool:
        """Whether some of a request body was not sent; it will not be any more."""
        upload, self._upload = self._upload, None
        if upload is None:
            return False
        return upload.cancel() or upload.cancelled() or upload.exception() is not None
