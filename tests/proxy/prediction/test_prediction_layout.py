"""Where blocks lie in a body: always the bytes of the value that the block was read from."""

import json

import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.prompt import blocks, fields
from proxy.prediction.layout import Layouts

words = st.text(alphabet='ab"\\é{[,:]}\n ', max_size=8)
parts = st.lists(st.builds(lambda text: {"type": "text", "text": text}, words), min_size=1)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.one_of(words, parts)},
        optional={"name": words},
    ),
    min_size=1,
    max_size=5,
)
tools = st.lists(st.fixed_dictionaries({"name": words, "input_schema": st.just({"a": [1, {}]})}))
others = st.dictionaries(
    st.sampled_from(["temperature", "metadata", "stream", "stop", "user", "messag\\u0065"]),
    st.one_of(st.booleans(), st.integers(), words, st.just({"x": [{"messages": [1]}, "]"]})),
)
documents = st.builds(
    lambda said, tools, system, others, order: dict(
        sorted(
            {"messages": said, "tools": tools, "system": system, **others}.items(),
            key=lambda pair: hash((pair[0], order)),
        )
    ),
    *(messages, tools, st.one_of(words, parts), others, st.integers(0, 9)),
)
styles = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"indent": 2},
        {"separators": (" ,  ", " :\t"), "ensure_ascii": False},
    ]
)


def expected(doc, path):
    """The top-level value, or the item of it, that holds what `path` leads to."""
    value = doc[path[0]]
    return value[path[1]] if len(path) > 1 and isinstance(path[1], int) else value


def read(raw, dialect):
    found = call(body=Body(raw), dialect=dialect)
    return found, blocks(found)


@given(documents, styles, st.sampled_from([b"", b" \n"]))
def test_the_bytes_of_a_block_are_those_of_its_message_tool_or_text(doc, style, lead):
    raw = lead + json.dumps(doc, **style).encode()
    one, found = read(raw, Dialect.MESSAGES)
    if not found:
        return
    where = Layouts(()).of(raw, fields(one), found)
    for number, block in enumerate(found):
        start, end = where.span(number, found)
        assert json.loads(raw[start:end]) == expected(doc, block.path)
        assert raw[start:end] == raw[start:end].strip()


@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 2}])
def test_the_usual_forms_are_not_parsed_again(style, monkeypatch):
    monkeypatch.setattr("proxy.prediction.layout._parsed", None)
    said = [{"role": "user", "content": text} for text in ("a", "b", "c")]
    doc = {"metadata": {"a": ["]"]}, "messages": said, "tools": [{"name": "a"}], "top_p": 0.5}
    raw = json.dumps(doc, **style).encode()
    one, found = read(raw, Dialect.MESSAGES)
    start, end = Layouts(()).of(raw, fields(one), found).span(3, found)
    assert json.loads(raw[start:end]) == said[2]


def test_spans_follow_a_changed_body_with_the_same_tools():
    layouts = Layouts(())
    doc = {"tools": [{"name": "a"}, {"name": "b"}], "messages": [{"role": "user", "content": "x"}]}
    for body in (doc, {"temperature": 1, **doc}):
        raw = json.dumps(body).encode()
        one, found = read(raw, Dialect.MESSAGES)
        start, end = layouts.of(raw, fields(one), found).span(1, found)
        assert json.loads(raw[start:end]) == {"name": "b"}


def test_the_heads_that_are_remembered_are_bounded():
    layouts = Layouts(())
    for name in range(600):
        doc = {"tools": [{"name": str(name)}], "messages": [{"role": "user", "content": "x"}]}
        raw = json.dumps(doc).encode()
        one, found = read(raw, Dialect.MESSAGES)
        layouts.of(raw, fields(one), found)
    assert len(layouts._heads) <= 256


def test_a_piece_of_a_completion_prompt_is_found_inside_it():
    raw = json.dumps({"prompt": "word\n" * 3000}).encode()
    one, found = read(raw, Dialect.COMPLETIONS)
    where = Layouts(()).of(raw, fields(one), found)
    spans = [where.span(number, found) for number in range(len(found))]
    assert len(spans) > 3
    assert raw[spans[0][0] : spans[0][0] + 5] == b'"word'
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


def test_responses_items_and_a_plain_input_have_their_bytes():
    for given_, expect in (("hi", "hi"), ([{"role": "user", "content": "a"}], None)):
        raw = json.dumps({"instructions": "i", "input": given_, "store": False}).encode()
        one, found = read(raw, Dialect.RESPONSES)
        start, end = Layouts(()).of(raw, fields(one), found).span(len(found) - 1, found)
        assert json.loads(raw[start:end]) == (expect or given_[0])


def test_uneven_gaps_and_escaped_keys_are_followed():
    raw = b"""{"t\\u006fols":null, "messages":[{"role":"user","content":"a"},
      {"role":"user","content":"b"} ,{"role":"user","content":"c"}]}"""
    one, found = read(raw, Dialect.MESSAGES)
    where = Layouts(()).of(raw, fields(one), found)
    texts = [raw[slice(*where.span(number, found))] for number in range(3)]
    assert [json.loads(text)["content"] for text in texts] == ["a", "b", "c"]


def test_a_repeated_key_is_laid_out_nowhere():
    raw = b'{"messages":[{"role":"user","content":"a"}],"tools":[],"tools":[{"name":"b"}]}'
    one, found = read(raw, Dialect.MESSAGES)
    where = Layouts(()).of(raw, fields(one), found)
    assert [where.span(number, found) for number in range(len(found))] == [None] * len(found)
    assert found
