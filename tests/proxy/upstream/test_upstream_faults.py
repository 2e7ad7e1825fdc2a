"""The client against servers, and callers, that misbehave."""

import asyncio
import contextlib
import gc
import socket

import pytest
from raw_server import echo, head_of, request_of, serve, sized

from proxy.errors import BrokenReply, ConnectFailed, UpstreamTimeout
from proxy.upstream import Client, ConnectTimeout, NoReply, Request, Timeouts
from proxy.upstream.connection import BUFFERED_LIMIT

GET = Request("GET", b"/secret")
POST = Request("POST", b"/secret", (), b"payload")


@contextlib.asynccontextmanager
async def client_of(served, **settings):
    client = Client(served if isinstance(served, str) else served.url, **settings)
    try:
        yield client
    finally:
        await client.aclose()
        for connection in [*client._open]:
            connection.abort()
        await asyncio.sleep(0)


def reset(writer):
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def test_a_refused_connection():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}/secret", limit=1) as client:
        for _ in range(2):  # the slot is given back
            with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}") as caught:
                await client.send(POST)
            assert "secret" not in str(caught.value)


async def test_a_host_that_does_not_exist():
    async with client_of("http://host.invalid") as client:
        with pytest.raises(ConnectFailed, match=r"host\.invalid:80"):
            await client.send(GET)


async def test_a_stale_connection_is_replaced_once():
    async def handler(reader, writer, number):
        await request_of(reader)
        writer.write(sized(b"%d" % number))
        if number == 1:  # leave the next request unanswered
            await request_of(reader)
            return
        await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        assert (await client.send(POST)).whole == b"1"
        assert (await client.send(POST)).whole == b"2"
        assert served.connections == 2


async def test_two_unanswered_attempts_are_an_error():
    async def handler(reader, writer, number):
        await request_of(reader)
        if number == 1:
            writer.write(sized(b"1"))
            await request_of(reader)
        reset(writer)

    async with serve(handler) as served, client_of(served) as client:
        await client.send(POST)
        with pytest.raises(NoReply):
            await client.send(POST)
        assert served.connections == 2


async def test_a_fresh_connection_without_a_reply_is_not_retried():
    async def handler(reader, writer, _):
        await request_of(reader)

    async with serve(handler) as served, client_of(served) as client:
        with pytest.raises(NoReply):
            await client.send(POST)
        assert served.connections == 1


async def test_a_streamed_body_is_not_sent_twice():
    async def handler(reader, writer, number):
        await request_of(reader)
        writer.write(sized(b"1"))
        await request_of(reader)

    async def body():
        yield b"once"

    async with serve(handler) as served, client_of(served) as client:
        await client.send(POST)
        with pytest.raises(NoReply):
            await client.send(Request("POST", b"/", (), body()))
        assert served.connections == 1


async def test_a_reply_that_began_is_not_retried():
    async def handler(reader, writer, number):
        await request_of(reader)
        writer.write(sized(b"1"))
        await request_of(reader)
        writer.write(b"HTTP/1.1 200")

    async with serve(handler) as served, client_of(served) as client:
        await client.send(POST)
        with pytest.raises(BrokenReply) as caught:
            await client.send(POST)
        assert not isinstance(caught.value, NoReply)
        assert served.connections == 1


@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_an_idle_connection_that_ends_or_speaks_is_discarded(last):
    end = asyncio.Event()

    async def handler(reader, writer, number):
        await request_of(reader)
        writer.write(sized(b"%d" % number))
        await end.wait()
        writer.write(last)
        await writer.drain()
        if last:
            await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        assert (await client.send(POST)).whole == b"1"
        end.set()
        await served.left()
        await asyncio.sleep(0.01)
        assert client._idle == []
        assert client._open == set()
        assert (await client.send(POST)).whole == b"2"


async def test_cancelling_a_request_closes_the_socket_at_once():
    async def handler(reader, writer, _):
        await request_of(reader)
        assert await reader.read() == b""

    async with serve(handler) as served, client_of(served) as client:
        task = asyncio.create_task(client.send(POST))
        await asyncio.sleep(0.01)
        task.cancel()
        await served.left(0.1)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client._open == set()


async def test_closing_the_chunks_closes_the_socket_at_once():
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        assert await reader.read() == b""

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(POST)
        assert await anext(response.chunks) == b"hello"
        waiting = asyncio.create_task(anext(response.chunks))
        await asyncio.sleep(0)
        await response.chunks.aclose()
        await served.left(0.1)
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert client._open == set()


async def test_closing_the_chunks_of_a_finished_reply_keeps_the_connection():
    async with serve(echo) as served, client_of(served) as client:
        response = await client.send(POST)
        await response.chunks.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(response.chunks)
        assert len(client._idle) == 1


async def test_waiting_for_a_chunk_can_be_cancelled_and_taken_up_again():
    go = asyncio.Event()

    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await go.wait()
        writer.write(b"hello")
        await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(POST)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(response.chunks), 0.01)
        go.set()
        assert await anext(response.chunks) == b"hello"


async def test_connect_timeout():
    with socket.socket() as full:  # a queue of one, taken: further SYNs are dropped
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        taken = [socket.socket() for _ in range(3)]
        for sock in taken:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        async with client_of(url, timeouts=Timeouts(connect=0.1)) as client:
            with pytest.raises(ConnectTimeout, match=r"connect timeout after 0\.1 s"):
                await client.send(POST)
        for sock in taken:
            sock.close()


async def test_waiting_for_a_free_connection_counts_as_connecting():
    async def handler(reader, writer, _):
        await reader.read()

    timeouts = Timeouts(connect=0.05)
    async with serve(handler) as served, client_of(served, timeouts=timeouts, limit=1) as client:
        task = asyncio.create_task(client.send(POST))
        await asyncio.sleep(0)
        with pytest.raises(ConnectTimeout):
            await client.send(POST)
        task.cancel()


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_first_byte_timeout(start):
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(start)
        await reader.read()

    timeouts = Timeouts(first_byte=0.1)
    async with serve(handler) as served, client_of(served, timeouts=timeouts) as client:
        expected = rf"127\.0\.0\.1:{served.port}: first-byte timeout after 0\.1 s"
        with pytest.raises(UpstreamTimeout, match=expected):
            await client.send(POST)
        await served.left()


async def test_idle_timeout_comes_after_what_had_come():
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await reader.read()

    timeouts = Timeouts(idle=0.1)
    async with serve(handler) as served, client_of(served, timeouts=timeouts) as client:
        response = await client.send(POST)
        await served.left()
        assert await anext(response.chunks) == b"hello"
        for _ in range(2):
            with pytest.raises(UpstreamTimeout, match=r"idle timeout after 0\.1 s"):
                await anext(response.chunks)


async def test_a_slow_reader_holds_the_upstream_back():
    size = 50_000_000
    sent = 0

    async def handler(reader, writer, _):
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        part = bytes(100_000)
        for _ in range(size // len(part)):
            writer.write(part)
            await writer.drain()
            sent += len(part)
        await reader.read()

    timeouts = Timeouts(idle=0.1)
    async with serve(handler) as served, client_of(served, timeouts=timeouts) as client:
        response = await client.send(POST)
        await asyncio.sleep(0.3)  # longer than the idle timeout: the silence is the reader's
        assert sent < size / 2
        got, largest = 0, 0
        async for chunk in response.chunks:
            got += len(chunk)
            largest = max(largest, len(chunk))
        assert got == size
        assert largest < 3 * BUFFERED_LIMIT
        assert len(client._idle) == 1
        assert (client._idle[0]._paused, response.chunks.buffered) == (False, 0)


async def test_a_slow_upstream_holds_the_source_of_a_body_back():
    go = asyncio.Event()
    taken = 0

    async def body():
        nonlocal taken
        for _ in range(500):
            taken += 100_000
            yield bytes(100_000)

    async def handler(reader, writer, _):
        await head_of(reader)
        await go.wait()
        await reader.readexactly(50_000_000)
        writer.write(sized(b"ok"))
        await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        task = asyncio.create_task(client.send(Request("PUT", b"/", (), body(), 50_000_000)))
        await asyncio.sleep(0.1)
        assert taken < 25_000_000
        go.set()
        assert (await task).whole == b"ok"
        assert taken == 50_000_000


async def test_an_early_reply_ends_the_upload_and_the_connection():
    closed = asyncio.Event()

    async def body():
        try:
            yield b"some"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def handler(reader, writer, number):
        await head_of(reader)
        await reader.readexactly(9)
        writer.write(sized(b"too large"))
        await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(Request("POST", b"/", (), body()))
        assert response.whole == b"too large"
        await asyncio.wait_for(closed.wait(), 5)
        await served.left()
        assert client._open == set()


async def test_a_reply_may_stream_while_the_body_does():
    ping = asyncio.Queue()

    async def body():
        while (part := await ping.get()) is not None:
            yield part

    async def handler(reader, writer, _):
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while size := int(await reader.readline(), 16):
            part = (await reader.readexactly(size + 2))[:-2]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await reader.readline()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(Request("POST", b"/", (), body()))
        for number in range(3):
            ping.put_nowait(b"%d" % number)
            assert await anext(response.chunks) == b"%d" % number
        ping.put_nowait(None)
        assert [chunk async for chunk in response.chunks] == []
        assert len(client._idle) == 1


async def test_an_early_reply_to_a_large_plain_body_ends_the_connection():
    async def handler(reader, writer, _):
        await head_of(reader)
        writer.write(sized(b"too large"))
        await writer.drain()
        await asyncio.sleep(0.02)

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(Request("POST", b"/", (), bytes(30_000_000)))
        assert response.whole == b"too large"
        assert client._open == set()


async def test_a_reset_in_mid_body():
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()
        await asyncio.sleep(0.01)
        reset(writer)

    async with serve(handler) as served, client_of(served) as client:
        response = await client.send(POST)
        with pytest.raises(BrokenReply):
            assert b"".join([chunk async for chunk in response.chunks]) == b""


async def test_nothing_is_left_behind():
    async def handler(reader, writer, number):
        while True:
            await request_of(reader)
            writer.write(
                sized(b"x" * 10) if number % 3 else b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"
            )

    timeouts = Timeouts(idle=0.05)
    async with serve(handler) as served, client_of(served, timeouts=timeouts, limit=8) as client:

        async def one(number):
            response = await client.send(POST)
            if number % 2:
                await response.chunks.aclose()
            else:
                with contextlib.suppress(UpstreamTimeout):
                    async for _ in response.chunks:
                        pass

        await asyncio.gather(*(one(number) for number in range(100)))
        assert client._open == set(client._idle)
        assert not client._waiters
        assert len(client._open) == len(client._idle) <= 8
    await asyncio.sleep(0)
    assert client._open == set()
    gc.collect()
