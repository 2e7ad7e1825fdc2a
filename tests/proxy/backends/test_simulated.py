"""The simulated backend as a provider: deterministic, strict about requests, paced."""

import asyncio
import json
import time

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.backends import registry
from proxy.backends.simulated import Simulated
from tests.fakes.simulated_server import DIALECTS, a_call

USER = [{"role": "user", "content": "Where is order 42?"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
FORCED = {"type": "function", "function": {"name": "book_hotel"}}
BODIES = {
    "chat/completions": {
        "model": "m",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
            *USER,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "42"},
        ],
        "tools": [CHAT_TOOL],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "get_weather"}}],
            },
        },
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": WEATHER}},
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "stop": ["."],
        "logprobs": True,
        "top_logprobs": 2,
        "n": 2,
        "stream_options": {"include_usage": True},
    },
    "completions": {
        "model": "m",
        "prompt": ["a b", [1, 2]],
        "echo": True,
        "suffix": "!",
        "logprobs": 1,
        "max_tokens": 9,
    },
    "responses": {
        "model": "m",
        "instructions": "Be kind.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "get_weather"}]},
            {"type": "function_call", "call_id": "c", "name": "a", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "7"},
            {"type": "reasoning", "id": "r", "summary": []},
        ],
        "tools": [{"type": "function", "name": "get_weather", "parameters": WEATHER}],
        "tool_choice": "auto",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": WEATHER}},
        "metadata": {"a": "b"},
        "max_output_tokens": 30,
    },
    "embeddings": {
        "model": "m",
        "input": ["a b", "c"],
        "dimensions": 8,
        "encoding_format": "float",
    },
    "messages": {
        "model": "m",
        "max_tokens": 40,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            *USER,
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "7"}],
                    }
                ],
            },
        ],
        "tools": [{"name": "get_weather", "input_schema": WEATHER}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["zz"],
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    },
}


def simulated(**settings):
    return Simulated("sim", Simulated.Settings(**settings))


async def post(backend, path, doc, **more):
    raw = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
    return await backend.send(a_call(path, raw, **more))


async def said(backend, path, doc, **more):
    reply = await post(backend, path, doc, **more)
    return reply.status, b"".join([chunk async for chunk in reply.chunks])


async def text(doc, backend=None, path="chat/completions"):
    status, body = await said(backend or simulated(), path, doc)
    assert status == 200, body
    return json.loads(body)["choices"][0]["message"]["content"]


def test_it_is_found_by_its_name():
    assert registry.discover()["simulated"] is Simulated
    assert Simulated.Settings(latency="20ms", lifetime="5m").latency == 0.02


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
async def test_the_same_json_gets_the_same_bytes_from_any_instance(path, stream):
    doc = {**BODIES[path], "stream": stream}
    spaced = json.dumps(dict(reversed(doc.items())), indent=3).encode()
    first = await said(simulated(rule="none"), path, doc)
    assert first[0] == 200, first[1]
    assert await said(simulated(rule="none"), path, spaced, tenant="other") == first
    assert (await said(simulated(rule="none"), path, {**doc, "model": "m2"}))[1] != first[1]


async def test_what_is_said_depends_on_the_whole_conversation_but_not_on_cache_marks():
    asked = {"model": "m", "messages": [{"role": "system", "content": "A"}, *USER]}
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    system = {"role": "system", "content": [{"type": "text", "text": "A"}]}
    marked = {"role": "system", "content": [{"type": "text", "text": "A", **mark}]}
    plain = await text(asked)
    assert "Where is order 42" in plain
    assert await text({**asked, "messages": [system, *USER]}) == plain
    assert await text({**asked, "messages": [marked, *USER]}) == plain
    assert await text({**asked, "user": "u", "max_tokens": 4000}) == plain
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    shown = [{**USER[0], "content": [image]}], [{**USER[0], "content": [{**image, **mark}]}]
    assert len({await text({**asked, "messages": messages}) for messages in shown}) == 1
    others = [
        {**asked, "messages": [{"role": "system", "content": "B"}, *USER]},
        {**asked, "messages": USER},
        {**asked, "seed": 7},
        {**asked, "model": "other"},
    ]
    assert len({plain, *[await text(other) for other in others]}) == 5


async def test_a_plain_and_a_streamed_reply_say_the_same():
    doc = {"model": "m", "messages": USER}
    _, body = await said(simulated(), "chat/completions", {**doc, "stream": True})
    events = [line[6:] for line in body.decode().split("\n\n") if line]
    assert events.pop() == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events]
    assert "".join(deltas) == await text(doc)


async def test_limits_and_stops_cut_the_same_text():
    doc = {"model": "m", "messages": USER}
    whole = await text(doc)
    status, body = await said(simulated(), "chat/completions", {**doc, "max_completion_tokens": 3})
    choice = json.loads(body)["choices"][0]
    assert status == 200
    assert choice["finish_reason"] == "length"
    assert whole.startswith(choice["message"]["content"])
    assert json.loads(body)["usage"]["completion_tokens"] == 3
    assert await text({**doc, "stop": [" order"]}) == whole.partition(" order")[0]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ["get_weather"]),
        ({"content": "no tool wanted"}, []),
        ({"content": "forget_weather_now"}, []),
        ({"content": "book_hotel, then get_weather"}, ["book_hotel", "get_weather"]),
        ({"content": "book_hotel get_weather", "parallel_tool_calls": False}, ["book_hotel"]),
        ({"tool_choice": "none"}, []),
        ({"content": "hi", "tool_choice": FORCED}, ["book_hotel"]),
        ({"role": "assistant"}, []),
    ],
)
async def test_tools_are_called_when_named_or_forced(change, names):
    hotel = {"type": "function", "function": {"name": "book_hotel"}}
    message = {"role": change.pop("role", "user"), "content": change.pop("content", "get_weather?")}
    doc = {"model": "m", "messages": [message], "tools": [CHAT_TOOL, hotel], **change}
    _, body = await said(simulated(), "chat/completions", doc)
    choice = json.loads(body)["choices"][0]
    calls = choice["message"].get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == names
    assert choice["finish_reason"] == ("tool_calls" if names else "stop")
    for call in calls:
        arguments = json.loads(call["function"]["arguments"])
        if call["function"]["name"] == "get_weather":
            jsonschema.validate(arguments, WEATHER)
    assert len({call["id"] for call in calls}) == len(calls)


@pytest.mark.parametrize(
    ("path", "change", "param"),
    [
        ("chat/completions", {"messages": None}, "messages"),
        ("chat/completions", {"messages": []}, "messages"),
        ("chat/completions", {"messages": "hi"}, "messages"),
        ("chat/completions", {"messages": [{"role": "ghost", "content": ""}]}, "messages[0].role"),
        ("chat/completions", {"messages": [{"content": "x"}]}, "messages[0].role"),
        ("chat/completions", {"messages": [{**USER[0], "content": [3]}]}, "messages[0].content[0]"),
        ("chat/completions", {"model": 3}, "model"),
        ("chat/completions", {"temperature": 3}, "temperature"),
        ("chat/completions", {"n": 0}, "n"),
        ("chat/completions", {"stream": "yes"}, "stream"),
        ("chat/completions", {"tool_choice": "maybe"}, "tool_choice"),
        ("completions", {"prompt": []}, "prompt"),
        ("completions", {"prompt": {}}, "prompt"),
        ("responses", {"input": 3}, "input"),
        ("embeddings", {"input": ""}, "input"),
        ("embeddings", {"encoding_format": "hex"}, "encoding_format"),
    ],
)
async def test_a_bad_field_is_named(path, change, param):
    status, body = await said(simulated(), path, {**BODIES[path], **change})
    error = json.loads(body)["error"]
    assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": [{"role": "x", "content": ""}]}, "messages.0.role: "),
        ({"max_tokens": "many"}, "max_tokens: "),
        (
            {
                "tools": [
                    {"name": str(i), "input_schema": {}, "cache_control": {}} for i in range(4)
                ]
            },
            "Found 6",
        ),
    ],
)
async def test_messages_refuses_in_anthropics_form(change, words):
    status, body = await said(simulated(), "messages", {**BODIES["messages"], **change})
    doc = json.loads(body)
    assert (status, doc["type"], doc["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in doc["error"]["message"]


async def test_models_and_unknown_paths():
    backend = simulated(models=("a/b", "c"), strict_models=True)
    found = {}
    for path in ("models", "models/a%2Fb", "models/a/b?x=1", "models/d", "fine_tuning/jobs"):
        found[path] = await said(backend, path, b"", method="GET")
    assert [model["id"] for model in json.loads(found["models"][1])["data"]] == ["a/b", "c"]
    assert json.loads(found["models/a%2Fb"][1]) == json.loads(found["models/a/b?x=1"][1])
    assert [status for status, _ in found.values()] == [200, 200, 200, 404, 404]
    assert json.loads(found["fine_tuning/jobs"][1])["error"]["code"] == "unknown_url"
    status, body = await said(backend, "chat/completions", {"model": "m", "messages": USER})
    assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")
    assert (await said(backend, "chat/completions", b"", method="GET"))[0] == 405


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"model":"m","model":"n"}', b"\xff"],
    ids=["empty", "array", "cut", "deep", "twice", "bytes"],
)
@pytest.mark.parametrize("path", BODIES)
async def test_what_is_not_a_json_object_is_a_400(path, raw):
    assert (await said(simulated(), path, raw))[0] == 400


async def test_odd_text_survives():
    odd = b'{"model":"m","messages":[{"role":"user","content":"\\ud800 \\u0000 x"}],"n":1}'
    assert (await said(simulated(), "chat/completions", odd))[0] == 200
    echo = b'{"model":"m","prompt":"\\udfff","echo":true}'
    assert (await said(simulated(), "completions", echo))[0] == 200
    huge = b'{"model":"m","input":"x","metadata":{"a":' + b"9" * 400 + b"}}"
    assert (await said(simulated(), "responses", huge))[0] == 200


def places(value, at=()):
    yield at
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*at, key))


def changed(value, at, new):
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = changed(copy[at[0]], at[1:], new)
    return copy


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=3,
)


@given(st.sampled_from(list(BODIES)), st.data(), junk, st.booleans())
def test_no_body_makes_it_fail(path, data, new, stream):
    doc = {**BODIES[path], "stream": stream}
    at = data.draw(st.sampled_from([place for place in places(doc) if place]))
    status, body = asyncio.run(said(simulated(), path, changed(doc, at, new)))
    assert status in (200, 400)
    assert body


async def test_usage_follows_the_rule_and_tenants_share_nothing():
    asked = {"model": "m", "messages": [{"role": "system", "content": "x" * 8192}, *USER]}
    backend = simulated()

    async def usage(**more):
        _, body = await said(backend, "chat/completions", asked, **more)
        return json.loads(body)["usage"]

    cold = await usage()
    warm = await usage()
    assert cold["prompt_tokens_details"]["cached_tokens"] == 0
    assert warm["prompt_tokens_details"]["cached_tokens"] == 2048
    assert warm["total_tokens"] == cold["total_tokens"]
    assert (await usage(tenant="other"))["prompt_tokens_details"]["cached_tokens"] == 0
    backend = simulated(rule="deepseek_units")
    assert (await usage())["prompt_cache_miss_tokens"] == cold["prompt_tokens"]
    assert (await usage())["prompt_cache_hit_tokens"] == cold["prompt_tokens"]


@pytest.mark.parametrize(
    ("rule", "settings"),
    [("vllm_blocks", {"min_tokens": 0}), ("deepseek_units", {})],
)
async def test_the_next_turn_reads_the_answer_too(rule, settings):
    backend = simulated(rule=rule, **settings)
    doc = {"model": "m", "messages": USER}
    _, body = await said(backend, "chat/completions", doc)
    first = json.loads(body)
    turns = [*USER, first["choices"][0]["message"], {"role": "user", "content": "And then?" * 9}]
    _, body = await said(backend, "chat/completions", {**doc, "messages": turns})
    details = json.loads(body)["usage"]["prompt_tokens_details"]
    assert details["cached_tokens"] > first["usage"]["prompt_tokens"]


async def test_latency_and_cancellation():
    backend = simulated(latency=0.05, token_latency=0.01)
    began = time.perf_counter()
    doc = {"model": "m", "messages": USER, "stream": True, "max_tokens": 4}
    reply = await post(backend, "chat/completions", doc)
    assert time.perf_counter() - began >= 0.05
    chunks = [chunk async for chunk in reply.chunks]
    assert time.perf_counter() - began >= 0.09
    assert all(chunk.endswith(b"\n\n") and chunk.count(b"\n\n") == 1 for chunk in chunks)
    reply = await post(backend, "chat/completions", doc)
    await anext(reply.chunks)
    await reply.chunks.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(reply.chunks)
    sending = asyncio.create_task(post(simulated(latency=60), "chat/completions", doc))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


def test_all_dialects_are_covered():
    assert set(BODIES) == set(DIALECTS)
