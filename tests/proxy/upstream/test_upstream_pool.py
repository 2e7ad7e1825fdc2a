"""Who waits for a connection gets one in turn, and there are never too many."""

import asyncio
import contextlib
import random
import socket

import pytest
from raw_server import request_of, serve, sized

from proxy.errors import BrokenReply, UpstreamError
from proxy.upstream import Client, Request


def post(body):
    return Request("POST", b"/v1/x", (), body)


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


async def waiting(client, count):
    async with asyncio.timeout(5):
        while len(client._waiters) < count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


async def test_a_newcomer_does_not_take_the_room_of_one_who_waited():
    served_in_turn = []

    async def handler(reader, writer, number):
        while True:
            _, _, body = await request_of(reader)
            served_in_turn.append(body)
            if body == b"first":
                return  # and hangs up
            writer.write(sized(b"ok"))

    async with serve(handler) as served:
        client = Client(served.url, limit=1)
        lost, newcomers = client._lost, []

        def asked_and_lost(connection):
            if not newcomers:  # it has its turn before the one that this wakes
                newcomers.append(asyncio.create_task(client.send(post(b"newcomer"))))
            lost(connection)

        first = asyncio.create_task(client.send(post(b"first")))
        await waiting(client, 0)
        second = asyncio.create_task(client.send(post(b"second")))
        await waiting(client, 1)
        (connection,) = client._open
        connection._lost = asked_and_lost
        with pytest.raises(BrokenReply):
            await asyncio.wait_for(first, 5)
        assert (await asyncio.wait_for(second, 5)).whole == b"ok"
        assert (await asyncio.wait_for(newcomers[0], 5)).whole == b"ok"
        await client.aclose()
    assert served_in_turn == [b"first", b"second", b"newcomer"]


async def test_a_room_that_a_cancelled_request_waited_for_goes_to_the_next():
    async with serve(lambda reader, writer, number: _answer(reader, writer)) as served:
        client = Client(served.url, limit=1)
        await client.send(post(b""))
        connection = client._idle.pop()
        tasks = [asyncio.create_task(client.send(post(b""))) for _ in range(2)]
        await waiting(client, 2)
        client._waiters[0].add_done_callback(lambda _: tasks[0].cancel())
        connection.abort()
        replies = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [getattr(reply, "whole", None) for reply in replies] == [None, b"ok"]
        assert client._open == set(client._idle)
        await client.aclose()


async def _answer(reader, writer):
    while True:
        await request_of(reader)
        writer.write(sized(b"ok"))


async def test_an_upload_that_fails_as_its_reply_ends_does_not_end_the_next_exchange():
    """Its failure is told by the loop a turn later, when another has the connection."""

    async def broken():
        yield b"part"
        await failing.wait()
        raise LookupError("mine")

    failing = asyncio.Event()
    async with serve(lambda reader, writer, number: _answer(reader, writer)) as served:
        client = Client(served.url, limit=1)
        await client.send(post(b""))
        (connection,) = client._idle
        sending = asyncio.create_task(client.send(post(broken())))
        async with asyncio.timeout(5):
            while connection._upload is None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        await turns()
        upload = connection._upload
        failing.set()
        while not upload.done():  # noqa: ASYNC110 - in the very turn in which it fails
            await asyncio.sleep(0)
        connection.data_received(sized(b"early"))
        assert (await asyncio.wait_for(sending, 5)).whole == b"early"
        assert connection not in client._open  # half a request has gone over it
        assert (await asyncio.wait_for(client.send(post(b"next")), 5)).whole == b"ok"
        await client.aclose()


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def misbehave(reader, writer, dice):
    """Replies whole, in pieces or in part; hangs up, half or wholly, before or after."""
    while True:
        _, _, body = await request_of(reader)
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(dice.choice((0, 0, 0.001)))
        reply, how = sized(b"for:" + body), dice.randrange(8)
        if how == 0:
            reset(writer)
            return
        if how == 1:
            return
        if how == 2:
            writer.write(reply[: dice.randrange(len(reply))])
            return
        if how == 3:
            writer.write(reply)
            writer.write_eof()
            await reader.read()
            return
        cut = dice.randrange(len(reply))
        writer.write(reply[:cut])
        await asyncio.sleep(0)
        writer.write(reply[cut:])


async def ask(client, number, dice, seen):
    seen.append(len(client._open))
    body = b"%d" % number

    async def streamed():
        for byte in body:
            await asyncio.sleep(0)
            if dice.random() < 0.1:
                raise LookupError("mine")
            yield bytes([byte])

    with contextlib.suppress(UpstreamError, LookupError):
        response = await client.send(post(streamed() if dice.random() < 0.3 else body))
        seen.append(len(client._open))
        got = b""
        if dice.random() < 0.2:
            await response.chunks.aclose()
            return
        try:
            async for chunk in response.chunks:
                got += chunk
                await asyncio.sleep(0)
            assert got == b"for:" + body
        finally:
            await response.chunks.aclose()


@pytest.mark.parametrize("seed", range(12))
async def test_any_schedule_of_cuts_and_cancellations_ends_and_answers_belong(seed):
    dice = random.Random(seed)
    seen, limit = [], dice.choice((1, 2, 5))
    async with serve(lambda reader, writer, number: misbehave(reader, writer, dice)) as served:
        client = Client(served.url, limit=limit)
        tasks = []
        for number in range(150):
            tasks.append(asyncio.create_task(ask(client, number, dice, seen)))
            if dice.random() < 0.5:
                await turns(dice.randrange(6))
            if dice.random() < 0.25:
                dice.choice(tasks).cancel()
        async with asyncio.timeout(20):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        odd = [e for e in ended if e is not None and not isinstance(e, asyncio.CancelledError)]
        assert odd == []
        assert max(seen) <= limit
        assert client._open == set(client._idle)
        assert not [waiter for waiter in client._waiters if not waiter.done()]
        await client.aclose()
