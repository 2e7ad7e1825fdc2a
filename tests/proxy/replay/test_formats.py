"""Every format of a trace line, and whatever else a line may hold."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Dialect
from proxy.replay.formats import talk_of
from proxy.replay.talk import Malformed, Target

GPT = Target("gpt-6-sol", "openai_breakpoints")
CLAUDE = Target("claude-sonnet-5", "anthropic_marks")
LOCAL = Target("vllm/llama", "vllm_blocks")

TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "seen"},
    {"role": "tool", "tool_call_id": "c2", "content": "seen too"},
    {"role": "assistant", "content": "done"},
]
WHOLE = {"id": "a", "model": "gpt-4o", "tools": [TOOL], "messages": MESSAGES, "reward": 1}


def talk(doc, target=GPT):
    return talk_of(json.dumps(doc).encode(), "file:1", target)


def bodies(doc, target=GPT):
    return [json.loads(request.body) for request in talk(doc, target).requests]


def test_each_reply_of_a_conversation_is_one_request_with_all_messages_before_it():
    found = talk(WHOLE)
    requests = list(found.requests)
    assert found.size == len(requests) == 2
    assert found.at is None
    assert [json.loads(one.body)["messages"] for one in requests] == [MESSAGES[:2], MESSAGES[:5]]
    assert [one.answer for one in requests] == [MESSAGES[2], MESSAGES[5]]
    assert all(one.dialect is Dialect.CHAT for one in requests)


def test_a_conversations_request_names_the_target_and_has_no_field_that_is_not_a_requests():
    for body in bodies(WHOLE):
        assert body["model"] == "gpt-6-sol"
        assert set(body) == {"model", "tools", "messages"}


def test_messages_keep_the_bytes_that_they_have_in_the_trace():
    odd = '{"role":  "user", "content": "caf\\u00e9", "n": 1.50}'
    line = f'{{"messages": [{odd}, {{"role": "assistant", "content": "x"}}]}}'
    [request] = talk_of(line.encode(), "file:1", GPT).requests
    assert odd.encode() in request.body


def test_a_chat_goes_to_claude_in_anthropics_form():
    first, second = bodies(WHOLE, CLAUDE)
    assert first["system"] == "Be brief."
    assert first["tools"][0] == {
        "name": "look",
        "description": "Looks.",
        "input_schema": {"type": "object"},
    }
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    use = second["messages"][1]["content"][0]
    assert use == {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}}
    results = second["messages"][2]["content"]
    assert [one["content"] for one in results] == ["seen", "seen too"]


def test_results_of_different_turns_stay_apart_for_claude():
    twice = [*MESSAGES[:4], {**MESSAGES[2]}, MESSAGES[3], MESSAGES[5]]
    *_, last = bodies({"messages": twice}, CLAUDE)
    roles = [message["role"] for message in last["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert len(last["messages"][2]["content"]) == len(last["messages"][4]["content"]) == 1


def test_a_conversation_in_anthropics_form_keeps_it():
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    doc = {"system": "Be brief.", "messages": messages}
    for target in (GPT, CLAUDE):
        [request] = talk(doc, target).requests
        assert request.dialect is Dialect.MESSAGES
        body = json.loads(request.body)
        assert body["system"] == "Be brief."
        assert body["max_tokens"] > 0


def test_a_log_line_is_one_request_at_its_time():
    said = {"role": "assistant", "content": "yes"}
    doc = {
        "model": "gpt-4o",
        "messages": MESSAGES[:2],
        "temperature": 0,
        "timestamp": "2026-11-20T00:00:10Z",
        "session_id": "s",
        "response": {"choices": [{"message": said}]},
    }
    found = talk(doc)
    [request] = found.requests
    assert found.key == "s"
    assert found.at == 1_795_132_810
    assert request.answer == said
    body = json.loads(request.body)
    assert body == {"model": "gpt-6-sol", "messages": MESSAGES[:2], "temperature": 0}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(12.5, 12.5), (1_760_428_221, 1_760_428_221), (1_760_428_221_546, 1_760_428_221.546)],
)
def test_a_number_is_a_time_by_its_size(written, seconds):
    assert talk({"messages": MESSAGES[:2], "time": written}).at == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"prompt": "once"}, Dialect.COMPLETIONS),
        ({"input": "once", "instructions": "Be brief."}, Dialect.RESPONSES),
        ({"input": [{"role": "user", "content": "hi"}]}, Dialect.RESPONSES),
        ({"messages": MESSAGES[1:2], "system": "Be brief.", "max_tokens": 5}, Dialect.MESSAGES),
    ],
)
def test_a_log_may_be_of_any_endpoint(body, dialect):
    [request] = talk({"model": "m", "timestamp": 1, **body}).requests
    assert request.dialect is dialect


def test_a_bare_prompt_goes_to_completions_of_an_engine_and_else_to_chat():
    doc = {"timestamp": 2_000_000, "input": "Once", "output": "upon", "session_id": "s"}
    assert talk(doc).at == 2.0
    assert talk(doc).key == "s"
    assert bodies(doc, LOCAL) == [{"model": "vllm/llama", "prompt": "Once"}]
    assert bodies(doc)[0]["messages"] == [{"role": "user", "content": "Once"}]
    assert bodies(doc, CLAUDE)[0]["messages"] == [{"role": "user", "content": "Once"}]


def test_hashes_name_blocks():
    doc = {"timestamp": 3000, "input_length": 700, "output_length": 9, "hash_ids": [4, 7]}
    found = talk(doc)
    [request] = found.requests
    assert found.at == 3.0
    assert (request.grain, request.output) == (512, 9)
    assert json.loads(request.body)["prompt"] == "4 7/188"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe{}",
        b'{"messages": 5}',
        b'{"messages": [5]}',
        b'{"messages": [{"role": 5}]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "timestamp": true}',
        b'{"messages": [{"role": "user", "content": "hi"}], "time": "noon"}',
        b'{"messages": [{"role": "user", "content": "hi"}], "time": 1e308}',
        b'{"messages": [{"role": "user", "content": "hi"}], "timestamp": -1e18}',
        b'{"input": "x", "output": "y", "timestamp": 1e308}',
        b'{"timestamp": 1e308, "input_length": 700, "output_length": 9, "hash_ids": [4, 7]}',
        b'{"hash_ids": "4", "input_length": 5}',
        b'{"hash_ids": [1], "input_length": 5000}',
        b'{"hash_ids": [1], "input_length": null}',
        b'{"input": "x", "output": "y", "timestamp": "z"}',
        b'{"a": ' + b"[" * 100_000,
        b'{"messages": [{"role": "user", "content": 1e999999999}], "time": 1}',
    ],
)
def test_a_malformed_line_is_named_so(line):
    with pytest.raises(Malformed):
        for _ in talk_of(line, "file:1", GPT).requests:
            pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "function", "name", "tool_calls", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
names = st.sampled_from(
    [
        *("messages", "tools", "system", "input", "output", "prompt", "timestamp", "time"),
        *("hash_ids", "input_length", "output_length", "response", "session_id", "model", "id"),
    ]
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", "odd"])},
        optional={"content": json_values, "tool_calls": json_values},
    ),
    max_size=4,
)


@given(
    st.dictionaries(names, json_values, max_size=6),
    st.none() | messages,
    st.sampled_from([GPT, CLAUDE, LOCAL]),
)
def test_any_json_is_a_talk_or_malformed(doc, said, target):
    if said is not None:
        doc["messages"] = said
    line = json.dumps(doc).encode()
    try:
        found = talk_of(line, "file:1", target)
        made = list(found.requests)
    except Malformed:
        return
    assert len(made) == found.size
    assert all(isinstance(json.loads(one.body), dict) for one in made)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_are_a_talk_or_malformed(noise, at):
    line = json.dumps(WHOLE).encode()
    with suppress(Malformed):
        assert all(one.body for one in talk_of(line[:at] + noise + line[at:], "f:1", GPT).requests)
