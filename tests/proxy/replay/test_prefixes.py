"""The check from outside that forwarded turns extend each other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.replay.prefixes import Prefixes, plain

TOOLS = [{"type": "function", "function": {"name": "a"}}]
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "two"},
]


def body(messages, **more):
    return json.dumps({"model": "m", "tools": TOOLS, "messages": messages} | more).encode()


def marked(message):
    part = {"type": "text", "text": message["content"], "cache_control": {"type": "ephemeral"}}
    return {"role": message["role"], "content": [part]}


def violations(*pairs):
    watched = Prefixes()
    for asked, forwarded in pairs:
        watched.watch("talk", asked, forwarded)
    return watched.violations


FIRST, SECOND = body(TURNS[:2]), body(TURNS)


def test_untouched_turns_extend_each_other():
    assert violations((FIRST, FIRST), (SECOND, SECOND)) == 0


def test_marks_may_move():
    one = body([TURNS[0], marked(TURNS[1])])
    two = body([marked(TURNS[0]), *TURNS[1:3], marked(TURNS[3])], prompt_cache_key="k")
    assert violations((FIRST, one), (SECOND, two)) == 0


@pytest.mark.parametrize(
    "broken",
    [
        body([TURNS[0], {"role": "user", "content": "One"}, *TURNS[2:]]),
        body([TURNS[1], TURNS[0], *TURNS[2:]]),
        body([{"content": "Be brief.", "role": "system"}, *TURNS[1:]]),
        body(TURNS[:1]),
        body(TURNS, tools=[{"function": {"name": "a"}, "type": "function"}]),
        body(TURNS, tools=[]),
    ],
)
def test_a_changed_earlier_turn_is_a_violation(broken):
    assert violations((FIRST, FIRST), (SECOND, broken)) == 1


def test_an_edit_that_is_repeated_is_none():
    edited = {"role": "user", "content": "1st"}
    one, two = body([TURNS[0], edited]), body([TURNS[0], edited, *TURNS[2:]])
    assert violations((FIRST, one), (SECOND, two)) == 0


def test_what_the_client_changes_itself_is_none():
    other = body([{"role": "system", "content": "Be long."}, *TURNS[1:]])
    assert violations((FIRST, FIRST), (other, other)) == 0


def test_conversations_are_told_apart():
    watched = Prefixes()
    watched.watch("a", FIRST, body([TURNS[0], {"role": "user", "content": "1st"}]))
    watched.watch("b", SECOND, SECOND)
    assert watched.violations == 0


def test_bare_prompts_are_compared_by_character():
    asked = [json.dumps({"prompt": text}).encode() for text in ("Once", "Once upon")]
    sent = [json.dumps({"prompt": text}).encode() for text in ("Once", "once upon")]
    assert violations(*zip(asked, asked, strict=True)) == 0
    assert violations(*zip(asked, sent, strict=True)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 2]))
def test_white_space_between_tokens_does_not_count(value, indent):
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert plain(json.dumps(value, indent=indent, ensure_ascii=False).encode()) == plain(compact)


@given(json_values, json_values)
def test_different_values_stay_different(one, other):
    texts = [json.dumps(value, ensure_ascii=False).encode() for value in (one, other)]
    assert (plain(texts[0]) == plain(texts[1])) == (texts[0] == texts[1])
