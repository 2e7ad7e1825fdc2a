"""Replies in a content encoding that nobody has asked for."""

import asyncio
import gzip
import json
import zlib
from random import Random

import msgspec
import pytest
from backends import Pieces

from policies.base.body import Body
from proxy.errors import BrokenReply
from proxy.wire.encoding import Inflating
from tests.fakes.round_replies import KINDS, OWN, asking, frames, plain, read, streamed, wrapped
from tests.fakes.scripted_model import Turn


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


PACKED = {
    "gzip": gzip.compress,
    "X-GZIP": lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
    "deflate": zlib.compress,
    "identity, deflate": lambda body: zlib.compress(body, wbits=-15),
    "identity": lambda body: body,
}


def packed(reply, coding, wire):
    """The reply in a content encoding, in small pieces."""
    body = Pieces()
    body.put(*(wire[at : at + 5] for at in range(0, len(wire), 5)), None)
    headers = (*reply.headers, (b"content-encoding", coding.encode()))
    return msgspec.structs.replace(reply, headers=headers, chunks=body, whole=None)


@pytest.mark.parametrize("coding", sorted(PACKED))
@pytest.mark.parametrize("stream", [False, True])
async def test_a_compressed_reply_is_read(kind, coding, stream):
    """Although nobody has asked for one."""
    replies = []
    for number, turn in ((1, OWN), (2, Turn("So."))):
        made = plain(kind, turn, number)
        wire = b"".join(frames(kind, turn, number)) if stream else made.whole
        replies.append(packed(streamed([]) if stream else made, coding, PACKED[coding](wire)))
    tools, inner = wrapped(*replies)
    reply = await tools.send(asking(kind, stream=stream))
    heard = await read(reply)
    assert b"So." in heard
    assert b"own" not in heard
    assert reply.header(b"content-encoding") is None
    assert stream or reply.header(b"content-length") == b"%d" % len(heard)
    assert len(inner.calls) == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("first", [False, True])
async def test_a_reply_that_cannot_be_read_is_not_used(kind, stream, first):
    """The client's own request goes: what came may call a tool that it does not know."""
    made = streamed([]) if stream else plain(kind, OWN)
    odd = packed(made, "compress" if stream else "gzip", b"???")
    told = Turn("Alone.")
    alone = streamed(frames(kind, told)) if stream else plain(kind, told)
    opening = streamed(frames(kind, OWN)) if stream else plain(kind, OWN)
    tools, inner = wrapped(*([] if first else [opening]), odd, alone)
    asked = asking(kind, stream=stream)
    asked = msgspec.structs.replace(asked, came=Body(asked.body.raw[:-1] + b', "z": 1}'))
    assert b"Alone." in await read(await tools.send(asked))
    assert odd.chunks.closed
    assert json.loads(inner.calls[-1].body.raw)["z"] == 1


async def test_a_stream_that_is_not_what_it_says_it_is(kind):
    tools, _ = wrapped(packed(streamed([]), "gzip", b"no gzip at all"))
    with pytest.raises(BrokenReply, match="content-encoding"):
        await read(await tools.send(asking(kind, stream=True)))


async def test_an_event_without_an_end_ends_the_reply_and_holds_nobody_up():
    """A little in gzip may be a lot."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    wire = b"".join(packer.compress(b"x" * (1 << 20)) for _ in range(64)) + packer.flush()
    tools, _ = wrapped(packed(streamed([]), "gzip", wire))
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    reply = await tools.send(asking("chat/completions", stream=True))
    with pytest.raises(BrokenReply):
        await read(reply)
    ticking.cancel()
    assert ticks > 500


def test_deflate_without_a_frame_is_told_from_zlib():
    """A frame is two bytes, of which one sum alone is right in one stream of 16."""
    chance = Random(1)
    for _ in range(300):
        text = b'data: {"id":"%032x","object":"chat.completion.chunk","choices":[{"index":0}]}\n\n'
        text = b"".join(text % chance.getrandbits(128) for _ in range(chance.randrange(1, 4)))
        for wire in (zlib.compress(text), zlib.compress(text, wbits=-15)):
            assert b"".join(Inflating(b"deflate").feed(wire)) == text


def test_zeros_behind_the_last_member_are_nothing():
    inflate = Inflating(b"gzip").feed
    wire = gzip.compress(b"a") + gzip.compress(b"b") + bytes(100)
    assert b"".join(inflate(wire)) + b"".join(inflate(bytes(9))) == b"ab"
