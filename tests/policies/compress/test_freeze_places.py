import json

import pytest

from policies.base.call import Dialect
from policies.compress.freeze_places import (
    Listing,
    Spot,
    conversation,
    has,
    listing,
    replaced,
    signs,
    spots,
)

CHAT, CLAUDE, RESPONSES = Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES


def user(text="hi"):
    return {"role": "user", "content": text}


def result(text="found"):
    return {"role": "tool", "tool_call_id": "1", "content": text}


def found(dialect, message, *, users=False):
    return spots(dialect, json.dumps(message).encode(), users=users)


@pytest.mark.parametrize("layout", [{"indent": 2}, {"separators": (",", ":")}, {}])
def test_messages_are_found_however_they_are_laid_out(layout):
    doc = {"model": "m", "messages": [user(), result("é"), result('\\"[{')], "tools": [1]}
    raw = json.dumps(doc, ensure_ascii=False, **layout).encode()
    listed = listing(CHAT, raw)
    assert [json.loads(text) for text in listed.raws] == doc["messages"]
    assert all(
        raw.startswith(text, at) for text, at in zip(listed.raws, listed.starts, strict=True)
    )


def test_uneven_gaps_are_followed():
    raw = b'{"messages" : [ {"a":1} ,{"a":2},\n\n{"a":3}\t]}'
    listed = listing(CHAT, raw)
    assert [raw[at : at + 7] for at in listed.starts] == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


def test_the_list_is_the_one_at_the_top():
    inner = {"properties": {"messages": {"messages": [user("inner")]}}}
    doc = {"metadata": {"messages": [user("meta")]}, "tools": [inner], "messages": [user("top")]}
    raw = json.dumps(doc).encode()
    listed = listing(CHAT, raw)
    assert listed.starts == [raw.index(json.dumps(user("top")).encode())]
    assert listing(RESPONSES, json.dumps({"input": [user()]}).encode()).starts == [11]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[{"a":1}],"messages":[{"a":2}]}',
        b'{"m\\u0065ssages":[{"a":1}]}',
        b'{"metadata":{"messages":[{"a":1}]},"m\\u0065ssages":[{"a":1}]}',
        b'{"messages":[{"a":1}]',
        b'{"messages":{"a":1}}',
        b"[]",
        b"\xff",
        b"",
        b'{"a":{"messages":1},' * 20,
        b"[" * 100_000,
    ],
)
def test_where_there_is_doubt_nothing_is_found(raw):
    assert listing(CHAT, raw) is None


@pytest.mark.parametrize("doc", [{}, {"messages": []}, {"messages": None}])
def test_no_messages_are_none(doc):
    assert listing(CHAT, json.dumps(doc).encode()) == ((), (), 0)
    assert listing(RESPONSES, b'{"input":"hi"}') == ((), (), 0)


def test_what_stands_before_a_mark_is_not_free():
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    cases = [
        ([user(), result()], 0),
        ([user([marked]), result()], 1),
        ([user(), result(), user([marked])], 3),
        ([user(), result("the field cache_control"), result()], 0),
        ([user(), result() | {"prompt_cache_breakpoint": {}}, result()], 2),
    ]
    for messages, free in cases:
        raw = json.dumps({"messages": messages}).encode()
        assert listing(CHAT, raw).free == free
    automatic = {"cache_control": {"type": "ephemeral"}, "messages": [user(), result()]}
    assert listing(CLAUDE, json.dumps(automatic).encode()) == ((), (), 0)
    tools = {"tools": [marked], "messages": [user()]}
    raw = json.dumps(tools).encode()
    assert listing(CLAUDE, raw).free == 0


def test_the_results_of_tools_are_found_in_every_dialect():
    part = {"type": "text", "text": "t"}
    assert found(CHAT, result()) == [Spot(("content",), "found", False, "1")]
    assert found(CHAT, result([part, part])) == [
        Spot(("content", n, "text"), "t", False, "1") for n in (0, 1)
    ]
    answers = [
        {"type": "tool_result", "tool_use_id": "1", "content": "a", "is_error": True},
        {"type": "text", "text": "what the user says"},
        {"type": "tool_result", "tool_use_id": "2", "content": [part, {"type": "image"}]},
        {"type": "tool_result", "tool_use_id": "3"},
    ]
    assert found(CLAUDE, user(answers)) == [
        Spot(("content", 0, "content"), "a", False, "1"),
        Spot(("content", 2, "content", 0, "text"), "t", False, "2"),
    ]
    for kind in ("function_call_output", "custom_tool_call_output", "local_shell_call_output"):
        output = {"type": kind, "call_id": "1", "output": "o"}
        assert found(RESPONSES, output) == [Spot(("output",), "o", False, "1")]


@pytest.mark.parametrize("dialect", [CHAT, CLAUDE, RESPONSES])
@pytest.mark.parametrize(
    "message",
    [
        user("tool"),
        {"role": "system", "content": "tool_result"},
        {"role": "developer", "content": "tool"},
        {"role": "assistant", "content": "tool", "tool_calls": [{"function": {"arguments": "{}"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "input": {"content": "x"}}]},
        {"type": "function_call", "arguments": "{}", "name": "tool"},
        {"type": "reasoning", "encrypted_content": "x", "output": "y"},
        {"type": "computer_call_output", "output": "y"},
        {"type": ["function_call_output"], "output": "y"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
        {"role": ["tool"], "content": "x"},
        result([{"type": "text", "text": "t", "annotations": []}]),
        result([{"type": "text", "text": 5}, "text", None]),
        result(None) | {"content": {"text": "x"}},
        [result()],
        "tool",
        None,
    ],
)
def test_all_else_is_left_alone(dialect, message):
    assert found(dialect, message) == []


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"role":"tool","content":"a","content":"b"}',
        rb'{"role":"tool","content":"\ud800"}',
        rb'{"role":"tool","content":"a"',
        b'{"role":"tool","content":"\xff"}',
        rb'{"role":"tool","content":"a","x":{"y":1,"y":2}}',
    ],
)
def test_odd_json_is_left_alone(raw):
    assert spots(CHAT, raw, users=True) == []


def test_what_users_pasted_is_found_where_it_is_asked_for():
    part = {"type": "text", "text": "t"}
    assert found(CHAT, user("x"), users=True) == [Spot(("content",), "x", True)]
    assert found(CLAUDE, user([part]), users=True) == [Spot(("content", 0, "text"), "t", True)]
    assert found(CHAT, {"role": "assistant", "content": "x"}, users=True) == []


def test_signs_stand_in_every_message_that_has_a_spot():
    for dialect, message in [
        (CHAT, result()),
        (CLAUDE, user([{"type": "tool_result", "content": "x"}])),
        (RESPONSES, {"type": "function_call_output", "output": "o"}),
        (RESPONSES, {"type": "custom_tool_call_output", "output": "o"}),
    ]:
        assert has(json.dumps(message).encode(), signs(dialect, users=False))
        assert has(json.dumps(user()).encode(), signs(dialect, users=True))
    assert signs(Dialect.EMBEDDINGS, users=True) == ()


def test_only_the_text_is_replaced():
    raw = rb'{ "role":"tool", "x":1.50, "content":"\u00e9 /\/", "tool_call_id" : "1" }'
    new = replaced(raw, {("content",): 'a "quoted" é\n'})
    text = rb'"\u00e9 /\/"'
    assert new == raw.replace(text, json.dumps('a "quoted" é\n', ensure_ascii=False).encode())
    assert replaced(raw, {("text",): "x"}) is None
    assert replaced(raw, {("content",): "\ud800"}) is None


def test_conversations_are_told_apart_by_what_the_user_said_first():
    def of(*messages):
        return conversation(listing(CHAT, json.dumps({"messages": messages}).encode()))

    system = {"role": "system", "content": "one"}
    assert of(system, user()) == of(system | {"content": "two"}, user(), result(), user("more"))
    assert of(user()) != of(user("hello"))
    assert len(of(user())) == 8
    assert of(system) == b""
    assert of(system, result(), user()) == of(result())  # whatever a client has left out before


def test_a_conversation_is_the_same_however_its_messages_are_written():
    spelt = [
        b'{"role":"user","content":"h\xc3\xa9 / 1"}',
        b'{ "content" : "h\\u00e9 \\/ 1", "role" : "user" }',
    ]
    found = {conversation(listing(CHAT, b'{"messages":[%b]}' % raw)) for raw in spelt}
    assert len(found) == 1


def test_a_conversation_that_begins_with_a_long_message_is_known_by_its_ends():
    made = lambda text: json.dumps({"role": "user", "content": text}).encode()  # noqa: E731
    texts = ["x" * 1_000_000, "y" + "x" * 999_999, "x" * 999_999 + "y", '\\"' * 500_000]
    found = [conversation(Listing((made(text),), (0,))) for text in texts]
    assert len(set(found)) == 4
    middle = made("x" * 500_000 + "y" + "x" * 499_999)  # is not read: it would take long
    assert conversation(Listing((middle, b"{}"), (0, 0))) == found[0]
