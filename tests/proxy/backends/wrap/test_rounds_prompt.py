import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Dialect
from proxy.backends.wrap.rounds_prompt import Places, Prompt, with_member

DIALECTS = [Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES]
KEYS = st.sampled_from(["role", "type", "content", "tool_calls", "id", "text", "cache_control"])
WORDS = st.sampled_from(["assistant", "user", "system", "message", "text", "reasoning", "x_call"])
VALUES = st.recursive(
    st.none() | st.integers() | WORDS | st.just(10**40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
USER = {"role": "user", "content": "hi"}
MARK = {"cache_control": {"type": "ephemeral"}}


def keys(dialect, *messages, model="m"):
    raws = [json.dumps(each).encode() for each in messages]
    places, chain = Places().find(dialect, model, raws)
    return [(place.start, place.end) for place in places], [place.key for place in places], chain


@pytest.mark.parametrize("dialect", DIALECTS)
@given(messages=st.lists(VALUES, max_size=5))
def test_any_messages_have_keys_that_say_what_came_before(dialect, messages):
    _, found, _ = keys(dialect, *messages)
    _, more, _ = keys(dialect, *messages, USER)
    assert more == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"role": "user", "content": "hi"}, {"content": "hi", "role": "user"}),
        (USER, {"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}),
        (USER, {**USER, **MARK}),
    ],
)
def test_marks_and_the_order_of_keys_do_not_count(one, other):
    reply = {"role": "assistant", "content": "ok"}
    assert keys(Dialect.CHAT, one, reply) == keys(Dialect.CHAT, other, reply)


def test_instructions_do_not_count_and_the_model_does():
    reply = {"role": "assistant", "content": "ok"}
    plain = keys(Dialect.CHAT, USER, reply)[1]
    assert keys(Dialect.CHAT, {"role": "system", "content": "at 9:03"}, USER, reply)[1] == plain
    assert keys(Dialect.CHAT, USER, reply, model="n")[1] != plain
    assert keys(Dialect.CHAT, USER, {**reply, "content": "no"})[1] != plain
    assert keys(Dialect.CHAT, USER, {**reply, "content": "ok\n", "refusal": None})[1] == plain


def test_a_reply_of_several_items_is_one():
    items = [
        USER,
        {"type": "reasoning", "id": "rs_1"},
        {"type": "function_call", "call_id": "a", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "ok"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Done"}]},
    ]
    places, found, _ = keys(Dialect.RESPONSES, *items)
    assert places == [(1, 3), (4, 5)]
    assert keys(Dialect.RESPONSES, items[0], *items[2:])[1] == found


def test_a_text_alone_is_what_a_user_says():
    listed = Prompt(b' {"input":"hi","x":1}', "input")
    assert listed.body(listed.raws) == b' {"input":[{"role":"user","content":"hi"}],"x":1}'
    assert [json.loads(raw) for raw in listed.raws] == [USER]


def test_a_member_is_replaced_or_put_first():
    assert with_member(b' {"a":1, "b":2}', "b", b"3") == b' {"a":1, "b":3}'
    assert with_member(b'{"a":1}', "b", b"3") == b'{"b":3,"a":1}'


@pytest.mark.parametrize("body", [b"{}", b'{"messages":3}', b'{"messages":{}}'])
def test_bodies_without_messages(body):
    with pytest.raises(ValueError, match=r"no (list of )?messages"):
        Prompt(body, "messages")
