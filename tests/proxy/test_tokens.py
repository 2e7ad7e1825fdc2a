from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken.model import MODEL_TO_ENCODING

from policies.base.call import Dialect
from proxy import tokens
from proxy.texts import reply_texts, request_extra, request_texts
from proxy.tokens import Tokens, encoding_name
from proxy.vocabulary import Vocabulary

TEXTS = [
    "",
    "Hello, world",
    "<|endoftext|> <|im_start|>",
    "naïve café 你好世界 🙂‍↔️",
    "def f(x):\n\treturn  x ** 2\n" * 30,
    "lone \ud800 surrogate",
    "0123456789" * 50,
]


@pytest.fixture(scope="session")
def count():
    return Vocabulary("o200k_base").count


@pytest.fixture
def counter():
    made = Tokens()
    yield made
    made.close()


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4-0613"])
async def test_counts_are_those_of_the_model(counter, model):
    expected = [*map(Vocabulary(encoding_name(model)).count, TEXTS)]
    assert await counter.count_texts(model, TEXTS) == expected
    assert [*map(counter.counter(model), TEXTS)] == expected


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *(pair for pair in MODEL_TO_ENCODING.items() if pair[1] in ("o200k_base", "cl100k_base")),
        ("openai/gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("ft:gpt-3.5-turbo:acme", "cl100k_base"),
        ("ft:gpt-4o-mini:acme", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4.1-mini", "o200k_base"),
        ("claude-opus-5-5", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_the_encoding_follows_the_model(model, name):
    assert encoding_name(model) == name


def test_nothing_heavy_is_loaded_before_the_first_count_and_the_network_never():
    code = """
import asyncio, sys, socket
from proxy.tokens import Tokens
from policies.base.call import Dialect
assert "toktok" not in sys.modules
def refuse(*_, **__): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
made = Tokens()
usage = asyncio.run(made.usage("gpt-4o", Dialect.CHAT, {"messages": []}, ["Hello there"]))
assert usage.output == 2 and usage.estimated, usage
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_without_a_vocabulary_tokens_are_guessed_and_one_line_says_so(caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "toktok", None)  # no build for this machine
    made = Tokens()
    with caplog.at_level(logging.WARNING):
        assert await made.count_texts("gpt-4o", ["12345678", "", "日本"]) == [2, 0, 2]
        assert await made.count_texts("gpt-4o", ["123"]) == [1]
    assert [record.name for record in caplog.records] == ["penstock.tokens"]
    made.close()


async def test_counting_happens_in_one_thread_and_the_loop_goes_on(counter):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    text = " ".join(str(number) for number in range(1_000_000))
    await asyncio.gather(*(counter.count_texts("gpt-4o", [f"{text}{n}"]) for n in range(3)))
    ticking.cancel()
    assert ticks > 10
    names = [thread.name for thread in threading.enumerate() if "penstock-tokens" in thread.name]
    assert len(names) == 1


async def test_when_too_many_wait_the_rest_is_guessed(counter, monkeypatch):
    monkeypatch.setattr(tokens, "_WAITING", 2)
    text = "word " * 100
    counts = await asyncio.gather(*(counter.count_texts("gpt-4o", [text]) for _ in range(4)))
    assert counts == [[101], [101], [125], [125]]


CHAT = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "You help."},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"a":1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
}


def test_texts_of_a_chat_request():
    assert request_texts(Dialect.CHAT, CHAT) == [
        "You help.",
        "What is this?",
        "ann",
        "look",
        '{"a":1}',
        "a cat",
        '[{"type":"function","function":{"name":"look","parameters":{}}}]',
    ]
    assert request_extra(Dialect.CHAT, CHAT) == 4 * 3 + 1 + 3


def test_the_count_of_a_plain_chat_is_what_openai_documents(count):
    # The first messages of the cookbook's example, where it gives 3 + 1 + 3 tokens of frame.
    doc = {
        "messages": [
            {"role": "system", "content": "You translate corporate jargon."},
            {"role": "system", "name": "example_user", "content": "New synergies."},
        ]
    }
    # Roles are in the three tokens of the frame.
    words = sum(map(count, request_texts(Dialect.CHAT, doc)))
    assert request_extra(Dialect.CHAT, doc) == 3 * 2 + 1 + 3
    assert words == count("You translate corporate jargon.") + count("New synergies.") + count(
        "example_user"
    )


def test_texts_of_a_responses_request():
    doc = {
        "instructions": "Be short.",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image"}],
            },
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "done"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        ],
    }
    assert request_texts(Dialect.RESPONSES, doc) == ["Be short.", "Hi", "f", "{}", "done", "hm"]
    assert request_extra(Dialect.RESPONSES, doc) == 6
    assert request_texts(Dialect.RESPONSES, {"input": "Hi"}) == ["Hi"]
    assert request_extra(Dialect.RESPONSES, {"input": "Hi"}) == 6


def test_texts_of_a_messages_request():
    doc = {
        "system": [{"type": "text", "text": "Sys", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "xyz"},
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"q": [1, 2]}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "1",
                        "content": [{"type": "text", "text": "ok"}],
                    },
                    {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
                    {
                        "type": "document",
                        "source": {"type": "text", "data": "a file"},
                        "title": "T",
                    },
                ],
            },
        ],
        "tools": [{"name": "f", "input_schema": {}}],
    }
    assert request_texts(Dialect.MESSAGES, doc) == [
        "Sys",
        "Hi",
        "hm",
        "f",
        '{"q":[1,2]}',
        "ok",
        "T",
        "a file",
        '[{"name":"f","input_schema":{}}]',
    ]


@pytest.mark.parametrize(
    ("value", "texts", "numbers"),
    [
        ("one", ["one"], 0),
        (["one", "two"], ["one", "two"], 0),
        ([1, 2, 3], [], 3),
        ([[1, 2], [3]], [], 3),
        ([], [], 0),
        (None, [], 0),
    ],
)
def test_prompts_and_inputs_may_be_text_or_numbers(value, texts, numbers):
    for dialect, field in ((Dialect.EMBEDDINGS, "input"), (Dialect.COMPLETIONS, "prompt")):
        assert request_texts(dialect, {field: value}) == texts
        assert request_extra(dialect, {field: value}) == numbers


def test_texts_of_replies():
    call = {"function": {"name": "f", "arguments": "{}"}}
    chat = {"choices": [{"message": {"role": "assistant", "content": "A", "tool_calls": [call]}}]}
    assert reply_texts(Dialect.CHAT, chat) == ["A", "f", "{}"]
    assert reply_texts(Dialect.COMPLETIONS, {"choices": [{"text": "A"}, {"text": "B"}]}) == [
        "A",
        "B",
    ]
    responses = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "A"}]}]}
    assert reply_texts(Dialect.RESPONSES, responses) == ["A"]
    messages = {"content": [{"type": "text", "text": "A"}, {"type": "tool_use", "input": {}}]}
    assert reply_texts(Dialect.MESSAGES, messages) == ["A", "{}"]
    assert reply_texts(Dialect.EMBEDDINGS, {"data": [{"embedding": [0.1]}]}) == []


FIELDS = ["messages", "content", "text", "input", "output", "choices", "message", "tool_calls"]
FIELDS += ["function", "name", "arguments", "system", "instructions", "prompt", "tools", "source"]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.sampled_from(list(Dialect)), st.dictionaries(st.sampled_from(FIELDS), junk))
def test_malformed_documents_never_raise(dialect, doc):
    texts = [*request_texts(dialect, doc), *reply_texts(dialect, doc)]
    assert all(isinstance(text, str) for text in texts)
    assert request_extra(dialect, doc) >= 0


def test_deep_nesting_is_cut_off():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    doc = {"messages": deep, "tools": deep, "prompt": "x"}
    assert request_texts(Dialect.CHAT, doc) == [""]


async def test_usage_of_a_whole_exchange(counter, count):
    usage = await counter.usage("gpt-4o", Dialect.CHAT, json.loads(json.dumps(CHAT)), ["Bye now"])
    texts = request_texts(Dialect.CHAT, CHAT)
    assert usage.uncached == sum(map(count, texts)) + 16
    assert (usage.output, usage.estimated) == (count("Bye now"), True)
