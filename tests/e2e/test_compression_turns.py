"""Agents' conversations with compression, through the OpenAI SDK: turns, restarts, workers."""

import json
import random
import time
from itertools import pairwise

import httpx2
import openai
import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked

YAML = """
data: ${DATA}
backends: {upstream: {use: openai, base_url: "${URL}/v1"}}
routes:
  - {when: {model: "gpt-4o"}, send: upstream, pipeline: history}
  - {send: upstream}
pipelines:
  history:
    effects: [lossless, lossy]
    steps:
      - {use: compress.history, keep: 3, above: 1000, names: false}
      - {use: compress.lossless}
"""
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
WORDS = ["the", "house", "by", "river", "never", "saw", "old", "men", "with", "bread", "wine"]


@pytest.fixture
def upstream():
    with PrefixUpstream("openai_steps") as made:
        yield made


def serving(upstream, data, *args):
    return running(YAML, env={"URL": upstream.url, "DATA": str(data)}, args=args)


def page(number):
    lines = (random.Random(100 * number + n).choices(WORDS, k=12) for n in range(20))
    return "\n".join(map(" ".join, lines))


def table(number):
    return json.dumps([{"id": n, "name": f"{number}-{n}", "state": "open"} for n in range(300)])


def observed(number, text):
    function = {"name": "look", "arguments": "{}"}
    call = {"id": f"c{number}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": text},
    ]


def ask(penstock, model, messages):
    """One request on a connection of its own, so that any worker may get it."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    with openai.OpenAI(
        base_url=penstock.url + "/v1",
        api_key="sk-test",
        http_client=httpx2.Client(timeout=20, trust_env=False, limits=limits),
    ) as client:
        return client.chat.completions.with_raw_response.create(
            model=model, messages=messages, tools=TOOLS
        )


def sent(upstream):
    return [unmarked(doc["messages"]) for doc in upstream.docs]


def left_out(messages):
    return [m for m in messages if m["role"] == "tool" and "is left out" in m["content"]]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_history_is_left_out_in_epochs_across_restarts_and_workers(upstream, tmp_path, workers):
    messages = [{"role": "user", "content": "go"}]
    for restart in range(2):
        with serving(upstream, tmp_path, "--workers", workers) as penstock:
            for turn in range(6):
                number = 6 * restart + turn
                messages += observed(number, page(number))
                ask(penstock, "gpt-4o", messages)
                time.sleep(0.1)  # what was learnt is stored behind the client's back
    turns = sent(upstream)
    counts = [len(left_out(turn)) for turn in turns]
    assert counts[-1] == 9
    assert counts == sorted(counts)
    assert len(set(counts)) <= 4
    for number, (before, after) in enumerate(pairwise(turns)):
        if counts[number] == counts[number + 1]:
            assert after[: len(before)] == before
    assert all(page(number) in json.dumps(turns[-1]).replace("\\n", "\n") for number in (9, 10, 11))


def test_presets_send_results_shorter_from_the_first_one_on(upstream, tmp_path):
    messages = [{"role": "user", "content": "go"}]
    with serving(upstream, tmp_path) as penstock:
        ask(penstock, "gpt-5", messages)
        time.sleep(5)  # a model takes time to answer, in which the vocabulary is loaded
        for number, text in enumerate((table(1), page(1), page(2), page(1))):
            messages += observed(number, text)
            reply = ask(penstock, "gpt-5", messages)
    first, *_, last = sent(upstream)
    assert first == [messages[0]]
    results = [message["content"] for message in last if message["role"] == "tool"]
    assert results[0].startswith("[300]{id name state=open}")
    assert results[1:3] == [page(1), page(2)]
    assert results[3].startswith("[lines 1-20 of message 5 stand here again, from")
    assert "compress.lossless=edit" in reply.headers["x-penstock-steps"]
    for before, after in pairwise(sent(upstream)[1:]):
        assert after[: len(before)] == before
