"""A connection between two requests belongs to the second, whatever becomes of the first."""

import asyncio
import contextlib

from raw_server import echo, serve

from proxy.upstream import Client, Request


def post(body):
    return Request("POST", b"/v1/x", (), body)


@contextlib.asynccontextmanager
async def client_of(served):
    client = Client(served.url, limit=1)
    try:
        yield client
    finally:
        await client.aclose()


async def test_who_is_cancelled_as_the_reply_comes_leaves_the_connection_to_the_next():
    following = []

    def free(freed):
        connection._free = client._free
        client._free(freed)
        first.cancel()  # its reply is there, and it has yet to look
        sending.append(client.send(post(b"next")))
        following.append(sending[0].send(None))  # until the reply is there

    sending = []
    async with serve(echo) as served, client_of(served) as client:
        first = asyncio.create_task(client.send(post(b"first")))
        async with asyncio.timeout(5):
            while not (client._open and next(iter(client._open))._head):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
        (connection,) = client._open
        connection._free = free
        await asyncio.wait([first])
        assert first.cancelled()
        response = await asyncio.wait_for(following[0], 5)
        assert response.whole.endswith(b"|next")
        assert served.connections == 1
        sending[0].close()


async def test_a_connection_that_was_handed_over_and_lost_is_not_kept():
    async with serve(echo) as served, client_of(served) as client:
        await client.send(post(b"a"))
        waiting = asyncio.create_task(client._wait())
        connection = client._idle.pop()
        await asyncio.sleep(0)
        client._free(connection)  # to the one who waits
        connection.abort()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not client._idle
        assert not client._open
