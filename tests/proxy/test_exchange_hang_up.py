"""What becomes of an exchange whose client goes at an awkward moment."""

import asyncio
import types

import pytest
from backends import JSON, SSE, Pieces, Scripted, call

from policies.base.call import Effect
from policies.base.plan import Plan, Row
from policies.base.reply import Reply
from policies.base.step import Edit
from proxy.exchange import Exchange
from proxy.lane import Lane

ADDED = Edit(call().body, Effect.EXACT, "", revocable=("cache_control",))


class Engine:
    """Plans nothing but what `rows` say; `settle` takes until `settled` is set."""

    def __init__(self, *rows):
        self.rows = rows
        self.settling, self.settled = asyncio.Event(), asyncio.Event()

    async def plan(self, one, pipeline, unusable=frozenset()):
        return Plan(one, one, self.rows, None, "p")

    async def settle(self, plan, pipeline, outcome):
        self.settling.set()
        await self.settled.wait()


class Books:
    def __init__(self):
        self.closed = []

    def close(self, plan, outcome, texts):
        self.closed.append((outcome.status, outcome.error))


class Asker:
    """A client that can hang up."""

    def __init__(self):
        self.listener = None
        self.got = []

    def on_disconnect(self, listener):
        self.listener = listener

    def respond(self, status, fields, body):
        self.got.append(body)

    async def send(self, message):
        if message.get("body"):
            self.got.append(message["body"])


def started(engine, reply):
    """`(task, client, books)` of an exchange that gets this reply."""
    one, client, books = call(), Asker(), Books()
    pipeline = types.SimpleNamespace(name="p")
    lane = Lane(engine, pipeline, lambda _: Scripted(reply), books, 10**6)
    exchange = Exchange(one, lane, client, 0.0)
    return asyncio.create_task(exchange.run()), client, books


def body(headers):
    pieces = Pieces()
    pieces.put(b"{}", None)
    sized = ((b"content-length", b"2"),) if headers is JSON else ()
    return Reply(200, headers + sized, pieces, "a")


@pytest.mark.parametrize("headers", [JSON, SSE])
async def test_who_goes_with_the_whole_reply_was_answered(headers):
    engine = Engine()
    task, client, books = started(engine, body(headers))
    async with asyncio.timeout(5):
        await engine.settling.wait()
        client.listener(task.cancel)  # the loop was told of the end before it came to call this
        await asyncio.sleep(0)
        engine.settled.set()
        await task
    assert client.got == [b"{}"]
    assert books.closed == [(200, None)]


async def test_who_goes_before_is_booked_as_gone():
    engine = Engine()
    engine.settled.set()
    reply = Reply(200, SSE, Pieces(), "a")
    task, client, books = started(engine, reply)
    async with asyncio.timeout(5):
        while client.listener is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        client.listener(task.cancel)
        await task
    assert books.closed == [(499, "client_gone")]
    assert reply.chunks.closed


async def test_who_goes_while_a_rejection_is_read_leaves_nothing_open():
    one = call()
    engine = Engine(Row("marks", ADDED, 0.0, True, "on", one))
    engine.settled.set()
    pieces = Pieces()
    task, client, books = started(engine, Reply(400, JSON, pieces, "a"))
    await asyncio.sleep(0.01)  # it waits for the rest of the error
    client.listener(task.cancel)
    await asyncio.wait_for(task, 5)
    assert pieces.closed
    assert books.closed == [(499, "client_gone")]
