"""A client that stops in the middle does not hold a place for ever; one that is slow keeps it."""

import asyncio

import pytest
from asgi_server import serving, until

from proxy.downstream import Connection

POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n"


class Quick(Connection):
    head_timeout = 0.1


async def echo(_, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": ()})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("part", [b"", b"1234"])
async def test_a_body_that_stops_coming_is_refused(part):
    async with serving(echo, Quick) as site:
        reader, writer = await site.connect()
        writer.write(POST + part)
        said = await asyncio.wait_for(reader.read(), 10)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"did not come" in said
        await until(lambda: not site.state.connections)
        assert not site.state.tasks
        writer.close()


async def test_a_body_that_trickles_in_is_read_to_its_end():
    async with serving(echo, Quick) as site:
        reader, writer = await site.connect()
        writer.write(POST)
        for byte in b"12345678":
            await asyncio.sleep(0.05)
            writer.write(bytes([byte]))
        assert (await asyncio.wait_for(reader.readuntil(b"12345678"), 10)).startswith(b"HTTP/1.1 2")
        writer.close()


async def test_a_body_that_the_application_lets_wait_is_not_late():
    async def dawdles(scope, receive, send):
        await asyncio.sleep(0.5)
        await echo(scope, receive, send)

    async with serving(dawdles, Quick) as site:
        reader, writer = await site.connect()
        writer.write(POST + b"1234")
        await asyncio.sleep(0.52)
        writer.write(b"5678")
        assert await asyncio.wait_for(reader.readuntil(b"12345678"), 10)
        writer.close()


async def test_a_stream_that_nobody_reads_any_more_ends():
    ended = asyncio.Event()

    async def endless(scope, receive, send):
        gone = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": ()})
        while not gone.done() or gone.result()["type"] != "http.disconnect":
            if gone.done():
                gone = asyncio.create_task(receive())
            await send({"type": "http.response.body", "body": bytes(2**16), "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    async with serving(endless, Quick, timeout_keep_alive=0.1) as site:
        reader, writer = await site.narrow(2**16)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        await asyncio.wait_for(ended.wait(), 10)
        await until(lambda: not site.state.connections)
        writer.transport.abort()
