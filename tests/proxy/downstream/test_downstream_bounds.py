"""Bounds: time, memory in both directions, any bytes at all, and how a server ends."""

import asyncio
import contextlib
import errno
import socket

import pytest
import uvicorn
import uvloop
from asgi_server import answer, body_of, echo, error_of, responses, serving, turns, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.downstream import Connection
from proxy.downstream.connection import QUEUE_LIMIT, UNREAD_LIMIT

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
TOTAL = 100 * 2**20
PIECE = b"x" * 2**16


class Quick(Connection):
    head_timeout = 0.1


async def test_a_slow_reader_holds_a_download_back():
    sent = 0

    async def app(scope, receive, send):
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(TOTAL // len(PIECE)):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            sent += len(PIECE)
        await send({"type": "http.response.body"})

    async with serving(app) as site:
        reader, writer = await site.narrow(4096)
        writer.write(LAST)
        held = []
        read = 0
        while data := await reader.read(2**20):
            read += len(data)
            held.append(site.made[-1].transport.get_write_buffer_size())
            if read < 2**20:
                await turns(20)
        assert sent == TOTAL
        assert read > TOTAL
        assert max(held) < 4 * len(PIECE)
        writer.close()


async def test_a_slow_application_holds_an_upload_back():
    held = []
    got = 0

    async def app(scope, receive, send):
        nonlocal got
        while True:
            message = await receive()
            got += len(message["body"])
            held.append(len(message["body"]))
            if not message["more_body"]:
                break
            if got < 2**22:
                await turns(20)
        await answer(send)

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % TOTAL)
        for _ in range(TOTAL // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        assert got == TOTAL
        assert max(held) <= UNREAD_LIMIT + 2**18  # one read more
        writer.close()


async def test_an_application_that_does_not_read_stops_the_client():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await answer(send, b"%d" % len(await body_of(receive)))

    async with serving(app) as site:
        reader, writer = await site.connect()
        size = 4 * 2**20
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await until(lambda: site.made and site.made[-1].paused)
        await turns(20)
        assert site.made[-1]._reader.request.unread <= UNREAD_LIMIT + 2**18
        gate.set()
        assert (await reader.readuntil(b"\r\n\r\n%d" % size)).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("size", [100, 200_000, 3_000_000])
async def test_an_unread_body_is_dropped_and_the_next_request_served(size):
    async def app(scope, receive, send):
        await answer(send, status=413 if scope["method"] == "POST" else 200)

    async with serving(app) as site:
        reader, writer = await site.connect()
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size
        writer.write(head + b"x" * size + LAST)
        read = responses(await asyncio.wait_for(reader.read(), 10), ["POST", "GET"])
        assert [status for status, _, _ in read] == [413, 200]
        writer.close()


async def test_an_early_answer_is_read_though_the_client_still_sends():
    async def app(scope, receive, send):
        await answer(send, status=413, headers=[(b"connection", b"close")])

    async with serving(app) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n")
        writer.write(b"x" * 2_000_000)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 413")
        writer.close()
        await until(lambda: not site.state.connections)


async def test_pipelined_requests_that_wait_stop_the_client():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await answer(send)

    async with serving(app) as site:
        reader, writer = await site.connect()
        for _ in range(3 * QUEUE_LIMIT):
            writer.write(GET)
            await turns()
        await until(lambda: site.made[-1].paused)
        assert len(site.state.tasks) == 1
        assert len(site.made[-1]._queue) == QUEUE_LIMIT
        gate.set()
        writer.write(LAST)
        read = responses(await asyncio.wait_for(reader.read(), 10), ["GET"] * 49)
        assert len(read) == 3 * QUEUE_LIMIT + 1
        writer.close()


async def test_too_many_requests_at_once_are_refused_after_those_that_fit():
    async with serving(echo) as site:
        text = await site.talk(b"GET / HTTP/1.1\r\n\r\n" * 2000)
        statuses = [status for status, _, _ in responses(text, ["GET"] * 2000)]
        assert statuses[-1] == 400
        assert set(statuses[:-1]) == {200}
        assert len(statuses) >= 1025


async def test_a_large_head_is_refused():
    async with serving(echo) as site:
        status, error = error_of(await site.talk(b"GET / HTTP/1.1\r\nA: " + b"b" * 400_000))
        assert status == 431
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_http"
    assert error["param"] is None


@pytest.mark.parametrize("first", [b"", b"GE", b"GET / HTTP/1.1\r\nA: b\r\n", GET + b"GET / H"])
async def test_a_head_has_a_time_to_arrive(first):
    async with serving(echo, Quick, timeout_keep_alive=60) as site:
        text = await site.talk(first)
        assert text.count(b"HTTP/1.1 200") == first.startswith(GET)
        assert not site.state.connections


async def test_a_head_that_trickles_in_gets_no_more_time():
    async with serving(echo, Quick) as site:
        reader, writer = await site.connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        await until(lambda: site.made)
        # Its end may be a reset, of which asyncio's reader makes no end of file.
        with contextlib.suppress(ConnectionError, RuntimeError):
            async with asyncio.timeout(10):
                while site.state.connections:
                    writer.write(b"a: b\r\n")
                    await asyncio.sleep(0.01)
            assert await reader.read() == b""
        assert not site.state.connections
        writer.close()


async def test_an_idle_connection_is_closed_and_one_at_work_is_not():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await gate.wait()
        await answer(send)

    async with serving(app, Quick, timeout_keep_alive=0.05) as site:
        slow, writer = await site.connect()
        writer.write(b"GET /slow HTTP/1.1\r\n\r\n")
        idle = await site.talk(GET)  # returns when the server closes
        assert idle.startswith(b"HTTP/1.1 200")
        await site.talk(GET)
        gate.set()
        assert (await slow.read()).endswith(b"ok")
        writer.close()


async def test_who_does_not_read_the_last_response_is_dropped():
    async def app(scope, receive, send):
        await answer(send, b"x" * 50_000_000)

    async with serving(app, Quick) as site:
        _, writer = await site.narrow(4096)
        writer.transport.pause_reading()
        writer.write(LAST)
        await until(lambda: site.state.total_requests)
        await until(lambda: not site.state.connections)
        writer.close()


async def test_a_client_that_resets_the_connection_while_it_is_refused(caplog):
    class Reset:
        """What asyncio's transport does once the kernel has seen the reset."""

        def __init__(self, transport):
            self._transport = transport

        def __getattr__(self, name):
            return getattr(self._transport, name)

        def write_eof(self):
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    async with serving(echo) as site:
        _, writer = await site.connect()
        await until(lambda: site.made)
        site.made[-1].transport = Reset(site.made[-1].transport)
        writer.write(b"nonsense\r\n\r\n")
        await until(lambda: not site.state.connections)
        writer.close()
    assert not caplog.records


_pieces = st.binary(max_size=60) | st.sampled_from(
    [
        GET,
        LAST,
        b"\r\n",
        b"POST / HTTP/1.1\r\n",
        b"Content-Length: 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"4\r\nabcd\r\n",
        b"0\r\n\r\n",
        b"GET / HTTP/1.0\r\n",
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(_pieces, max_size=8), min_size=8, max_size=8), st.booleans())
def test_no_bytes_bring_it_down(clients, fast):
    faults = []

    async def client(site, pieces):
        loop = asyncio.get_running_loop()
        with socket.socket() as sock, contextlib.suppress(ConnectionError):
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", site.port))
            for piece in filter(None, pieces):
                await loop.sock_sendall(sock, piece)
                await turns(2)
            with contextlib.suppress(OSError):  # it may be closed already
                sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(5):
                while await loop.sock_recv(sock, 2**16):
                    pass

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with serving(body_or_gone) as site:
            await asyncio.gather(*(client(site, pieces) for pieces in clients))
            assert responses(await site.talk(LAST), ["GET"])[0][2] == b"ok"
            await until(lambda: not site.state.connections)
            assert not site.state.tasks

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if fast else None) as runner:
        runner.run(run())
    assert not faults


async def body_or_gone(scope, receive, send):
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await answer(send)


async def test_a_graceful_shutdown():
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await gate.wait()
        await answer(send)

    config = uvicorn.Config(app, http=Connection, lifespan="off", log_config=None, port=0)
    server = uvicorn.Server(config)
    serve = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    busy, busy_writer = await asyncio.open_connection("127.0.0.1", port)
    busy_writer.write(GET)
    await until(lambda: server.server_state.tasks)
    server.should_exit = True
    assert await idle.read() == b""
    assert not serve.done()
    gate.set()
    text = await busy.read()
    assert text.endswith(b"ok")
    assert b"connection: close" in text
    await asyncio.wait_for(serve, 5)
    idle_writer.close()
    busy_writer.close()


async def test_a_shutdown_that_cannot_wait_cancels():
    async def app(scope, receive, send):
        await asyncio.sleep(60)

    config = uvicorn.Config(
        app, http=Connection, lifespan="off", log_config=None, port=0, timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    serve = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    await until(lambda: server.server_state.tasks)
    server.should_exit = True
    assert await reader.read() == b""
    await asyncio.wait_for(serve, 5)
    assert not server.server_state.tasks
    writer.close()
