"""`LocalTools` around replies that a test has written down, in three dialects."""

import json

from backends import SSE, Pieces, Scripted, call, whole

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.local_tool import Said
from policies.base.reply import Reply
from proxy.backends.wrap.rounds import LocalTools
from tests.fakes.scripted_model import PLAIN, STREAMS, Turn
from tests.fakes.scripted_model import Said as Spoken

KINDS = {
    "chat/completions": Dialect.CHAT,
    "messages": Dialect.MESSAGES,
    "responses": Dialect.RESPONSES,
}


class Tool:
    name, space, rounds, ttl, extra, spent = "own", "space", 2, 60.0, 0, None

    async def answer(self, arguments, store):
        return Said(f"given {arguments}")


class Nothing:
    """A store that forgets."""

    async def get(self, key):
        return None

    async def put(self, key, value, ttl, model=""):
        pass


def wrapped(*replies):
    inner = Scripted(*replies)
    return LocalTools(inner, lambda space, tenant: Nothing()), inner


def asking(kind, **fields):
    field = "input" if kind == "responses" else "messages"
    doc = {"model": "m", field: [{"role": "user", "content": "hi"}], "tools": [{}], **fields}
    raw = json.dumps(doc).encode()
    stream = fields.get("stream", False)
    return call(body=Body(raw), dialect=KINDS[kind], path=kind, local=Tool(), stream=stream)


def said(kind, turn, number=1, doc=None):
    calls = [(name, json.dumps(given)) for name, given in turn.calls]
    return Spoken(number, turn, calls, doc or {"stream_options": {"include_usage": True}})


def plain(kind, turn, number=1):
    return whole(json.dumps(PLAIN[kind](said(kind, turn, number))).encode())


def frames(kind, turn, number=1):
    found = [
        (f"event: {each['type']}\r\n" if "type" in each else "")
        + f"data: {json.dumps(each)}\r\n\r\n"
        for each in STREAMS[kind](said(kind, turn, number))
        if each is not None
    ]
    return [frame.encode() for frame in found] + [b"data: [DONE]\n\n"] * (kind[0] == "c")


def streamed(pieces):
    body = Pieces()
    body.put(*pieces, None)
    return Reply(200, SSE, body, "a")


async def listen(reply, heard):
    async for chunk in reply.chunks:
        heard.append(chunk)


async def read(reply):
    return b"".join([chunk async for chunk in reply.chunks])


OWN = Turn("Let me see.", [("own", {"x": 1})])


REFUSED = b'{"error":"too long"}'


def rounds_of(kind, stream, turns):
    """Replies, one a turn; a turn that is a number is an upstream's failure."""
    for number, turn in enumerate(turns):
        if isinstance(turn, Exception | int):
            yield turn if isinstance(turn, Exception) else whole(REFUSED, turn)
        elif stream:
            yield streamed(frames(kind, turn, number))
        else:
            yield plain(kind, turn, number)
