"""An upstream that misbehaves in every way a proxy must survive, in a thread of its own.

    with Misbehaving() as upstream:
        httpx2.post(upstream.url + "/v1/chat/completions", headers={"x-fake": "half-chunk"})

What it does is named, with arguments after colons (`status:500`, `slow:0.05`), by the first of:
`upstream.script` (one entry for each request to come), `upstream.behaviour`, the header `x-fake`,
a segment of the path, and else `chat`. `upstream.requests` holds all requests as they came.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from tests.fakes.misbehaviours import BEHAVIOURS, JSON, TEXT, UNREAD

__all__ = ["BEHAVIOURS", "TEXT", "Misbehaving", "Seen"]


@dataclass
class Seen:
    """One request as it came. `gone` is when the peer left (`time.monotonic`), or None."""

    head: bytes
    connection: int
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""  # without the chunked coding
    raw_body: bytes = b""  # as on the wire
    at: float = field(default_factory=time.monotonic)
    gone: float | None = None
    left: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        first, *lines = self.head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        self.headers = [(name, value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Peer(asyncio.StreamReaderProtocol):
    """One connection."""

    def __init__(self, server: Misbehaving) -> None:
        self.reader = asyncio.StreamReader(limit=2**22)
        super().__init__(self.reader, self._connected)
        self.server = server
        self.seen: Seen | None = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.server.connections += 1
        number = self.server.connections
        try:
            while not writer.is_closing():
                self.seen = Seen(await reader.readuntil(b"\r\n\r\n"), number)
                await self.server._serve(self, self.seen)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._note()  # the peer left: that is what tests look at
        finally:
            writer.close()

    def eof_received(self) -> bool | None:
        self._note()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._note()
        super().connection_lost(exc)

    def _note(self) -> None:
        if self.seen is not None and self.seen.gone is None:
            self.seen.gone = time.monotonic()
            self.seen.left.set()

    async def read_body(self) -> None:
        seen = self.seen
        if seen.header("expect").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if seen.header("transfer-encoding").lower() != "chunked":
            seen.raw_body = seen.body = await self.reader.readexactly(
                int(seen.header("content-length") or 0)
            )
            return
        size = 1
        while size:
            line = await self.reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            chunk = await self.reader.readexactly(size + 2)
            seen.raw_body += line + chunk
            seen.body += chunk[:-2]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes, status: str = "200 OK", *lines: str, breaks: bool = False
    ) -> None:
        kind = [] if any(line.startswith("content-type") for line in lines) else [JSON]
        head = ["HTTP/1.1 " + status, *kind, f"content-length: {len(body)}", *lines, "", ""]
        sent = b"" if self.seen.method == "HEAD" else body[: len(body) // 2 if breaks else None]
        await self.send("\r\n".join(head).encode() + sent)
        if breaks:
            self.writer.close()

    async def open_stream(self, kind: str = "text/event-stream") -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        await self.send(head.encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def stream(self, chunks: list[bytes], gap: float = 0.0) -> None:
        await self.open_stream()
        for data in chunks:
            await self.chunk(data)
            await asyncio.sleep(gap)
        await self.send(b"0\r\n\r\n")

    async def hang(self) -> None:
        """Until the peer leaves, or the server is closed."""
        while not self.seen.left.is_set():  # noqa: ASYNC110 - set by the protocol's callbacks
            await asyncio.sleep(0.002)
        self.writer.close()

    def reset(self) -> None:
        """Leave with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Misbehaving:
    """The server. `calls` counts requests, `connections` connections; `refused` is a URL that
    nobody listens at. Everything recorded can be read from any thread.
    """

    def __init__(self, behaviour: str | None = None) -> None:
        self.behaviour = behaviour
        self.script: list[str] = []
        self.requests: list[Seen] = []
        self.connections = 0

    @property
    def calls(self) -> int:
        return len(self.requests)

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._bound = socket.socket()  # bound, so that no one else gets it; never listening
        self._bound.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.refused = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._bound.close()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(lambda: Peer(self), sock=self._socket))
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))  # connections close on the next turn
        loop.close()

    def _named(self, seen: Seen) -> list[str]:
        if self.script:
            return self.script.pop(0).split(":")
        segments = seen.target.partition("?")[0].split("/")
        named = [part for part in segments if part.split(":")[0] in BEHAVIOURS and part != "chat"]
        return (self.behaviour or seen.header("x-fake") or [*named, "chat"][0]).split(":")

    async def _serve(self, peer: Peer, seen: Seen) -> None:
        name, *arguments = self._named(seen)
        if name not in UNREAD:
            await peer.read_body()
        self.requests.append(seen)
        await BEHAVIOURS[name](peer, *arguments)
