"""Rounds that do not end by themselves: at the limit of their tokens, in an error, in nothing."""

import json

import pytest
from backends import whole

from proxy.errors import BrokenReply
from tests.fakes.round_replies import (
    KINDS,
    OWN,
    asking,
    frames,
    listen,
    read,
    rounds_of,
    streamed,
    wrapped,
)
from tests.fakes.scripted_model import Turn

OPTIONS = {"stream_options": {"include_usage": True}}
LIMITS = {
    "chat/completions": "length",
    "messages": "max_tokens",
    "responses": "max_output_tokens",
}


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request):
    return request.param


def told(kind, heard, *, stream):
    """What a client makes of a reply: its text, its end, and tokens of input and output."""
    docs = [json.loads(line[5:]) for line in heard.splitlines() if line[:7] == b"data: {"]
    if kind == "responses":
        doc = docs[-1]["response"] if stream else json.loads(heard)
        text = "".join(p["text"] for i in doc["output"] for p in i.get("content", []))
        usage = doc["usage"]
        end = (doc["incomplete_details"] or {"reason": doc["status"]})["reason"]
        assert not stream or docs[-1]["type"] == f"response.{doc['status']}"
        assert not stream or {d["response"]["id"] for d in docs if "response" in d} == {doc["id"]}
        return text, end, usage["input_tokens"], usage["output_tokens"]
    if kind == "messages":
        if not stream:
            doc = json.loads(heard)
            text, end = "".join(b.get("text", "") for b in doc["content"]), doc["stop_reason"]
            usage = doc["usage"]
        else:
            text = "".join(d.get("delta", {}).get("text", "") for d in docs)
            end, usage = docs[-2]["delta"]["stop_reason"], docs[-2]["usage"]
        return text, end, usage["input_tokens"], usage["output_tokens"]
    docs = docs if stream else [json.loads(heard)]
    choices = [choice for doc in docs for choice in doc["choices"]]
    parts = [choice["delta" if stream else "message"] for choice in choices]
    text = "".join(part.get("content") or "" for part in parts)
    usage = docs[-1]["usage"]
    return text, choices[-1]["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"]


async def test_a_last_round_that_ends_at_the_limit(kind, stream):
    tools, _ = wrapped(*rounds_of(kind, stream, [OWN, Turn("So", limited=True)]))
    heard = await read(await tools.send(asking(kind, stream=stream, **OPTIONS)))
    text, *rest = told(kind, heard, stream=stream)
    assert text.split() == ["Let", "me", "see.", "So"] or text == "Let me see.So"
    assert rest == [LIMITS[kind], 200 if kind != "messages" else 120, 20]
    assert b"own" not in heard


async def test_a_call_of_ours_that_is_cut_off_at_the_limit(kind, stream):
    cut = Turn("Hm.", [("own", {"x": 1})], limited=True)
    for before in ([], [OWN]):
        tools, inner = wrapped(*rounds_of(kind, stream, [*before, cut]))
        heard = await read(await tools.send(asking(kind, stream=stream, **OPTIONS)))
        text, end, *_ = told(kind, heard, stream=stream)
        assert text.endswith("Hm.")
        assert end == LIMITS[kind]
        assert b"own" not in heard
        assert len(inner.calls) == len(before) + 1


def broken_off(turn):
    """A stream in which the arguments of a call are no whole JSON, as Anthropic may send it."""
    wire = frames("messages", turn)
    return streamed([frame for frame in wire if b'"partial_json": "}"' not in frame])


async def test_arguments_of_ours_that_are_cut_off_at_the_limit():
    tools, inner = wrapped(broken_off(Turn("Hm.", [("own", {"x": 1})], limited=True)))
    heard = await read(await tools.send(asking("messages", stream=True)))
    text, end, *_ = told("messages", heard, stream=True)
    assert (text, end, len(inner.calls)) == ("Hm.", "max_tokens", 1)
    assert b"own" not in heard


async def test_arguments_of_ours_that_are_no_json_are_none():
    first, last = broken_off(Turn("Hm.", OWN.calls)), streamed(frames("messages", Turn("So.")))
    tools, inner = wrapped(first, last)
    heard = await read(await tools.send(asking("messages", stream=True)))
    assert told("messages", heard, stream=True)[:2] == ("Hm.So.", "end_turn")
    *_, said, answered = json.loads(inner.calls[1].body.raw)["messages"]
    assert said["content"][1]["input"] == {}
    assert answered["content"][0]["content"] == "given {}"


async def test_events_that_nobody_knows_do_not_end_a_stream():
    head, *rest = frames("messages", OWN)
    odd = b'event: odd\ndata: {"type":"odd"}\n\n'
    tools, _ = wrapped(streamed([head, odd, *rest]), streamed(frames("messages", Turn("So."))))
    heard = await read(await tools.send(asking("messages", stream=True)))
    assert told("messages", heard, stream=True)[:2] == ("Let me see.So.", "end_turn")


async def test_a_call_of_ours_that_only_the_end_of_a_response_tells_of():
    first, *_, last = frames("responses", Turn("", OWN.calls))
    tools, inner = wrapped(streamed([first, last]), streamed(frames("responses", Turn("So."), 2)))
    heard = await read(await tools.send(asking("responses", stream=True)))
    assert told("responses", heard, stream=True)[:2] == ("So.", "completed")
    assert b"own" not in heard
    assert len(inner.calls) == 2


ERRORS = {
    "chat/completions": b'data: {"error":{"message":"overloaded"}}\n\ndata: [DONE]\n\n',
    "messages": b'event: error\ndata: {"type":"error","error":{"message":"overloaded"}}\n\n',
    "responses": b'event: error\ndata: {"type":"error","message":"overloaded"}\n\n',
}
FAILED = {"status": "failed", "error": {"code": "server_error", "message": "overloaded"}}


def failing(kind, turn, *, shown, flat=False):
    """A stream that ends in an error, after its head or after a word or two."""
    wire = frames(kind, turn, 2)
    cut = next(at for at, frame in enumerate(wire) if b"Never" in frame) + 1 if shown else 1
    if kind != "responses" or flat:
        return streamed([*wire[:cut], ERRORS[kind]])
    last = wire[-1].replace(b"response.completed", b"response.failed")
    failed = json.dumps(FAILED)[1:-1].encode()
    return streamed([*wire[:cut], last.replace(b'"status": "completed"', failed)])


@pytest.mark.parametrize("flat", [False, True])
async def test_a_round_that_ends_in_an_error_before_anything_is_shown(kind, flat):
    broken = failing(kind, Turn("Never."), shown=False, flat=flat)
    first, last = rounds_of(kind, True, [OWN, Turn("Alone.")])
    tools, inner = wrapped(first, broken, last)
    heard = await read(await tools.send(asking(kind, stream=True, **OPTIONS)))
    assert b"Alone." in heard
    assert b"error" not in heard
    assert len(inner.calls) == 3


async def test_what_comes_with_an_error_that_is_made_good_is_not_lost():
    """An event that nobody knows makes the response begin for the client, as the SDK wants it."""
    kind, silent = "responses", Turn("", OWN.calls)
    odd = b'event: response.odd\ndata: {"type":"response.odd"}\n\n'
    first, last = rounds_of(kind, True, [silent, Turn("Alone.")])
    tools, _ = wrapped(first, streamed([odd + ERRORS[kind]]), last)
    heard = await read(await tools.send(asking(kind, stream=True)))
    assert heard.startswith(b"event: response.created")
    assert heard.count(b"response.odd") == 2
    assert heard.count(b"response.created") == 2
    assert b"Alone." in heard


async def test_a_round_that_ends_in_an_error_later(kind):
    tools, inner = wrapped(
        streamed(frames(kind, OWN)), failing(kind, Turn("Never mind."), shown=True)
    )
    heard = await read(await tools.send(asking(kind, stream=True, **OPTIONS)))
    assert b"Never" in heard
    assert b"overloaded" in heard
    assert len(inner.calls) == 2
    assert not ends(kind, heard)


def ends(kind, heard):
    """Whether a client may take this for a whole reply."""
    signs = {"messages": b"message_stop", "responses": b"response.completed"}
    return signs.get(kind, b'"finish_reason":"') in heard


async def test_a_plain_round_that_is_an_error(kind):
    error = whole(json.dumps({**FAILED, "type": "error"}).encode())
    first, last = rounds_of(kind, False, [OWN, Turn("Alone.")])
    tools, inner = wrapped(first, error, last)
    assert b"Alone." in await read(await tools.send(asking(kind)))
    assert len(inner.calls) == 3


async def test_a_stream_that_just_stops_once_something_of_ours_is_left_out(kind):
    """The client is told, since what an upstream that breaks off would show is not what it gets."""
    wire, last = frames(kind, OWN), frames(kind, Turn("Never mind."), 2)
    ours = next(at for at, frame in enumerate(wire) if b'"own"' in frame) + 1
    said = next(at for at, frame in enumerate(last) if b"Never" in frame) + 1
    for rounds in ([wire[:ours]], [wire, last[:said]]):
        tools, inner = wrapped(*map(streamed, rounds))
        heard = []
        with pytest.raises(BrokenReply):
            await listen(await tools.send(asking(kind, stream=True, **OPTIONS)), heard)
        assert not ends(kind, b"".join(heard))
        assert len(inner.calls) == len(rounds)
