import asyncio
import gzip
import json

import msgspec
import pytest
from backends import JSON, SSE, Pieces, Scripted, call, whole

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.ports import Entry
from policies.base.reply import Reply
from proxy.backends.wrap.rounds import LocalTools
from proxy.errors import BrokenReply
from tests.fakes.round_replies import (
    KINDS,
    OWN,
    REFUSED,
    Nothing,
    asking,
    frames,
    listen,
    plain,
    read,
    said,
    streamed,
    wrapped,
)
from tests.fakes.scripted_model import PLAIN, Turn


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


async def test_calls_without_a_tool_of_ours_pass(kind):
    reply = plain(kind, Turn("ok"))
    tools, inner = wrapped(reply)
    one = msgspec.structs.replace(asking(kind), local=None)
    assert await tools.send(one) is reply
    assert inner.calls == [one]


async def test_a_reply_without_its_call_keeps_every_byte(kind):
    for turn in (Turn("Hello."), Turn("", [("run", {"y": 2})]), Turn("Well", [("run", {})], "hm")):
        answer = plain(kind, turn)
        tools, _ = wrapped(answer)
        assert await read(await tools.send(asking(kind))) == answer.whole
        wire = b": ping\n\n" + b"".join(frames(kind, turn))
        tools, _ = wrapped(streamed([wire[at : at + 11] for at in range(0, len(wire), 11)]))
        options = {"include_usage": True}
        reply = await tools.send(asking(kind, stream=True, stream_options=options))
        assert await read(reply) == wire


async def test_what_is_said_before_the_call_is_not_held(kind):
    wire = frames(kind, OWN)
    cut = next(at for at, frame in enumerate(wire) if b'"own"' in frame)
    first = Pieces()
    first.put(*wire[:cut])
    tools, inner = wrapped(Reply(200, SSE, first, "a"), streamed(frames(kind, Turn("So."), 2)))
    reply = await tools.send(asking(kind, stream=True))
    heard = b""
    while b"see." not in heard:
        heard += await asyncio.wait_for(anext(reply.chunks), 5)
    assert len(inner.calls) == 1
    first.put(*wire[cut:], None)
    heard += await read(reply)
    assert b"So." in heard
    assert b"own" not in heard
    assert len(inner.calls) == 2
    assert first.closed


@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_is_given_what_it_asked_for(kind, stream):
    made = streamed(frames(kind, OWN)) if stream else plain(kind, OWN)
    last = streamed(frames(kind, Turn("So."), 2)) if stream else plain(kind, Turn("So."), 2)
    tools, inner = wrapped(made, last)
    asked = asking(kind, stream=stream)
    heard = await read(await tools.send(asked))
    assert b"So." in heard
    assert asked.local.extra == 110  # two rounds of 100 and 10
    assert 'given {"x' in inner.calls[1].body.raw.decode().replace("\\", "")
    assert inner.calls[0].header(b"accept-encoding") == b"identity"


async def test_a_stream_that_breaks_off_in_our_call(kind):
    wire = frames(kind, OWN)
    cut = next(at for at, frame in enumerate(wire) if b'"own"' in frame)
    tools, _ = wrapped(streamed(wire[: cut + 1]))
    reply = await tools.send(asking(kind, stream=True))
    heard = []
    if kind == "chat/completions":  # where every chunk is a reply, of which this has no end
        assert b'finish_reason":"' not in await read(reply)
        return
    with pytest.raises(BrokenReply):
        await listen(reply, heard)
    assert b"own" not in b"".join(heard)


async def test_a_client_that_leaves_ends_the_upstream_call(kind):
    body = Pieces()
    body.put(*frames(kind, Turn("Hello, hello, hello."))[:8])
    tools, _ = wrapped(Reply(200, SSE, body, "a"))
    reply = await tools.send(asking(kind, stream=True))
    await anext(reply.chunks)
    await reply.chunks.aclose()
    assert body.closed


async def test_an_upstream_that_knows_no_stream_options():
    kind = "chat/completions"
    refusal = whole(b'{"error":"stream_options: extra inputs are not permitted"}', 400)
    tools, inner = wrapped(refusal, streamed(frames(kind, Turn("ok"))))
    reply = await tools.send(asking(kind, stream=True))
    assert reply.status == 200
    asked = ["stream_options" in json.loads(call.body.raw) for call in inner.calls]
    assert asked == [True, False]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_that_has_nothing_to_do_with_stream_options_is_final(status):
    tools, inner = wrapped(whole(REFUSED, status))
    reply = await tools.send(asking("chat/completions", stream=True))
    assert (reply.status, await read(reply)) == (status, REFUSED)
    assert len(inner.calls) == 1


async def test_a_compressed_reply_is_read(kind):
    body = json.dumps(PLAIN[kind](said(kind, OWN))).encode()
    packed = whole(gzip.compress(body), headers=(*JSON, (b"content-encoding", b"gzip")))
    tools, _ = wrapped(packed, plain(kind, Turn("So."), 2))
    reply = await tools.send(asking(kind))
    heard = await read(reply)
    assert b"So." in heard
    assert reply.header(b"content-length") == b"%d" % len(heard)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"choices":[]}', b'{"choices":[{},{}]}', b'{"content":3}', b'{"output":3}'],
)
async def test_replies_of_odd_shapes_pass(kind, body):
    tools, _ = wrapped(whole(body))
    assert await read(await tools.send(asking(kind))) == body


async def test_a_name_that_comes_in_pieces():
    head = {"id": "c", "object": "chat.completion.chunk", "model": "m", "created": 1}

    def chunk(*calls, end=None):
        choice = {"index": 0, "delta": {"tool_calls": [*calls]}, "finish_reason": end}
        return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"

    def part(index, **function):
        return {"index": index, "function": function}

    opening = {"id": "1", "type": "function"}
    wire = [
        chunk({**opening, **part(0, name="o", arguments="")}),
        chunk(part(0, name="wl")),
        chunk({**opening, "id": "2", **part(1, name="ow", arguments="")}),
        chunk(part(1, name="n")),
        chunk(part(0, arguments='{"a"')),
        chunk(part(1, arguments="{}")),
        chunk(part(0, arguments=":1}")),
        chunk(end="tool_calls"),
        b"data: [DONE]\n\n",
    ]
    tools, inner = wrapped(streamed(wire))
    heard = await read(await tools.send(asking("chat/completions", stream=True)))
    docs = [json.loads(line[6:]) for line in heard.split(b"\n\n") if line[6:7] == b"{"]
    parts = [each for doc in docs for each in doc["choices"][0]["delta"].get("tool_calls", [])]
    assert "".join(each["function"].get("name", "") for each in parts) == "owl"
    assert "".join(each["function"].get("arguments", "") for each in parts) == '{"a":1}'
    assert {each["index"] for each in parts} == {0}
    assert len(inner.calls) == 1


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": 1}])
async def test_a_request_that_goes_on_without_messages_is_left_to_the_provider(fields):
    class Owing(Nothing):
        async def get(self, key):
            return Entry(msgspec.msgpack.encode([[b"{}"], [b'"real"']]), 0.0, 0.0)

    inner = Scripted(whole(b"{}"))
    raw = json.dumps({"model": "m", "previous_response_id": "r", **fields}).encode()
    reply = await LocalTools(inner, lambda space, tenant: Owing()).send(
        call(body=Body(raw), dialect=Dialect.RESPONSES)
    )
    assert reply.status == 200
    assert [one.body.raw for one in inner.calls] == [raw]
