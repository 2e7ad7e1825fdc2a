"""What an edit changed: the smallest values that differ, found again exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.changes import Change, changes

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def dumped(value, **options):
    return json.dumps(value, **options).encode()


def found(before, after):
    return [
        (each.place, each.before, each.after) for each in changes(dumped(before), dumped(after))
    ]


@given(VALUE, st.sampled_from([None, 1]))
def test_other_white_space_is_no_change(value, indent):
    assert changes(dumped(value), b" \n" + dumped(value, indent=indent) + b"\n") == []


@given(VALUE, VALUE)
def test_whatever_differs_is_told(one, other):
    assert bool(changes(dumped(one), dumped(other))) == (dumped(one) != dumped(other))


@given(st.lists(st.tuples(TEXT, st.none() | TEXT), max_size=8))
def test_texts_that_were_replaced_are_found_and_no_other(pairs):
    def body(texts):
        return dumped({"messages": [{"role": "user", "content": text} for text in texts]})

    before = [old for old, _ in pairs]
    after = [old if new is None else new for old, new in pairs]
    assert changes(body(before), body(after)) == [
        Change(("messages", index, "content"), old, new)
        for index, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
    ]


@given(st.binary(), st.binary())
def test_what_is_not_json_is_shown_as_it_stands(one, other):
    told = changes(b"x" + one, b"x" + other)
    assert bool(told) == ((b"x" + one).strip() != (b"x" + other).strip())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"tools": [1, 2, 3]}, {"tools": [1, 3]}, [("tool 1", "2", None)]),
        ({"tools": [1, 3]}, {"tools": [1, 2, 3]}, [("tool 1", None, "2")]),
        ({"messages": []}, {"messages": [1]}, [("message 0", None, "1")]),
        ({"input": "a"}, {"input": "b"}, [("message 0", "a", "b")]),
        ({"input": ["a"]}, {"input": ["b"]}, [("message 0", "a", "b")]),
        ({"system": "a"}, {"system": "b"}, [("system", "a", "b")]),
        ({"prompt": "a"}, {"prompt": "b"}, [("prompt", "a", "b")]),
        ({}, {"prompt_cache_key": "k"}, [("parameter prompt_cache_key", None, "k")]),
        ({"seed": 1}, {}, [("parameter seed", "1", None)]),
        (
            {"messages": [{"content": [{"type": "text", "text": "a"}]}]},
            {"messages": [{"content": [{"type": "text", "text": "b"}]}]},
            [("message 0 content.0.text", "a", "b")],
        ),
        (
            {"messages": [{"role": "user", "content": "a"}]},
            {"messages": [{"role": "tool", "content": "a"}]},
            [("message 0", '{"role": "user", "content": "a"}', '{"role": "tool", "content": "a"}')],
        ),
        (
            {"tools": [{"a": 1, "b": 2}]},
            {"tools": [{"b": 2, "a": 1}]},
            [("tool 0", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}')],
        ),
        (
            {"messages": [{"content": "a"}]},
            {"messages": [{"content": [{"text": "a"}]}]},
            [("message 0 content", "a", '[{"text": "a"}]')],
        ),
        ([], {}, [("body", "[]", "{}")]),
    ],
)
def test_places_and_texts(before, after, expected):
    assert found(before, after) == expected


def test_a_string_that_is_no_text_is_shown_as_json():
    (told,) = changes(b'["\\ud800"]', b"[1]")
    assert (told.before, told.after) == ('["\\ud800"]', "[1]")


def test_deep_nesting_is_no_fault():
    deep = b"[" * 5000 + b"]" * 5000
    (told,) = changes(deep, b"[1]")
    assert told.before is not None
