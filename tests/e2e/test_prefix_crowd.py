"""Many requests with one long new prefix at once: one pays for writing it, the others read it."""

import asyncio

import anthropic
import openai
import pytest

from tests.fakes.penstock import running

YAML = """
backends:
  claude: {use: simulated, rule: anthropic_marks, latency: 300ms}
  gpt: {use: simulated, rule: openai_breakpoints, latency: 300ms}
  automatic: {use: simulated, rule: openai_steps, latency: 300ms}
routes:
  - {when: {model: "claude*"}, send: claude, pipeline: safe}
  - {when: {model: "gpt-6*"}, send: gpt, pipeline: safe}
  - {when: {model: "gpt-5*"}, send: automatic, pipeline: safe}
"""
MANY = 10
LONG = "Never give a seat away twice. " * 400
TOOL = {"name": "book", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture(scope="module")
def penstock():
    with running(YAML) as server:
        yield server


@pytest.fixture
def crowd(penstock, request):
    """Ten questions at once, with a prefix and a tenant of the test's own."""
    name = request.node.name.encode().hex()

    def ask(dialect, model, headers=None, **more):
        async def run():
            async with CLIENTS[dialect](penstock.url, name, headers or {}) as client:
                return await asyncio.gather(
                    *[ASK[dialect](client, model, number, more) for number in range(MANY)]
                )

        return asyncio.run(run())

    return ask


def gpt(url, key, headers):
    own = {"max_retries": 0, "default_headers": headers}
    return openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, **own)


def claude(url, key, headers):
    own = {"max_retries": 0, "default_headers": headers}
    return anthropic.AsyncAnthropic(base_url=url, api_key=key, **own)


async def chat(client, model, number, more):
    said = [{"role": "system", "content": LONG}]
    said.append({"role": "user", "content": f"Question {number}"})
    answer = await client.chat.completions.create(model=model, messages=said, **more)
    details = answer.usage.prompt_tokens_details
    return details.cached_tokens, details.cache_write_tokens


async def message(client, model, number, more):
    said = [{"role": "user", "content": f"Question {number}"}]
    own = {"max_tokens": 99, "system": LONG, **more}
    answer = await client.messages.create(model=model, messages=said, **own)
    return answer.usage.cache_read_input_tokens, answer.usage.cache_creation_input_tokens


CLIENTS = {"chat": gpt, "messages": claude}
ASK = {"chat": chat, "messages": message}
FANS = [
    ("messages", "claude-sonnet-5", {"tools": [TOOL]}),
    ("chat", "gpt-6-sol", {}),
    (
        "messages",
        "claude-sonnet-5",
        {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]},
    ),
]
FAN_IDS = ["tools", "breakpoints", "own mark"]


def split(found):
    """How many wrote the prefix, and how many read it."""
    return sum(write > 1000 for _, write in found), sum(read > 1000 for read, _ in found)


@pytest.mark.parametrize(("dialect", "model", "more"), FANS, ids=FAN_IDS)
def test_one_writes_and_the_others_read(crowd, dialect, model, more):
    assert split(crowd(dialect, model, **more)) == (1, MANY - 1)


@pytest.mark.parametrize("priority", ["critical", "high"])
@pytest.mark.parametrize(("dialect", "model", "more"), FANS, ids=FAN_IDS)
def test_nobody_waits_whose_priority_is_high(crowd, dialect, model, more, priority):
    written, read = split(crowd(dialect, model, {"x-penstock-priority": priority}, **more))
    assert read == 0
    assert written <= 3 if "tools" in more else written == MANY  # without a mark, none is written


def test_nobody_waits_longer_than_it_says(crowd):
    dialect, model, more = FANS[0]
    written, read = split(crowd(dialect, model, {"x-penstock-max-wait": "10ms"}, **more))
    assert read == 0
    assert 1 <= written <= 3


def test_nobody_waits_where_prefix_is_bypassed(crowd):
    dialect, model, more = FANS[-1]
    found = crowd(dialect, model, {"x-penstock-bypass": "prefix"}, **more)
    assert split(found) == (MANY, 0)


def test_nobody_waits_where_writes_are_not_billed(crowd):
    found = crowd("chat", "gpt-5")
    assert [write for _, write in found] == [0] * MANY
    assert [read for read, _ in found] == [0] * MANY


def test_instructions_alone_are_marked_from_the_second_request_of_a_crowd_on(crowd):
    """A single one may be all there is; two at once are read again for certain."""
    written, read = split(crowd("messages", "claude-sonnet-5"))
    assert written == 1
    assert read >= MANY - 2
    assert split(crowd("messages", "claude-sonnet-5", max_tokens=98)) == (0, MANY)
