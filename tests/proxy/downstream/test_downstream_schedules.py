"""Whatever a client does when, and whatever the application waits for: all of it ends."""

import asyncio
import contextlib
import random

import pytest
from asgi_server import serving, turns, until

from proxy.send import CLIENT

POST = b"POST /%s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
CHUNKED = b"POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
WAYS = (b"respond", b"stream", b"early", b"wait", b"raise", b"return")


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
        size = 2**19 if way == b"respond" else 2
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


@pytest.mark.parametrize("seed", range(12))
async def test_any_schedule_of_requests_reads_and_hang_ups_ends(seed, caplog):
    dice, faults = random.Random(seed), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with serving(app, timeout_keep_alive=1) as site:
        async with asyncio.timeout(30):
            await asyncio.gather(*(client(site, dice) for _ in range(25)))
        await until(lambda: not site.state.connections and not site.state.tasks, 20)
    assert not faults
