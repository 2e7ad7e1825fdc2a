"""Whatever a client does when, and whatever the application waits for: all of it ends."""

import asyncio
import contextlib
import random
import socket

import pytest
from asgi_server import responses, serving, turns, until

from proxy.downstream import Connection
from proxy.send import CLIENT

POST = b"POST /%s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
CHUNKED = b"POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
LAST = b"POST /wait HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
SIZES = {b"respond": 2**19, b"stream": 30 * 2**14, b"wait": 2}
WAYS = (b"respond", b"stream", b"early", b"wait", b"raise", b"return")


class Narrow(Connection):
    """Its socket holds little, so that it soon has to wait for its client."""

    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        super().connection_made(transport)


async def app(scope, receive, send):
    """Answers as its path says; cancelled by its client's hang-up, as a relayed call is."""
    client, way = scope["extensions"][CLIENT], scope["path"][1:].encode()
    gone = asyncio.Event()
    client.on_disconnect(lambda cancel: (gone.set(), cancel()))
    if way != b"early" and client.take() is None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
    if way == b"raise":
        raise LookupError("mine")
    if way == b"wait":
        await asyncio.sleep(0.003)
    if way == b"stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(30):
            body = {"type": "http.response.body", "body": bytes(2**14), "more_body": True}
            await send(body)
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    elif way != b"return":
        size = SIZES.get(way, 2)
        client.respond(200, ((b"content-length", b"%d" % size),), bytes(size))


async def client(site, dice):
    """Asks a few times, in pieces; then reads, hangs up, half or wholly, or breaks off."""
    reader, writer = await site.narrow(2**12)
    sent = b""
    for _ in range(dice.randrange(1, 6)):
        body = bytes(dice.choice((0, 3, 200_000)))
        form = dice.choice((POST, CHUNKED)) if body else POST
        sent += form % (dice.choice(WAYS), len(body), body)
    if dice.random() < 0.3:
        sent = sent[: dice.randrange(len(sent))]
    if dice.random() < 0.1:
        sent += b"nonsense\r\n\r\n"
    # It may have been hung up on, for which uvloop raises the last, or have asked for nothing.
    with contextlib.suppress(OSError, TimeoutError, RuntimeError):
        while sent:
            cut = dice.randrange(1, len(sent) + 1)
            writer.write(sent[:cut])
            sent = sent[cut:]
            await turns(dice.randrange(4))
            if dice.random() < 0.3:
                await asyncio.wait_for(reader.read(dice.randrange(1, 2**16)), 0.1)
        if dice.random() < 0.5:
            writer.write_eof()
        for _ in range(dice.choice((0, 3, 10**9))):
            if not await asyncio.wait_for(reader.read(2**14), 0.5):
                break
            await turns(dice.randrange(3))
    if dice.random() < 0.5:
        writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def patient(site, dice):
    """Asks, reads at its own pace, perhaps closing its half, and gets every reply."""
    reader, writer = await site.narrow(2**12)
    ways = [dice.choice((b"respond", b"stream", b"wait")) for _ in range(dice.randrange(1, 6))]
    for way in ways:
        writer.write(POST % (way, 3, b"abc"))
        await turns(dice.randrange(4))
    writer.write(LAST)
    if dice.random() < 0.5:
        writer.write_eof()
    read = b""
    while data := await asyncio.wait_for(reader.read(2**16), 10):
        read += data
        await turns(dice.randrange(3))
    writer.close()
    await writer.wait_closed()
    read = read.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    sizes = [len(body) for _, _, body in responses(read, ["POST"] * (len(ways) + 1))]
    assert sizes == [*map(SIZES.get, ways), SIZES[b"wait"]]


@pytest.mark.parametrize("seed", range(12))
async def test_any_schedule_of_requests_reads_and_hang_ups_ends(seed, caplog):
    dice, faults = random.Random(seed), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with serving(app, Narrow, timeout_keep_alive=1) as site:
        async with asyncio.timeout(30):
            made = [dice.choice((client, patient))(site, dice) for _ in range(30)]
            await asyncio.gather(*made)
        await until(lambda: not site.state.connections and not site.state.tasks, 20)
    assert not faults
