"""A turn that is read from where the one before ended is read as if it had been read whole."""

import json

import pytest
from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base import prompt
from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.prompt_chain import parsed
from policies.prefix.boundaries import boundaries
from policies.prefix.marking import CannotPlace, Marking

MARK = b'"cache_control":{"type":"ephemeral"}'
LONG = "Be exact. " * 500
words = st.sampled_from(["hi", "", " ", 'a "quoted" one', "\u00e9\u4e2d", "}],", '"user"', "\\"])
text_part = st.builds(lambda it: {"type": "text", "text": it}, words)
content = words | st.lists(text_part, min_size=1, max_size=3)
said = st.builds(
    lambda role, it: {"role": role, "content": it}, st.sampled_from(["user", "assistant"]), content
)
talks = st.lists(said, min_size=1, max_size=9)
heads = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.just([{"name": "a", "input_schema": {"type": "object"}}]),
        "temperature": st.integers(0, 1),
        "system": st.just(LONG) | st.just([{"type": "text", "text": LONG}]),
    },
)


def fresh(dialect, raw):
    return parsed(dialect, raw)


@settings(deadline=None)
@given(heads, heads, talks, st.data())
@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.MESSAGES])
def test_every_turn_is_read_as_a_whole_body_is(dialect, before, after, talk, data):
    messages = [{"role": "user", "content": LONG}, *talk]
    after = {name: value for name, value in after.items() if name not in before}
    style = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    end = 1
    while end < len(messages):
        end = data.draw(st.integers(end + 1, len(messages)))
        doc = {**before, "messages": messages[:end], **after}
        raw = json.dumps(doc, separators=style, ensure_ascii=data.draw(st.booleans())).encode()
        one = call(body=Body(raw), dialect=dialect)
        top, found = fresh(dialect, raw)
        assert prompt.blocks(one) == found
        if found is None:
            return
        assert [bytes(it) for it in prompt.fields(one).messages] == [
            bytes(it) for it in top.messages
        ]
        read = prompt.reading(one)
        assert read is not None
        for turns in (False, True):
            assert boundaries(found, turns=turns, read=read) == boundaries(found, turns=turns)
        marked = data.draw(st.sets(st.sampled_from(range(len(found))), max_size=4))
        marking = Marking("text", MARK, [number for number in marked if found[number].markable])
        assert marking.inserts(raw, top, found, read) == marking.inserts(raw, top, found)


def turns(*docs):
    return [call(body=Body(raw)) for raw in docs]


FIRST = b'{"messages":[{"role":"user","content":"' + LONG.encode() + b'"}'


@pytest.mark.parametrize(
    "rest",
    [
        b',{"role":"user","content":"b"}],"n":1,"n":2}',
        b',{"role":"user","content":"b"}],"messages":[{"role":"user","content":"c"}]}',
        b',{"role":"user","content":"b"}],"tools":[{"name":"a"}]}',
        b',{"role":"nobody","content":"b"}]}',
        b',{"role":"user","content":"b"}]} x',
        b',{"role":"user","content":"b"}',
        b',{"role":"user","content":"\xff"}]}',
        b",]}",
        b",1]}",
        b', {"role":"user","content":"b"} ] }\n',
    ],
)
def test_odd_ends_are_read_as_in_a_whole_body(rest):
    first, second = turns(FIRST + b"]}", FIRST + rest)
    assert prompt.blocks(first)
    assert prompt.blocks(second) == fresh(Dialect.CHAT, second.body.raw)[1]
    found, top = prompt.blocks(second), prompt.fields(second)
    if found:
        both = [inserts(second.body.raw, top, found, it) for it in (prompt.reading(second), None)]
        assert both[0] == both[1]


def inserts(raw, top, found, read):
    try:
        return Marking("text", MARK, [0]).inserts(raw, top, found, read)
    except CannotPlace:
        return "cannot be placed"


def test_two_conversations_that_begin_alike_do_not_mix():
    bodies = [FIRST + b',{"role":"assistant","content":"' + it + b'"}' for it in (b"x", b"y")]
    for end in (b"]}", b',{"role":"user","content":"more"}]}'):
        for one in turns(*[body + end for body in bodies]):
            assert prompt.blocks(one) == fresh(Dialect.CHAT, one.body.raw)[1]
