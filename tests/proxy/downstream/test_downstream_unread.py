"""A client that asks on and on and does not read costs the memory of one response."""

import asyncio

import pytest
from asgi_server import responses, serving, turns, until

from proxy.downstream import Connection
from proxy.send import CLIENT

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
BODY = b"x" * 2**19
LARGE = 2**24


@pytest.mark.parametrize("half_close", [False, True])
async def test_requests_wait_while_their_client_does_not_read(half_close):
    asked, faults = 0, []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def app(scope, receive, send):
        nonlocal asked
        asked += 1
        client = scope["extensions"][CLIENT]
        client.respond(200, ((b"content-length", b"%d" % len(BODY)),), BODY)

    async with serving(app) as site:
        reader, writer = await site.narrow(2**20)
        writer.transport.pause_reading()
        writer.write(GET * 23)
        if half_close:
            writer.write(GET)
            writer.write_eof()
        await until(lambda: site.made and site.made[-1].drained)
        await turns(200)
        assert site.made[-1].transport.get_write_buffer_size() < 2 * len(BODY)
        assert asked < 20
        writer.transport.resume_reading()
        if not half_close:
            writer.write(LAST)
        held, read = [], []
        while data := await asyncio.wait_for(reader.read(2**20), 10):
            read.append(data)
            held.append(site.made[-1].transport.get_write_buffer_size())
        assert [body for _, _, body in responses(b"".join(read), ["GET"] * 24)] == [BODY] * 24
        assert asked == 24
        assert max(held) < 2 * len(BODY)
        await until(lambda: not site.state.connections)
        writer.close()
    assert not faults


class Quick(Connection):
    head_timeout = 0.1
    expired = 0

    def expire(self):
        self.expired += 1
        super().expire()


async def large(scope, receive, send):
    client = scope["extensions"][CLIENT]
    client.respond(200, ((b"content-length", b"%d" % LARGE),), bytes(LARGE))


@pytest.mark.parametrize("ask", [GET, LAST])
async def test_who_reads_slowly_gets_all_of_a_reply_however_long_it_takes(ask):
    async with serving(large, Quick, timeout_keep_alive=0.1) as site:
        reader, writer = await site.narrow(2**16)
        writer.write(ask)
        await reader.readuntil(b"\r\n\r\n")
        left = LARGE
        while left:
            got = await asyncio.wait_for(reader.read(2**17), 10)
            assert got, f"{left} bytes were not sent"
            left -= len(got)
            await asyncio.sleep(0.005)
        assert site.made[-1].expired > 1, "it was not slow enough to show anything"
        writer.transport.abort()


@pytest.mark.parametrize("ask", [GET, LAST])
async def test_who_reads_nothing_any_more_is_dropped(ask):
    async with serving(large, Quick, timeout_keep_alive=0.1) as site:
        reader, writer = await site.narrow(2**16)
        writer.write(ask)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        await until(lambda: not site.state.connections)
        writer.transport.abort()


async def test_who_has_read_a_long_reply_may_ask_again():
    """The time for which an idle client is kept begins when it has read its reply."""
    async with serving(large, timeout_keep_alive=0.3) as site:
        reader, writer = await site.narrow(2**16)
        for _ in range(2):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.25)
            await asyncio.wait_for(reader.readexactly(LARGE), 10)
            await asyncio.sleep(0.15)
        writer.close()
