"""`explain` tells what the provider's prompt cache should hold, and where a prompt differs."""

import json

import pytest
from rich.console import Console

from proxy.cli_explain import plan_of, table
from proxy.config.load import loads

FILE = """version: 1
data: {data}
backends: {{a: {{use: simulated, rule: {rule}}}}}
pipelines: {{default: [{{use: cache.exact}}]}}
"""


@pytest.fixture
def config(tmp_path):
    def made(rule="openai_steps"):
        return loads(FILE.format(data=tmp_path, rule=rule), "penstock.yaml", {})

    return made


def body(*contents, **fields):
    messages = [{"role": "user", "content": text * 3000} for text in contents]
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


def explain(config, one, *after):
    return plan_of(config, one, "chat/completions", "t", after)


def shown(plan):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table(plan))
    return capture.get()


def test_a_first_request_is_all_new(config):
    plan = explain(config(), body("a "))
    cache = plan["prompt_cache"]
    assert (cache["rule"], cache["tokens"]["predicted"], cache["age"]) == ("openai_steps", 0, None)
    assert (cache["difference"]["kind"], cache["difference"]["place"]) == ("new", "message 0")
    assert "prompt cache: 0 of 1,500 tokens predicted; message 0 is the first" in shown(plan)


def test_a_request_that_goes_on_from_another_is_read_as_far_as_that(config):
    one = body("a ")
    plan = explain(config(), body("a ", "b "), one)
    cache = plan["prompt_cache"]
    assert cache["tokens"] == {"predicted": 1408, "shared": 1500, "total": 3000}
    assert (cache["difference"], cache["why"]) == (None, "")
    assert "prompt cache: 1,408 of 3,000 tokens predicted" in shown(plan)


def test_the_first_difference_comes_with_the_bytes_of_both(config):
    one, two = body("a ", "b "), body("a ", "other ", seed=1)
    found = explain(config(), two, one)["prompt_cache"]["difference"]
    assert (found["kind"], found["place"]) == ("changed", "message 1")
    assert json.loads(two[slice(*found["bytes"])])["content"].startswith("other")
    assert json.loads(one[slice(*found["bytes_before"])])["content"].startswith("b")
    assert json.dumps(found)


def test_of_several_requests_before_the_closest_counts(config):
    before = [body("a ", "b "), body("x "), body("a ", "b ", "c ")]
    found = explain(config(), body("a ", "b ", "d "), *before)["prompt_cache"]["difference"]
    assert found["place"] == "message 2"


def test_without_a_prompt_cache_there_is_nothing_to_say(config):
    plan = explain(config("none"), body("a "), body("a "))
    assert plan["prompt_cache"] is None
    assert "prompt cache: nothing to read" in shown(plan)


def test_a_request_before_that_would_be_refused_is_an_error(config):
    assert "error" in explain(config(), body("a "), b"[]")


def test_no_text_of_the_prompt_is_shown(config):
    plan = explain(config(), body("quite-secret "), body("another-secret "))
    assert "secret" not in json.dumps(plan)


ROWS = json.dumps([{"id": n, "mail": f"user{n}@example.org"} for n in range(40)], indent=2)
RESULT = [
    {"role": "user", "content": "who?"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "c", "content": ROWS},
]


def compressed(tmp_path, mode="on"):
    text = FILE.replace(
        "cache.exact", f"compress.lossless, budget: 10s, deadline: 20s, mode: {mode}"
    )
    return loads(text.format(data=tmp_path, rule="none"), "penstock.yaml", {})


@pytest.mark.parametrize("mode", ["on", "shadow"])
def test_a_diff_has_each_changed_text_before_and_after(tmp_path, mode):
    raw = json.dumps({"model": "gpt-5-mini", "messages": RESULT}).encode()
    plan = plan_of(compressed(tmp_path, mode), raw, "chat/completions", "t", diff=True)
    (told,) = plan["changes"]
    assert (told["policy"], told["mode"]) == ("compress.lossless", mode)
    assert (told["place"], told["path"]) == ("message 2 content", ["messages", 2, "content"])
    assert told["before"] == ROWS
    assert "39 user39" in told["after"]
    assert told["tokens"] == plan["steps"][0]["tokens"]
    assert told["tokens"]["after"] < told["tokens"]["before"]


def test_without_being_asked_there_is_no_diff(tmp_path):
    raw = json.dumps({"model": "gpt-5-mini", "messages": RESULT}).encode()
    plan = plan_of(compressed(tmp_path), raw, "chat/completions", "t")
    assert plan["steps"][0]["decision"] == "edit"
    assert "user39" not in json.dumps(plan)
