"""The official SDKs hold a conversation through Penstock: marks they know, reads in their usage."""

import anthropic
import openai
import pytest
from anthropic.types.message_create_params import MessageCreateParams
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked
from tests.fakes.receipt_headers import receipt

YAML = """
backends:
  breakpoints: {use: openai, base_url: "${BREAKPOINTS}/v1"}
  steps: {use: openai, base_url: "${STEPS}/v1"}
  marks: {use: anthropic, base_url: "${MARKS}/v1"}
  blocks: {use: vllm, replicas: ["${BLOCKS}"]}
  simulated-breakpoints: {use: simulated, rule: openai_breakpoints}
  simulated-steps: {use: simulated, rule: openai_steps}
  simulated-marks: {use: simulated, rule: anthropic_marks}
  simulated-blocks: {use: simulated, rule: vllm_blocks}
routes:
  - {when: {model: gpt-6-sol}, send: breakpoints, pipeline: safe}
  - {when: {model: gpt-5}, send: steps, pipeline: safe}
  - {when: {model: claude-sonnet-5}, send: marks, pipeline: safe}
  - {when: {model: qwen}, send: blocks, pipeline: safe}
  - {when: {model: simulated-gpt-6}, send: simulated-breakpoints, pipeline: safe}
  - {when: {model: simulated-gpt-5}, send: simulated-steps, pipeline: safe}
  - {when: {model: simulated-claude}, send: simulated-marks, pipeline: safe}
  - {when: {model: simulated-qwen}, send: simulated-blocks, pipeline: safe}
"""
RULES = {
    "BREAKPOINTS": "openai_breakpoints",
    "STEPS": "openai_steps",
    "MARKS": "anthropic_marks",
    "BLOCKS": "vllm_blocks",
}
UPSTREAM = {
    "gpt-6-sol": "BREAKPOINTS",
    "gpt-5": "STEPS",
    "claude-sonnet-5": "MARKS",
    "qwen": "BLOCKS",
}
GRAIN = {"gpt-5": 128, "simulated-gpt-5": 128, "qwen": 16, "simulated-qwen": 16}
MODELS = {
    "chat": [*UPSTREAM, "simulated-gpt-6", "simulated-gpt-5", "simulated-qwen"],
    "responses": ["gpt-6-sol", "gpt-5", "simulated-gpt-6", "simulated-gpt-5"],
    "messages": ["claude-sonnet-5", "simulated-claude"],
}
MODELS["chat"].remove("claude-sonnet-5")
PAIRS = [(dialect, model) for dialect, models in MODELS.items() for model in models]

SYSTEM = "You book flights. " + "Never give a seat away twice. " * 300
QUESTIONS = ("Is there a seat to Oslo?", "And on the next day?", "Then take it.")
PARAMETERS = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}


def function(desk):
    """Each test has tools of its own, which nobody has sent before."""
    description = f"Flights by place. {desk}"
    return {"name": "search_flights", "description": description, "parameters": PARAMETERS}


@pytest.fixture(scope="module")
def upstreams():
    made = {name: PrefixUpstream(rule) for name, rule in RULES.items()}
    for one in made.values():
        one.__enter__()
    yield made
    for one in made.values():
        one.__exit__()


@pytest.fixture(scope="module")
def penstock(upstreams):
    with running(YAML, env={name: one.url for name, one in upstreams.items()}) as server:
        yield server


@pytest.fixture(scope="module")
def clients(penstock):
    """By dialect."""
    own = {"api_key": "sk-test", "max_retries": 0, "_strict_response_validation": True}
    with (
        openai.OpenAI(base_url=penstock.url + "/v1", **own) as gpt,
        anthropic.Anthropic(base_url=penstock.url, **own) as claude,
    ):
        yield {"chat": gpt, "responses": gpt, "messages": claude}


class Chat:
    """Turns of one conversation. `usage` in order: all input, read, written; `said` as sent."""

    params = TypeAdapter(CompletionCreateParams)

    def __init__(self, client, model, opening):
        self.create = client.chat.completions
        self.own = {"model": model, "tools": [{"type": "function", "function": function(opening)}]}
        self.turns = [{"role": "system", "content": opening + SYSTEM}]

    def ask(self, text, *, stream):
        self.turns.append({"role": "user", "content": text})
        asked = {**self.own, "messages": self.turns}
        if stream:
            asked["stream_options"] = {"include_usage": True}
            with self.create.stream(**asked) as events:
                answer = events.get_final_completion()
                headers = events._response.headers
        else:
            raw = self.create.with_raw_response.create(**asked)
            answer, headers = raw.parse(), raw.headers
        message = answer.choices[0].message
        self.turns.append({"role": "assistant", "content": message.content})
        cached = answer.usage.prompt_tokens_details
        usage = (answer.usage.prompt_tokens, cached.cached_tokens, cached.cache_write_tokens)
        return usage, receipt(headers)

    def sent(self):
        return {**self.own, "messages": self.turns[:-1]}


class Responses(Chat):
    params = TypeAdapter(ResponseCreateParams)

    def __init__(self, client, model, opening):
        super().__init__(client, model, opening)
        self.create = client.responses
        tool = {"type": "function", **function(opening), "strict": False}
        self.own = {"model": model, "instructions": opening + SYSTEM, "tools": [tool]}
        self.own["store"] = False  # instructions may then stand as an item
        self.turns = []

    def ask(self, text, *, stream):
        self.turns.append({"role": "user", "content": text})
        asked = {**self.own, "input": self.turns}
        if stream:
            with self.create.stream(**asked) as events:
                answer = events.get_final_response()
                headers = events._response.headers
        else:
            raw = self.create.with_raw_response.create(**asked)
            answer, headers = raw.parse(), raw.headers
        self.turns += [item.to_dict(mode="json") for item in answer.output]
        for item in self.turns:
            for part in item["content"] if item.get("role") == "assistant" else ():
                part.pop("parsed", None)  # the SDK's own, when it streams
        cached = answer.usage.input_tokens_details
        usage = (answer.usage.input_tokens, cached.cached_tokens, cached.cache_write_tokens)
        return usage, receipt(headers)

    def sent(self):
        return {**self.own, "input": self.turns[:-1]}


class Messages(Chat):
    params = TypeAdapter(MessageCreateParams)

    def __init__(self, client, model, opening):
        self.create = client.messages
        tool = {"name": "search_flights", "description": opening, "input_schema": PARAMETERS}
        system = opening + SYSTEM
        self.own = {"model": model, "max_tokens": 500, "system": system, "tools": [tool]}
        self.turns = []

    def ask(self, text, *, stream):
        self.turns.append({"role": "user", "content": text})
        asked = {**self.own, "messages": self.turns}
        if stream:
            with self.create.stream(**asked) as events:
                answer, headers = events.get_final_message(), events.response.headers
        else:
            raw = self.create.with_raw_response.create(**asked)
            answer, headers = raw.parse(), raw.headers
        content = [{"type": block.type, "text": block.text} for block in answer.content]
        self.turns.append({"role": "assistant", "content": content})
        found = answer.usage
        read, written = found.cache_read_input_tokens, found.cache_creation_input_tokens
        return (found.input_tokens + read + written, read, written), receipt(headers)


KINDS = {"chat": Chat, "responses": Responses, "messages": Messages}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("dialect", "model"), PAIRS)
def test_each_turn_reads_the_turn_before(clients, dialect, model, stream):
    talk = KINDS[dialect](clients[dialect], model, f"Desk of {dialect} {stream}. ")
    before = 0
    for number, question in enumerate(QUESTIONS):
        (total, read, written), told = talk.ask(question, stream=stream)
        assert told.cache == "MISS"
        assert told.steps["prefix.breakpoints"] == "edit"
        assert told.steps["prefix.canonical"] == "tools-" + (
            "as-first-seen" if number else "seen-for-the-first-time"
        )
        assert told.tokens == (None if stream else (total, total))
        grain = GRAIN.get(model, 1)
        # The blocks of vLLM hold the answer as well.
        least = before // grain * grain
        if dialect == "messages" and number == 1:
            least -= 20  # the very first prompt may be written up to its question only
        assert least <= read <= total
        assert (written > 0) == (grain == 1)
        before = total


def told_in_place(doc):
    """Instructions back where they came from: as the first item they can carry a mark."""
    if "instructions" in doc and doc["instructions"] is None:
        first, *rest = doc["input"]
        assert (first["type"], first["role"]) == ("message", "developer")
        doc |= {"instructions": first["content"], "input": rest}
    return doc


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("dialect", "model"), [pair for pair in PAIRS if pair[1] in UPSTREAM])
def test_what_is_forwarded_is_what_the_sdk_could_have_sent(
    clients, upstreams, dialect, model, stream
):
    upstream = upstreams[UPSTREAM[model]]
    talk = KINDS[dialect](clients[dialect], model, f"Counter of {dialect} {stream}. ")
    keys = set()
    for question in QUESTIONS:
        talk.ask(question, stream=stream)
        doc = upstream.docs[-1]
        found = {name: doc.pop(name, None) for name in ("stream", "stream_options")}
        assert found["stream"] is (True if stream else None)
        salt = doc.pop("cache_salt", None)  # vLLM's own
        assert (salt is not None) == (model == "qwen")
        assert parsed(talk.params, doc) == doc
        keys.add(doc.pop("prompt_cache_key", salt))
        doc.pop("prompt_cache_options", None)
        assert told_in_place(unmarked(doc)) == unmarked(talk.sent())
    assert len(keys) == 1
    assert (keys == {None}) == (dialect == "messages")
    marks = upstream.bodies[-1].count(b'"type":"ephemeral"') + upstream.bodies[-1].count(
        b'"mode":"explicit"'
    )
    assert (1 <= marks <= 4) if model in ("gpt-6-sol", "claude-sonnet-5") else marks == 0


def parsed(params, doc):
    """What the SDK's own types know of a request: other fields are gone."""
    return listed(params.validate_python(doc))


def listed(value):
    """Without the lazy iterators that pydantic makes of `Iterable`."""
    if isinstance(value, dict):
        return {name: listed(it) for name, it in value.items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    return [listed(each) for each in value]


def test_types_drop_a_mark_that_the_sdk_does_not_know():
    part = {"type": "text", "text": "hi", "cache_mark": {"type": "ephemeral"}}
    doc = {"model": "gpt-6-sol", "messages": [{"role": "user", "content": [part]}]}
    assert parsed(Chat.params, doc) != doc
