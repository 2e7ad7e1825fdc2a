import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire.frames import Frames
from proxy.wire.replay_merge import CannotRender
from proxy.wire.rounds import total
from proxy.wire.rounds_chat import Chat
from proxy.wire.rounds_messages import Messages
from proxy.wire.rounds_responses import Responses
from proxy.wire.sse import events

FORMS = [Chat(), Messages(), Responses()]
NAMES = st.sampled_from(
    [
        *("type", "choices", "index", "delta", "tool_calls", "function", "name", "usage", "item"),
        *("output_index", "sequence_number", "response", "content_block", "finish_reason", "id"),
    ]
)
WORDS = st.sampled_from(
    [
        *("own", "message_start", "content_block_start", "message_delta", "message_stop"),
        *("response.created", "response.completed", "response.output_item.added", "error"),
        *("content_block_delta", "function_call", "reasoning", "tool_use", ""),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
CHUNKS = st.lists(
    VALUES.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
    | st.sampled_from([b": hello\n\n", b"data: [DONE]\r\n\r\n", b"data: {\n\n", b"event: x\n\n"]),
    max_size=8,
)


@given(
    wire=st.binary(max_size=60) | st.text(alphabet="a\r\n:", max_size=40).map(str.encode),
    cuts=st.data(),
)
def test_frames_are_the_same_however_the_stream_is_cut(wire, cuts):
    frames, found, at = Frames(), [], 0
    while at < len(wire):
        end = cuts.draw(st.integers(at + 1, len(wire)))
        found += frames.feed(wire[at:end])
        at = end
    assert b"".join(found) + frames.rest == wire
    alone = [event.data for frame in found for event in events(frame)]
    assert alone == [event.data for event in events(wire)]
    assert all(len(events(frame)) <= 1 for frame in found)


@pytest.mark.parametrize("form", FORMS)
@given(chunks=CHUNKS)
@example(chunks=[b'data: {"type":[]}\n\n'])
def test_foreign_events_raise_nothing(form, chunks):
    with contextlib.suppress(CannotRender):
        form.plain(events(b"".join(chunks)))
    relay = form.relay("own", usage=True)
    passed = b"".join(map(relay.feed, chunks)) + relay.broken()
    if not relay.own:
        passed += relay.end(None, cut=False)
    relay.again()
    b"".join(map(relay.feed, chunks))
    relay.end(None, cut=False)
    relay.same()


@pytest.mark.parametrize("form", FORMS)
@given(doc=st.dictionaries(NAMES | st.sampled_from(["content", "output", "message"]), VALUES))
def test_foreign_replies_are_refused_in_one_way(form, doc):
    with contextlib.suppress(CannotRender):
        form.calls(doc, "own")
        form.turn(doc)
        form.shown([doc, doc], "own", cut=False)


def test_usage_adds_up():
    one = {"input": 3, "details": {"cached": 1, "tier": "a"}, "cost": 0.5, "none": None}
    other = {"input": 4, "details": {"cached": 2, "tier": "b"}, "cost": 0.25, "more": 1}
    assert total([{"usage": one}, {"usage": other}]) == {
        "input": 7,
        "details": {"cached": 3, "tier": "b"},
        "cost": 0.75,
        "none": None,
        "more": 1,
    }
    assert total([{"usage": one}, {}]) is None


def test_reasoning_goes_back_only_where_the_provider_can_read_it():
    """OpenAI keeps none of it with `store: false`, and misses what a named call came from."""
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    sealed = {**bare, "encrypted_content": "x"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "own", "arguments": "{}"}
    nameless = {name: call[name] for name in call if name != "id"}
    turn = Responses().turn
    assert turn({"store": True, "output": [bare, call]}) == [bare, call]
    assert turn({"store": False, "output": [sealed, call]}) == [sealed, call]
    assert turn({"store": False, "output": [bare, call]}) == [nameless]
