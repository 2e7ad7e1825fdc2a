"""A turn whose messages are found from where the one before ended is as if all were looked for."""

import asyncio
import json

import pytest
from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.compress.freeze_places import Listing, conversation, listing
from policies.compress.freeze_turns import turn

LISTED = {Dialect.CHAT: "messages", Dialect.MESSAGES: "messages", Dialect.RESPONSES: "input"}
SIGN = b'"tool_call_id"'
LONG = "Be exact. " * 500
texts = st.sampled_from(["", "hi", 'a "quoted" one', "é中", '}],"messages":[', "cache_control"])
marks = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
messages = st.builds(
    lambda text, more, mark: {"content": [{"type": "text", "text": text, **mark}], **more},
    texts,
    st.sampled_from([{"role": "user"}, {"role": "tool", "tool_call_id": "1"}]),
    marks,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.just([{"type": "function", "function": {"name": "a"}}]),
        "n": st.integers(0, 1),
        "cache_control": st.just({"type": "ephemeral"}),
        "input": st.just([{"role": "user", "content": "aside"}]),
    },
)
lawful = settings(max_examples=60, deadline=None)


def sent(raw, dialect=Dialect.CHAT):
    return call(body=Body(raw), dialect=dialect)


def found(raw, dialect=Dialect.CHAT):
    return asyncio.run(turn(sent(raw, dialect)))


def check(raw, dialect=Dialect.CHAT):
    """What is found is what is found in the request alone, and is returned."""
    whole, here = listing(dialect, raw), found(raw, dialect)
    if whole is None:
        assert here is None
        return None
    assert here.listed == Listing(*map(type(here.listed.raws), whole[:2]), whole.free)
    assert here.holding((SIGN,)) == whole.holding((SIGN,))
    assert here.conversation() == conversation(whole)
    return here


@lawful
@given(st.lists(messages, min_size=1, max_size=8), members, members, st.data())
@pytest.mark.parametrize("dialect", LISTED)
def test_every_turn_is_found_as_if_it_were_the_first(dialect, talk, before, after, data):
    name = LISTED[dialect]
    talk = [{"role": "user", "content": LONG}, *talk]
    style = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    end = 0
    while end < len(talk):
        end = data.draw(st.integers(end + 1, len(talk)))
        tail = data.draw(st.sampled_from([after, after, {}]))
        doc = {**before, name: talk[:end]} | {k: v for k, v in tail.items() if k != name}
        for again in range(data.draw(st.integers(1, 2))):
            raw = json.dumps(doc, separators=style, ensure_ascii=not again).encode()
            check(raw, dialect)


START = b'{"messages":[{"role":"user","content":"' + LONG.encode() + b'"}'


@pytest.mark.parametrize(
    "rest",
    [
        b"]}",
        b',{"role":"tool","tool_call_id":"1"}]}',
        b' ,\n{"role":"user"} , {"tool_call_id":"2"}\t]}',
        b',{"role":"user"},]}',
        b",]}",
        b",,1]}",
        b'{"role":"user"}]}',
        b',{"role":"user"}]],"x":[[]}',
        b',{"role":"user"}],"x":[1]}',
        b'],"messages":[]}',
        b',{"role":"user"}],"messages":[{"role":"user"}]}',
        b',{"role":"user","cache_control":{"type":"ephemeral"}}]}',
        b',"a string",3,null]}',
        b',{"role":"us\xff"}]}',
        b"",
        b',{"role":"user"}',
    ],
)
def test_whatever_follows_leaves_no_more_doubt_than_in_a_first_request(rest):
    check(START + b"]}")
    check(START + rest)
    check(START + b',{"role":"user","tool_call_id":"3"}]}')


def test_what_is_known_is_not_read_again():
    first = found(START + b"]}")
    second = found(START + b',{"role":"user"}]}')
    third = found(START + b',{"role":"user"},{"role":"tool","tool_call_id":"1"}]}')
    assert first.listed.raws[0] is second.listed.raws[0] is third.listed.raws[0]
    assert third.listed.raws[1] is second.listed.raws[1]
    assert [message.number for message in third.holding((SIGN,))] == [2]


def test_a_conversation_that_departs_from_another_is_found_anew():
    found(START + b',{"role":"user"}]}').notes["mine"] = 1
    assert "mine" in found(START + b',{"role":"user"},{"role":"user"}]}').notes
    assert "mine" not in found(START + b',{"role":"tool"}]}').notes


def test_notes_of_a_turn_are_its_own():
    first = found(START + b"]}")
    second = found(START + b',{"role":"user"}]}')
    second.notes["mine"] = 1
    assert "mine" not in first.notes


def test_members_behind_the_messages_may_change():
    more, mark = b',{"role":"user"}', b'":{"type":"ephemeral"}}'
    check(START + b'],"cache_contro1' + mark)
    check(START + more + b'],"cache_control' + mark)
    check(START + more + more + b'],"cache_contro1' + mark)


def test_the_same_body_has_other_messages_in_another_dialect():
    raw = START + b'],"input":[{"role":"user","content":"hi"}]}'
    check(raw)
    check(raw, Dialect.RESPONSES)
