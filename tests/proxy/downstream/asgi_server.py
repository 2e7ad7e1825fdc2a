"""An application behind a protocol class on a real socket, and clients made of bytes."""

import asyncio
import contextlib
import json
import socket

import h11
import uvicorn
from uvicorn.server import ServerState

from proxy.downstream import Connection


class Site:
    """A listening server in this loop. `made` are its connections, oldest first."""

    def __init__(self):
        self.port = 0
        self.state = ServerState()
        self.made = []

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def narrow(self, limit):
        """A connection whose sockets hold little, and its reader `limit` bytes.

        With less than a segment in the socket the kernel moves on by timers that double each
        time: beside other work 100 MB then took from half a minute to for ever.
        """
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=sock, limit=limit)

    async def talk(self, *pieces, half_close=False):
        """Send pieces in separate writes; all that comes back until the server closes."""
        reader, writer = await self.connect()
        with contextlib.closing(writer):
            for piece in pieces:
                writer.write(piece)
                await turns()
            if half_close:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 10)


@contextlib.asynccontextmanager
async def serving(app, http=Connection, **settings):
    config = uvicorn.Config(
        app, http=http, lifespan="off", log_config=None, proxy_headers=False, **settings
    )
    config.load()
    site = Site()
    loop = asyncio.get_running_loop()

    def connection():
        site.made.append(http(config, site.state, {"x": 1}, loop))
        return site.made[-1]

    server = await loop.create_server(connection, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for made in [*site.state.connections]:
            made.transport.abort()
        tasks = [*site.state.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns()


async def turns(count=3):
    """Let the loop turn, so that what was written is read."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(true, seconds=5):
    """Wait until `true()` is."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of what has no event to offer
            await asyncio.sleep(0.002)


async def body_of(receive):
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message["body"]
        if not message["more_body"]:
            return body


async def answer(send, body=b"ok", status=200, headers=(), *, length=True):
    headers = [*headers, (b"content-length", b"%d" % len(body))] if length else [*headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(scope, receive, send):
    """Says what it was asked; the path chooses the form: /chunked, /empty/STATUS, others."""
    body = await body_of(receive)
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "version": scope["http_version"],
        "headers": [[n.decode(), v.decode().strip()] for n, v in scope["headers"]],
        "state": scope["state"],
        "body": body.decode("latin-1"),
    }
    text = json.dumps(seen).encode()
    if scope["path"].startswith("/empty/"):
        status = int(scope["path"][len("/empty/") :])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    elif scope["path"] == "/chunked":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text[:5], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": text[5:]})
    else:
        await answer(send, text)


def responses(data, methods):
    """What h11 reads: `(status, headers, body)` for each method, as far as they came."""
    client = h11.Connection(h11.CLIENT)
    client_fed = False
    read = []
    for method in methods:
        client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        if not client_fed:
            client.receive_data(data)
            client.receive_data(b"")
            client_fed = True
        head, body = None, b""
        while type(event := client.next_event()) is not h11.EndOfMessage:
            if isinstance(event, h11.ConnectionClosed):
                return read
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
        read.append((head.status_code, dict(head.headers), bytes(body)))
        if client.our_state is h11.MUST_CLOSE or client.their_state is not h11.DONE:
            break
        client.start_next_cycle()
    return read


def error_of(data):
    """`(status, error object)` of an error response, which must be all there is."""
    ((status, headers, body),) = responses(data, ["GET"])
    assert headers[b"connection"] == b"close"
    assert headers[b"content-type"] == b"application/json"
    return status, json.loads(body)["error"]
