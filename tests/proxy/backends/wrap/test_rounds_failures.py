"""Later rounds with which an upstream fails, and stores that do."""

import json

import msgspec
import pytest
from backends import SSE, Pieces, Scripted, whole

from policies.base.body import Body
from policies.base.ports import Entry
from policies.base.reply import Reply
from proxy.backends.wrap.rounds import LocalTools
from proxy.errors import UpstreamError, UpstreamTimeout
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
    rounds_of,
    streamed,
    wrapped,
)
from tests.fakes.scripted_model import Turn


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


@pytest.mark.parametrize("stream", [False, True])
async def test_a_later_round_that_is_refused(kind, stream):
    """The model is told, and may ask for less; then it is the client's own request that goes."""
    asked = edited(asking(kind, stream=stream, stream_options={"include_usage": True}))
    tools, inner = wrapped(*rounds_of(kind, stream, [OWN, 400, OWN, 400, 413, Turn("Alone.")]))
    heard = (await read(await tools.send(asked))).decode()
    assert "Alone." in heard
    assert "see." in heard
    assert "own" not in heard
    sent = [one.body.raw.decode() for one in inner.calls]
    assert ["prompt was refused" in raw for raw in sent] == [False, False, True, True, True, False]
    assert ["given {" in raw for raw in sent] == [False, True, False, True, False, False]
    assert sent[-1] == asked.came.raw.decode()


def edited(one):
    """A call to which a policy has added something."""
    body = Body(one.body.raw[:-1] + b', "z": 1}')
    return msgspec.structs.replace(one, body=body, came=one.body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", [500, 429, UpstreamTimeout("late")])
async def test_a_later_round_that_fails(kind, stream, failure):
    tools, inner = wrapped(*rounds_of(kind, stream, [OWN, failure, Turn("Alone.")]))
    asked = edited(asking(kind, stream=stream))
    assert b"Alone." in await read(await tools.send(asked))
    last = json.loads(inner.calls[-1].body.raw)
    assert last == json.loads(asked.came.raw) | (
        {"stream_options": {"include_usage": True}} if stream and kind[0] == "c" else {}
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_said_is_given_where_nothing_follows(kind, stream):
    tools, inner = wrapped(*rounds_of(kind, stream, [OWN, 500, UpstreamTimeout("late")]))
    heard = (await read(await tools.send(edited(asking(kind, stream=stream))))).decode()
    assert "see." in heard
    assert '"length"' in heard or "max_tokens" in heard or "max_output_tokens" in heard
    assert "own" not in heard
    assert len(inner.calls) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_where_nothing_was_said_the_failure_passes(kind, stream):
    silent = Turn("", OWN.calls)
    tools, _ = wrapped(*rounds_of(kind, stream, [silent, 429, 429]))
    one = edited(asking(kind, stream=stream))
    if not stream:
        reply = await tools.send(one)
        assert (reply.status, await read(reply)) == (429, REFUSED)
        tools, _ = wrapped(*rounds_of(kind, stream, [silent, 400, 400, UpstreamTimeout("late")]))
        with pytest.raises(UpstreamTimeout):
            await tools.send(one)
        return
    heard = []
    with pytest.raises(UpstreamError, match="the upstream answered 429"):
        await listen(await tools.send(one), heard)
    assert b"own" not in b"".join(heard)
    assert kind != "responses" or b"response.created" in heard[0]


@pytest.mark.parametrize("end", [None, UpstreamTimeout("late")])
@pytest.mark.parametrize("turn", [Turn("Never."), Turn("", OWN.calls)])
async def test_a_later_round_that_breaks_off_before_anything_is_shown(kind, turn, end):
    """After its head, and also in a call that the client does not see."""
    wire = frames(kind, turn, 2)
    sign = b"Never" if turn.text else b'"own"'
    cut = next(at for at, frame in enumerate(wire) if sign in frame) + (not turn.text)
    if kind != "chat/completions" and turn.text:
        cut = 2  # before the block or item begins
    broken = Pieces()
    broken.put(*wire[:cut], end)
    replies = rounds_of(kind, True, [OWN, Turn("Alone.")])
    first, last = replies
    tools, inner = wrapped(first, Reply(200, SSE, broken, "a"), last)
    asked = edited(asking(kind, stream=True, stream_options={"include_usage": True}))
    heard = await read(await tools.send(asked))
    assert b"Alone." in heard
    assert b"own" not in heard
    assert broken.closed
    assert inner.calls[2].body.raw == asked.came.raw
    assert len(inner.calls) == 3


async def test_one_that_breaks_off_later_is_an_error(kind):
    wire = frames(kind, Turn("Never mind, not me."), 2)
    cut = next(at for at, frame in enumerate(wire) if b"Never" in frame) + 1
    broken = Pieces()
    broken.put(*wire[:cut], UpstreamTimeout("late"))
    tools, inner = wrapped(streamed(frames(kind, OWN)), Reply(200, SSE, broken, "a"))
    heard = []
    with pytest.raises(UpstreamTimeout):
        await listen(await tools.send(asking(kind, stream=True)), heard)
    assert b"Never" in b"".join(heard)
    assert len(inner.calls) == 2


async def test_a_later_round_that_is_no_reply(kind):
    tools, _ = wrapped(plain(kind, OWN), whole(b"<html>"), plain(kind, Turn("Alone.")))
    assert b"Alone." in await read(await tools.send(edited(asking(kind))))


async def test_a_store_that_was_down_is_asked_again(kind, monkeypatch):
    """What it did not find is taken for nothing, but not for ever."""
    kept, down, clock = {}, [False], [1000.0]
    monkeypatch.setattr("proxy.backends.wrap.rounds_memory.time.time", lambda: clock[0])

    class Shelf(Nothing):
        async def get(self, key):
            return None if down[0] else kept.get(key)

        async def put(self, key, value, ttl, model=""):
            kept[key] = Entry(value, clock[0], 0.0)

    def worker(*turns):
        return LocalTools(Scripted(*rounds_of(kind, False, turns)), lambda *_: Shelf())

    reply = json.loads(await read(await worker(OWN, Turn("So.")).send(asking(kind))))
    one, field = asking(kind), "input" if kind == "responses" else "messages"
    said = {
        "chat/completions": lambda: [reply["choices"][0]["message"]],
        "messages": lambda: [{"role": "assistant", "content": reply["content"]}],
        "responses": lambda: reply["output"],
    }[kind]()
    more = [{"role": "user", "content": "more"}]
    doc = one.doc() | {field: [*one.doc()[field], *said, *more, *said, *more]}
    other, seen = worker(*[Turn("ok")] * 3), []
    for down[0], clock[0] in ((True, 1001.0), (False, 1002.0), (False, 2000.0)):
        again = msgspec.structs.replace(one, body=Body(json.dumps(doc).encode()))
        await other.send(again)
        seen.append("given {" in other._inner.calls[-1].body.raw.decode())
    assert seen == [False, False, True]
