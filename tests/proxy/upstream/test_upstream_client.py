"""The client against servers that behave, on real sockets and both event loops."""

import asyncio
import contextlib

import aiohttp
import pytest
from raw_server import echo, head_of, request_of, serve, sized
from reply_corpus import CASES

from proxy.errors import UpstreamError
from proxy.upstream import Client, Request, Timeouts


@contextlib.asynccontextmanager
async def client_of(url, **settings):
    client = Client(url, **settings)
    try:
        yield client
    finally:
        await client.aclose()


async def body_of(response):
    return b"".join([chunk async for chunk in response.chunks])


async def parts(*pieces):
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


def post(body, **more):
    return Request("POST", b"/v1/x?y=1", ((b"x-a", b"b"),), body, **more)


async def test_a_small_reply_is_whole_and_also_a_chunk():
    async with serve(echo) as served, client_of(served.url + "/v1/") as client:
        response = await client.send(post(b"hello"))
        assert client.prefix == b"/v1"
        assert (response.status, response.whole) == (200, b"POST /v1/x?y=1 HTTP/1.1|hello")
        assert [chunk async for chunk in response.chunks] == [response.whole]
        assert response.headers == ((b"content-length", b"29"),)


async def test_an_empty_reply_is_whole_and_has_no_chunk():
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(sized(b""))
        await reader.read()

    async with serve(handler) as served, client_of(served.url) as client:
        response = await client.send(Request("GET", b"/"))
        assert response.whole == b""
        assert [chunk async for chunk in response.chunks] == []


async def test_a_whole_of_many_pieces_is_one_chunk():
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(CASES["chunked"].wire)
        await reader.read()

    async with serve(handler) as served, client_of(served.url) as client:
        response = await client.send(Request("GET", b"/"))
        assert response.whole == b"hello!"
        assert [chunk async for chunk in response.chunks] == [b"hello!"]


async def test_connections_are_reused_and_the_latest_first():
    async with serve(echo) as served, client_of(served.url) as client:
        for _ in range(5):
            await client.send(post(b"a"))
        assert served.connections == 1
        await asyncio.gather(*(client.send(post(b"a")) for _ in range(5)))
        assert served.connections == 5
        latest = client._idle[-1]
        await client.send(post(b"a"))
        assert client._idle[-1] is latest


@pytest.mark.parametrize(
    ("length", "framing"), [(None, b"transfer-encoding"), (11, b"content-length")]
)
async def test_a_streamed_body_arrives(length, framing):
    async def handler(reader, writer, _):
        while True:
            _, headers, body = await request_of(reader)
            writer.write(sized(b"%d %b" % (framing in headers, body)))

    async with serve(handler) as served, client_of(served.url) as client:
        for _ in range(2):
            response = await client.send(post(parts(b"hello", b"", b" ", b"world"), length=length))
            assert response.whole == b"1 hello world"
        assert served.connections == 1


@pytest.mark.parametrize("length", [10, 12])
async def test_a_streamed_body_of_another_length_is_an_error(length):
    async with serve(echo) as served, client_of(served.url) as client:
        with pytest.raises(ValueError, match="length"):
            await client.send(post(parts(b"hello", b" ", b"world"), length=length))
        await served.left()


async def test_what_the_source_of_a_body_raises_is_passed_on():
    async def broken():
        yield b"a"
        raise LookupError("mine")

    async with serve(echo) as served, client_of(served.url) as client:
        with pytest.raises(LookupError, match="mine"):
            await client.send(post(broken()))
        await served.left()
        assert (await client.send(post(b"b"))).status == 200


async def test_events_arrive_one_by_one():
    go = asyncio.Event()

    async def handler(reader, writer, _):
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(5):
            await go.wait()
            go.clear()
            writer.write(b"3\r\nd:%d\r\n" % number)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with serve(handler) as served, client_of(served.url) as client:
        response = await client.send(Request("GET", b"/"))
        assert response.whole is None
        for number in range(5):
            go.set()
            assert await anext(response.chunks) == b"d:%d" % number
        with pytest.raises(StopAsyncIteration):
            await anext(response.chunks)
        with pytest.raises(StopAsyncIteration):
            await anext(response.chunks)
        assert len(client._idle) == 1


async def test_limit_makes_requests_wait_for_each_other():
    async with serve(echo) as served, client_of(served.url, limit=3) as client:
        replies = await asyncio.gather(*(client.send(post(b"%d" % i)) for i in range(50)))
        assert [r.whole.rpartition(b"|")[2] for r in replies] == [b"%d" % i for i in range(50)]
        assert served.connections == 3


async def test_a_cancelled_wait_for_a_connection_costs_nothing():
    go = asyncio.Event()

    async def handler(reader, writer, _):
        while True:
            await request_of(reader)
            await go.wait()
            writer.write(sized(b"ok"))

    async with serve(handler) as served, client_of(served.url, limit=1) as client:
        first, second, third = (asyncio.create_task(client.send(post(b""))) for _ in range(3))
        await asyncio.sleep(0.01)
        second.cancel()
        go.set()
        assert (await first).whole == (await third).whole == b"ok"
        assert (await client.send(post(b""))).whole == b"ok"


async def test_idle_connections_are_bounded_in_number_and_age():
    async with (
        serve(echo) as served,
        client_of(served.url, idle_limit=2, keepalive=0.1) as client,
    ):
        await asyncio.gather(*(client.send(post(b"a")) for _ in range(5)))
        assert len(client._idle) == 2
        await asyncio.sleep(0.2)
        assert len(client._idle) == 0
        assert len(client._open) == 0
        assert not client._waiters


async def test_a_connection_that_a_cancelled_request_waited_for_goes_to_the_next():
    go = asyncio.Event()

    async def handler(reader, writer, _):
        while await request_of(reader):
            await go.wait()
            writer.write(sized(b"late"))

    async with serve(handler) as served, client_of(served.url, limit=1) as client:
        tasks = [asyncio.create_task(client.send(post(b"a"))) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert len(client._waiters) == 2
        handed = client._waiters[0]
        handed.add_done_callback(lambda _: tasks[1].cancel())  # it is handed over, and not taken
        go.set()
        replies = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [getattr(reply, "whole", None) for reply in replies] == [b"late", None, b"late"]
        assert client._open == set(client._idle)


async def test_closing_lets_exchanges_finish():
    go = asyncio.Event()

    async def handler(reader, writer, _):
        await request_of(reader)
        await go.wait()
        writer.write(sized(b"late"))
        await reader.read()

    async with serve(handler) as served, client_of(served.url) as client:
        pending = asyncio.create_task(client.send(post(b"a")))
        await asyncio.sleep(0.01)
        await client.aclose()
        go.set()
        assert (await pending).whole == b"late"
        await served.left()
        with pytest.raises(UpstreamError):
            await client.send(post(b"a"))


@pytest.mark.parametrize("name", CASES)
async def test_reads_what_aiohttp_reads(name):
    case = CASES[name]

    async def handler(reader, writer, number):
        await head_of(reader)
        cut = len(case.wire) * (number % 5) // 5
        writer.write(case.wire[:cut])
        await writer.drain()
        await asyncio.sleep(0.001 if number % 5 else 0)
        writer.write(case.wire[cut:])
        await writer.drain()

    async def mine():
        async with client_of(served.url) as client:
            try:
                response = await client.send(Request(case.method, b"/"))
                return response.status, await body_of(response)
            except UpstreamError:
                return None

    async def theirs():
        try:
            async with session.request(case.method, served.url) as response:
                return response.status, await response.read()
        except aiohttp.ClientError:
            return None

    expected = None if case.body is None else (case.status, case.body)
    async with serve(handler) as served, aiohttp.ClientSession() as session:
        for _ in range(5):
            assert await mine() == expected
        if "aiohttp" not in case.differs:
            assert await theirs() == expected


async def test_timeouts_are_not_touched_by_exchanges_that_go_on():
    async def handler(reader, writer, _):
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.03)
            writer.write(b"x")

    timeouts = Timeouts(connect=0.2, first_byte=0.2, idle=0.2)
    async with serve(handler) as served, client_of(served.url, timeouts=timeouts) as client:
        assert await body_of(await client.send(Request("GET", b"/"))) == b"x" * 10
