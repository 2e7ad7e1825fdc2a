import asyncio
import json
from itertools import pairwise

import msgspec
import pytest
from backends import JSON, SSE, Pieces, Scripted, call, replaced, whole
from hypothesis import given, settings
from hypothesis import strategies as st

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
    streamed,
    wrapped,
)
from tests.fakes.scripted_model import Turn


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


async def test_who_refuses_stream_options_is_not_asked_again(monkeypatch):
    kind, now = "chat/completions", 0.0
    monkeypatch.setattr("proxy.backends.wrap.rounds.monotonic", lambda: now)

    def refusal():
        return whole(b'{"error":"stream_options: extra inputs are not permitted"}', 400)

    def good():
        return streamed(frames(kind, Turn("ok")))

    tools, inner = wrapped(refusal(), good(), good(), good(), refusal(), refusal(), good())
    one = asking(kind, stream=True)
    for each in (one, one, replaced(one, model="other")):
        assert b"ok" in await read(await tools.send(each))
    now = 3601.0
    assert (await tools.send(one)).status == 400  # whatever was asked for: nothing is learnt
    assert (await tools.send(one)).status == 200
    asked = ["stream_options" in json.loads(call.body.raw) for call in inner.calls]
    assert asked == [True, False, False, True, True, False, True]


async def heard_of(reply, wanted):
    heard = b""
    while wanted not in heard:
        heard += await asyncio.wait_for(anext(reply.chunks), 5)
    return heard


async def test_an_upstream_that_lingers_after_its_end_holds_nothing_up(kind):
    ends = {"chat/completions": b"[DONE]", "messages": b"message_stop"}
    for turns in ([Turn("So.")], [OWN, Turn("So.")]):
        bodies = [Pieces() for _ in turns]
        for number, (turn, body) in enumerate(zip(turns, bodies, strict=True), 1):
            body.put(*frames(kind, turn, number))  # and no end of the body
        tools, inner = wrapped(*(Reply(200, SSE, body, "a") for body in bodies))
        reply = await tools.send(asking(kind, stream=True))
        await heard_of(reply, ends.get(kind, b"response.completed"))
        assert len(inner.calls) == len(turns)
        bodies[-1].put(b": bye\n\n", None)
        assert await read(reply) == b": bye\n\n"
        assert all(body.closed for body in bodies)


async def test_a_client_that_leaves_before_a_stream_is_read(kind):
    body = Pieces()
    tools, _ = wrapped(Reply(200, SSE, body, "a"))
    reply = await tools.send(asking(kind, stream=True))
    await reply.chunks.aclose()
    assert body.closed


async def cancelled(tools, one, inner, calls):
    """Hang up while the reply to the last of so many calls is read."""
    task = asyncio.create_task(tools.send(one))
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(inner.calls) == calls
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_client_that_leaves_ends_any_round_of_a_plain_reply(kind):
    for before in ([], [plain(kind, OWN)]):
        body = Pieces()
        body.put(b'{"half":')
        tools, inner = wrapped(*before, Reply(200, JSON, body, "a"))
        await cancelled(tools, asking(kind), inner, len(before) + 1)
        assert body.closed


async def test_a_client_that_leaves_ends_a_refusal():
    body = Pieces()
    body.put(b'{"error":')
    tools, inner = wrapped(Reply(400, JSON, body, "a"))
    await cancelled(tools, asking("chat/completions", stream=True), inner, 1)
    assert body.closed


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_that_has_nothing_to_do_with_stream_options_is_final(status):
    tools, inner = wrapped(whole(REFUSED, status))
    reply = await tools.send(asking("chat/completions", stream=True))
    assert (reply.status, await read(reply)) == (status, REFUSED)
    assert len(inner.calls) == 1


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"choices":[]}', b'{"choices":[{},{}]}', b'{"content":3}', b'{"output":3}'],
)
async def test_replies_of_odd_shapes_pass(kind, body):
    tools, _ = wrapped(whole(body))
    assert await read(await tools.send(asking(kind))) == body


def part(index, **function):
    return {"index": index, "function": function}


def chat_wire(parts, end):
    """A streamed chat of these parts of calls, one a chunk, the last ones with its end."""
    head = {"id": "c", "object": "chat.completion.chunk", "model": "m", "created": 1}
    deltas = [({"tool_calls": [each]}, None) for each in parts]
    for delta, reason in [*deltas, ({"tool_calls": end} if end else {}, "tool_calls")]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def calls_of(heard):
    """What a client puts together: names and arguments by place."""
    found = {}
    for line in heard.split(b"\n\n"):
        doc = json.loads(line[6:]) if line[6:7] == b"{" else {"choices": []}
        for choice in doc["choices"]:
            for each in choice["delta"].get("tool_calls", []):
                whole = found.setdefault(each["index"], ["", ""])
                name = each["function"].get("name", "")
                whole[0] += "" if each.get("id") and name == whole[0] else name
                whole[1] += each["function"].get("arguments", "")
    return [tuple(found[at]) for at in sorted(found)]


async def test_a_call_whose_name_ours_begins_with_is_not_held():
    body = Pieces()
    wire = [*chat_wire([part(0, name="ow", arguments=""), part(0, arguments="{}")], None)]
    body.put(*wire[:2])
    tools, _ = wrapped(Reply(200, SSE, body, "a"))
    reply = await tools.send(asking("chat/completions", stream=True))
    assert calls_of(await asyncio.wait_for(anext(reply.chunks), 5)) == [("ow", "{}")]
    await reply.chunks.aclose()


def heading(how, number, name, pieces):
    """What stands with each piece of a call behind the first: most say nothing again."""
    if how == "cut":
        return [{} for _ in pieces]
    ids = [f"call_{number}" if how == "same" else f"new_{number}_{at}" for at in range(len(pieces))]
    return [{"id": each, "type": "function", "name": name} for each in ids]


CUT = st.lists(st.integers(0, 4), max_size=3)
NAMES = st.sampled_from(["o", "ow", "own", "owl", "own_er", "run"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["", "{}", '{"own":1}']), CUT), max_size=4),
    CUT,
    st.sampled_from(["each", "zero", "none"]),
    st.sampled_from(["cut", "same", "new"]),
)
async def test_names_that_ours_begins_with_and_that_come_in_pieces(made, last, numbers, how):
    """Some upstreams give all calls of a turn the index 0, or none; some repeat the name, and the
    id or a new one, with every piece.
    """
    parts = []
    for number, (name, arguments, cuts) in enumerate(made):
        index = {"each": number, "zero": 0, "none": None}[numbers]
        ends = sorted({0, *(cut for cut in cuts if cut < len(name) and how == "cut"), len(name)})
        pieces = [name[begin:end] for begin, end in pairwise(ends)]
        opening = {"id": f"call_{number}", "type": "function"}
        parts.append(opening | part(index, name=pieces[0], arguments=""))
        parts += [part(index, name=piece) for piece in pieces[1:]]
        for head, sign in zip(heading(how, number, name, arguments), arguments, strict=True):
            said = {"name": head.pop("name")} if head else {}
            parts.append(head | part(index, **said, arguments=sign))
    keep = min(len(last), len(parts))
    wire = chat_wire(parts[: len(parts) - keep], parts[len(parts) - keep :])
    tools, inner = wrapped(streamed(wire), streamed(frames("chat/completions", Turn("So."), 2)))
    heard = await read(await tools.send(asking("chat/completions", stream=True)))
    theirs = [(name, arguments) for name, arguments, _ in made if name != "own"]
    assert sorted(calls_of(heard)) == sorted(theirs)
    assert len(inner.calls) == 1 + (len(theirs) < len(made) and not theirs)
    if len(inner.calls) == 2:
        answered = json.loads(inner.calls[1].body.raw)["messages"][2:]
        given = [(f"call_{at}", f"given {arguments}") for at, (_, arguments, _) in enumerate(made)]
        assert [(each["tool_call_id"], each["content"]) for each in answered] == given


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
