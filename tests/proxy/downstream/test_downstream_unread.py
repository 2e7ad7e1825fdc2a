"""A client that asks on and on and does not read costs the memory of one response."""

import asyncio

import pytest
from asgi_server import responses, serving, turns, until

from proxy.send import CLIENT

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
BODY = b"x" * 2**19


@pytest.mark.parametrize("half_close", [False, True])
async def test_requests_wait_while_their_client_does_not_read(half_close):
    asked = 0

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
        writer.close()
