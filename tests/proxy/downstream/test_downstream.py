"""The server side over real sockets, beside uvicorn's own protocol as a second opinion."""

import asyncio
import contextlib
import json

import h11
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.downstream import Connection
from proxy.send import CLIENT


async def app(scope, receive, send):
    """Tells what it was asked; the path says how it answers."""
    if scope["type"] == "lifespan":
        return
    path = scope["path"]
    if path == "/unread":
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})
        return
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    if path == "/raise":
        raise ValueError("SECRET")
    status = {"/empty": 204, "/same": 304}.get(path, 200)
    told = {
        "method": scope["method"],
        "path": path,
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[n.decode(), v.decode()] for n, v in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    text = json.dumps(told).encode()
    headers = [(b"content-length", b"%d" % len(text))] if path == "/sized" else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if path == "/cut":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        return
    if status == 200:
        for piece in (text[:5], text[5:]):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def serving(application=app, protocol=Connection):
    """The port of a running server."""
    config = uvicorn.Config(
        application,
        http=protocol,
        lifespan="off",
        log_level="critical",
        port=0,
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


async def talk(port, *pieces, pause=0.0):
    """What the server says to these bytes until it closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        while True:
            some = await asyncio.wait_for(reader.read(65536), 0.25)
            if not some:
                return said, True
            said += some
    except TimeoutError:
        return said, False
    except ConnectionError:
        return said, True
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def replies(said, methods):
    """`(status, body)` of each response, as h11 reads them."""
    found = []
    for method in methods:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(said)
        status, body = None, b""
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.EndOfMessage):
                break
        found.append((status, body))
        said = client.trailing_data[0]
    return found


POST = b"POST /a%20b?q=1 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /sized HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
)
GET = b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n"
STREAMS = {
    "post": (POST, ["POST"]),
    "chunked": (CHUNKED, ["POST"]),
    "pipeline": (GET + POST + CHUNKED + GET, ["GET", "POST", "POST", "GET"]),
    "head": (b"HEAD /sized HTTP/1.1\r\nhost: x\r\n\r\n" + GET, ["HEAD", "GET"]),
    "204": (b"GET /empty HTTP/1.1\r\nhost: x\r\n\r\n" + GET, ["GET", "GET"]),
    "304": (b"GET /same HTTP/1.1\r\nhost: x\r\n\r\n" + GET, ["GET", "GET"]),
    "close": (b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", ["GET"]),
    "upgrade": (
        b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        ["GET"],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_as_uvicorn_would(name):
    stream, methods = STREAMS[name]
    async with serving() as ours, serving(protocol=HttpToolsProtocol) as theirs:
        said, closed = await talk(ours, stream)
        expected, closes = await talk(theirs, stream)
        assert replies(said, methods) == replies(expected, methods)
        assert closed == closes


@pytest.mark.parametrize("name", ["post", "chunked", "pipeline"])
async def test_wherever_the_bytes_are_cut(name):
    stream, methods = STREAMS[name]
    async with serving() as port:
        whole, _ = await talk(port, stream)
        cuts = range(1, len(stream), max(1, len(stream) // 24))
        answers = await asyncio.gather(
            *[talk(port, stream[:cut], stream[cut:], pause=0.01) for cut in cuts]
        )
        for said, _ in answers:
            assert replies(said, methods) == replies(whole, methods)


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_openais_form(bad):
    async with serving() as port:
        said, closed = await talk(port, bad)
        assert closed
        assert said.startswith(b"HTTP/1.1 400")
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_http"


async def test_a_head_that_is_too_large_is_refused():
    async with serving() as port:
        said, closed = await talk(port, b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")
        assert closed
        assert said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


async def test_the_body_is_asked_for_when_it_is_expected():
    head = b"POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    async with serving() as port:
        said, _ = await talk(port, head, b"ok", pause=0.05)
        assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize("size", [20_000, 100_000, 3_000_000])
async def test_a_body_that_nobody_read_does_not_stop_the_next_request(size):
    unread = b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size
    async with serving() as port:
        said, _ = await talk(port, unread + b"x" * size, GET, pause=0.05)
        assert [status for status, _ in replies(said, ["POST", "GET"])] == [413, 200]


async def test_a_response_that_is_broken_off_closes_the_connection():
    async with serving() as port:
        said, closed = await talk(port, b"GET /cut HTTP/1.1\r\nhost: x\r\n\r\n")
        assert closed
        assert b"half" in said
        assert not said.endswith(b"0\r\n\r\n")


async def test_a_fault_of_the_application_is_told_without_its_message(caplog):
    async with serving() as port:
        said, _ = await talk(port, b"GET /raise HTTP/1.1\r\nhost: x\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 500")
        assert b"SECRET" not in said
        assert "SECRET" not in caplog.text


async def test_the_head_of_a_slow_stream_goes_out_at_once():
    gate = asyncio.Event()

    async def slow(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async with serving(slow) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        assert head.startswith(b"HTTP/1.1 200")
        gate.set()
        assert b"late" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 2)
        writer.close()


async def test_a_hang_up_is_told_at_once():
    gone = asyncio.Event()

    async def waiting(scope, receive, send):
        scope["extensions"][CLIENT].on_disconnect(lambda _: gone.set())
        await asyncio.sleep(5)

    async with serving(waiting) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(gone.wait(), 2)


async def test_a_slow_reader_holds_the_application_back():
    sent = 0

    async def endless(scope, receive, send):
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent += 65536

    async with serving(endless) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(GET)
        await asyncio.sleep(0.3)
        assert sent < 30_000_000
        writer.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([GET, POST, CHUNKED, b"\r\n", b"GET ", b"HTTP/1.1\r\n", b"0\r\n\r\n"]),
        max_size=6,
    )
)
def test_no_bytes_bring_it_down(pieces):
    async def run():
        async with serving() as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            await asyncio.sleep(0.005)
            writer.close()
            said, _ = await talk(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            assert said.startswith(b"HTTP/1.1 200")

    asyncio.run(run())
