import json

import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.prompt import blocks, fields
from policies.prefix.marking import CannotPlace, Marking, inserted, spans

MARK = b'"cache_control":{"type":"ephemeral"}'
TEXT = [{"type": "text", "text": "hi"}]
MARKED = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]


def written(raw, *numbers, dialect=Dialect.CHAT, more=None):
    one = call(body=Body(raw), dialect=dialect)
    marking = Marking("text", MARK, numbers)
    return inserted(raw, marking.inserts(raw, fields(one), blocks(one)), more or {}).raw


def message(raw):
    return json.loads(raw)["messages"][0]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[{"role":"user","content":"hi"}]}',
        b'{"messages": [{"role": "user", "content": "hi"}]}',
        b' {"model":"m","messages" : [ {"content" :"hi", "role":"user"} ] , "n":1}\n',
        b'{"messages":[{"role":"tool","content":"hi","tool_call_id":"1"}]}',
        b'{"messages":[ {"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}',
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}',
        b'{"messages":[{"role":"user","meta":{"content":"no"},"content":"hi"}]}',
    ],
)
def test_a_text_becomes_a_list_and_every_other_byte_stays(raw):
    assert message(written(raw))["content"] == TEXT
    assert message(written(raw, 0))["content"] == MARKED
    unmarked = written(raw, 0).replace(b"," + MARK, b"")
    assert unmarked == written(raw)
    assert unmarked.replace(b'[{"type":"text","text":"hi"}]', b'"hi"') == raw.replace(
        b'[{"type":"text","text":"hi"}]', b'"hi"'
    )


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[{"role":"user","content":"hi"}],"n":1,"n":2}',
        b'{"n":1,"messages":[],"messages":[{"role":"user","content":"hi"}]}',
        b'{"messages":[{"role":"user","content":"hi","content":"ho"}]}',
        b'{"messages":[{"content":"hi","role":"user","content":"ho"}]}',
        b'{"messages":[{"role":"user","content":"hi","c\\u006fntent":"ho"}]}',
    ],
)
def test_an_object_that_repeats_a_key_is_left_alone(raw):
    with pytest.raises(CannotPlace):
        written(raw, 0)


def test_tools_system_and_parts_carry_marks_themselves():
    doc = {
        "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}],
        "system": "s",
        "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]}],
    }
    raw = json.dumps(doc).encode()
    made = json.loads(written(raw, 1, 2, 3, dialect=Dialect.MESSAGES))
    mark = {"cache_control": {"type": "ephemeral"}}
    assert made["tools"] == [doc["tools"][0], doc["tools"][1] | mark]
    assert made["system"] == [{"type": "text", "text": "s"} | mark]
    assert made["messages"][0]["content"] == [doc["messages"][0]["content"][0] | mark]


def test_members_are_added_at_the_end():
    raw = b'{"messages":[{"role":"user","content":"hi"}] }\n'
    made = written(raw, more={"prompt_cache_key": b'"k"'})
    assert made.endswith(b'] ,"prompt_cache_key":"k"}\n')


keys = st.sampled_from(["a", '"', "\\", "{", "}", ",", ":", "\u00e9", "b"])
values = keys | st.integers() | st.lists(keys, max_size=2)
objects = st.dictionaries(keys, values | st.dictionaries(keys, values, max_size=2), min_size=1)


@given(objects, st.sampled_from([None, 1, "\t"]))
def test_spans_are_where_the_values_are(value, indent):
    raw = json.dumps(value, indent=indent).encode()
    found = {key: json.loads(raw[start:end]) for key, start, end in spans(raw)}
    assert found == value
