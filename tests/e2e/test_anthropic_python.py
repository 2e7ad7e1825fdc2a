"""The official Anthropic SDK against a running Penstock."""

import anthropic
import pytest

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running
from tests.fakes.receipt_headers import receipt

YAML = """
backends:
  model: {use: simulated, models: [claude-simulated], rule: anthropic_marks}
  fake: {use: anthropic, base_url: "${FAKE}/v1", retry: {attempts: 1}}
routes:
  - {when: {model: "claude-*"}, send: model, pipeline: safe}
  - {when: {model: "fake"}, send: fake, pipeline: safe}
"""
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": name, "input_schema": SCHEMA} for name in ("weather", "population")]


def ask(text="What does a penstock do?", **more):
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-simulated", "max_tokens": 1000, "messages": messages, **more}


QUESTIONS = {
    "plain": ask(),
    "system": ask(system="Be brief"),
    "blocks": ask([{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]),
    "tool": ask("Call weather", tools=TOOLS),
    "tools": ask("Call weather and population", tools=TOOLS),
    "stop": ask(stop_sequences=["zzz"]),
}


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={"FAKE": fake.url}) as server:
        yield server


@pytest.fixture(scope="module")
def base(penstock):
    with anthropic.Anthropic(
        base_url=penstock.url,
        api_key="sk-ant-test",
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


@pytest.fixture
def client(base, request):
    """A client with a cache of its own."""
    name = request.node.name.encode().hex()
    return base.with_options(default_headers={"x-penstock-cache-namespace": name})


def plain(client, question):
    raw = client.messages.with_raw_response.create(**question)
    return raw.parse(), receipt(raw.headers)


def streamed(client, question):
    with client.messages.stream(**question) as stream:
        message = stream.get_final_message()
        return message, receipt(stream.response.headers)


FORMS = {"plain": plain, "streamed": streamed}


def said(message):
    return message.model_dump(exclude={"usage", "content"}), [
        block.model_dump(exclude={"parsed_output"}) for block in message.content
    ]


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_repeat_is_a_hit_and_says_the_same(client, name, first, second):
    answer, miss = FORMS[first](client, QUESTIONS[name])
    again, hit = FORMS[second](client, QUESTIONS[name])
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert said(again) == said(answer)
    assert answer.content
    for message in (answer, again):
        assert message.usage.input_tokens > 0
        assert message.usage.output_tokens > 0
    assert again.usage.output_tokens == answer.usage.output_tokens


def test_tools_are_called(client):
    one = client.messages.create(**QUESTIONS["tool"])
    two = client.messages.create(**QUESTIONS["tools"])
    assert one.stop_reason == two.stop_reason == "tool_use"
    assert [block.name for block in one.content if block.type == "tool_use"] == ["weather"]
    assert [block.name for block in two.content if block.type == "tool_use"] == [
        "weather",
        "population",
    ]


def test_events_of_a_replayed_stream(client):
    kinds = []
    for _ in range(2):
        with client.messages.create(**ask(), stream=True) as events:
            kinds.append({event.type for event in events})
    assert kinds[0] == kinds[1] >= {"message_start", "content_block_delta", "message_stop"}


def test_the_receipt_counts_the_tokens_that_usage_reports(client):
    answer, miss = plain(client, ask("word " * 3000))
    _, hit = plain(client, ask("word " * 3000))
    usage = answer.usage
    tokens = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    assert miss.tokens == (tokens, tokens)
    assert hit.tokens == (tokens, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_anthropics_form(client, stream):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**ask() | {"messages": "text"}, stream=stream)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "messages" in caught.value.body["error"]["message"]
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(**ask() | {"model": "nobody"}, stream=stream)
    assert missing.value.body["error"]["type"] == "not_found_error"


def test_the_upstream_gets_the_callers_key_and_version(client, fake):
    fake.script = ["status:529"]
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask() | {"model": "fake"})
    assert caught.value.status_code == 529
    seen = fake.requests[-1]
    assert seen.target == "/v1/messages"
    assert "sk-ant-test" in seen.header("x-api-key") + seen.header("authorization")
    assert seen.header("anthropic-version")
