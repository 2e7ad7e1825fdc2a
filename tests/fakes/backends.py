"""Backends that a test drives by hand, and calls to send them."""

import asyncio
import json

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Controls, Dialect, Effect
from policies.base.reply import Reply

JSON = ((b"content-type", b"application/json"),)
SSE = ((b"content-type", b"text/event-stream"),)


def call(doc=None, **fields):
    """A chat call of the tenant `t` to the backend `a`."""
    doc = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | (doc or {})
    whole = {
        "id": "1",
        "dialect": Dialect.CHAT,
        "method": "POST",
        "path": "chat/completions",
        "headers": (),
        "body": Body(json.dumps(doc).encode()),
        "tenant": "t",
        "credential": (),
        "model": doc["model"],
        "stream": doc.get("stream", False),
        "route": "r",
        "backends": ("a",),
        "effects": frozenset(Effect),
        "controls": Controls(),
    }
    return Call(**(whole | fields))


class Pieces:
    """A reply body that yields what the test puts, an exception included; None ends it."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.closed = self.ended = False

    def put(self, *pieces):
        for piece in pieces:
            self.queue.put_nowait(piece)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.ended or self.closed:
            raise StopAsyncIteration
        piece = await self.queue.get()
        if piece is None:
            self.ended = True
            raise StopAsyncIteration
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self):
        self.closed = True


def whole(body=b"{}", status=200, headers=JSON, backend="a"):
    pieces = Pieces()
    pieces.put(body, None)
    return Reply(status, headers, pieces, backend, whole=body)


class Scripted:
    """Answers each call with the next of `replies`: a reply, an exception, or a future."""

    def __init__(self, *replies, name="a"):
        self.name = name
        self.replies = list(replies)
        self.calls = []
        self.cancelled = 0

    async def send(self, call):
        self.calls.append(call)
        reply = self.replies.pop(0)
        try:
            if isinstance(reply, asyncio.Future):
                reply = await reply
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def aclose(self):
        pass


def replaced(call, **fields):
    return msgspec.structs.replace(call, **fields)
