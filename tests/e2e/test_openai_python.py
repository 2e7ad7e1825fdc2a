"""The official OpenAI SDK against a running Penstock: every form of answer, and its repeat."""

import json

import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.fakes.penstock import running
from tests.fakes.receipt_headers import receipt

YAML = """
backends:
  model: {use: simulated, models: [gpt-4o, text-embedding-3-small]}
pipelines:
  default: [{use: cache.exact, ttl: 1h}]
  reuse: [{use: cache.exact, sampled: reuse}]
routes: [{send: model, pipeline: default}]
"""


def tool(name):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def ask(text="What does a penstock do?", **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


TOOLS = [tool("weather"), tool("population")]
QUESTIONS = {
    "plain": ask(),
    "unicode": ask("Wasser \N{DROPLET} \N{SNOWMAN} \u4f60\u597d \u202e"),
    "tools": ask("Call weather, please", tools=TOOLS),
    "parallel": ask("Call weather and population", tools=TOOLS),
    "one at a time": ask("weather, population", tools=TOOLS, parallel_tool_calls=False),
    "logprobs": ask(logprobs=True, top_logprobs=2),
    "json": ask("In JSON, please", response_format={"type": "json_object"}),
    "seeded": ask(temperature=1, seed=7),
    "cold": ask(temperature=0),
}


@pytest.fixture(scope="module")
def penstock():
    with running(YAML) as server:
        yield server


@pytest.fixture(scope="module")
def base(penstock):
    with openai.OpenAI(
        base_url=penstock.url + "/v1",
        api_key="sk-test",
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
    raw = client.chat.completions.with_raw_response.create(**question)
    return raw.parse(), receipt(raw.headers)


def streamed(client, question, **more):
    """The SDK's accumulator over the SDK's stream."""
    raw = client.chat.completions.with_raw_response.create(**question, stream=True, **more)
    assert raw.headers["content-type"].startswith("text/event-stream")
    state = ChatCompletionStreamState(input_tools=question.get("tools", openai.omit))
    with raw.parse() as chunks:
        for chunk in chunks:
            state.handle_chunk(chunk)
    return state.get_final_completion(), receipt(raw.headers)


def said(completion):
    """All that an answer says, in the form that plain and streamed share."""
    whole = completion.model_dump(include={"id", "created", "model", "choices"})
    for choice in whole["choices"]:
        choice["message"].pop("parsed", None)
        choice["message"].pop("annotations", None)  # no stream carries empty ones
        calls = choice["message"].pop("tool_calls", None) or []
        for call in calls:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        choice["calls"] = calls
    return whole


FORMS = {"plain": plain, "streamed": streamed}


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_repeat_is_a_hit_and_says_the_same(client, name, first, second):
    answer, miss = FORMS[first](client, QUESTIONS[name])
    again, hit = FORMS[second](client, QUESTIONS[name])
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert said(again) == said(answer)
    assert answer.choices[0].message.content or answer.choices[0].message.tool_calls
    if second == "plain":
        assert again.usage.total_tokens == again.usage.prompt_tokens + again.usage.completion_tokens
        assert again.usage.prompt_tokens > 0
        assert again.usage.completion_tokens > 0


def test_what_is_asked_for_is_in_the_answers(client):
    def message(name):
        return client.chat.completions.create(**QUESTIONS[name]).choices[0]

    assert [call.function.name for call in message("tools").message.tool_calls] == ["weather"]
    assert len(message("parallel").message.tool_calls) == 2
    assert len(message("one at a time").message.tool_calls) == 1
    assert len(message("logprobs").logprobs.content[0].top_logprobs) == 2
    assert "answer" in json.loads(message("json").message.content)


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_several_choices_are_kept_where_reuse_is_set(client, first, second):
    question = ask(n=3, extra_headers={"x-penstock-policy": "reuse"})
    answer, _ = FORMS[first](client, question)
    again, hit = FORMS[second](client, question)
    assert hit.cache == "HIT"
    assert len(again.choices) == 3
    assert said(again) == said(answer)


@pytest.mark.parametrize("more", [{"n": 2}, {"temperature": 0.7}], ids=str)
def test_a_request_that_asks_for_chance_is_asked_anew(client, more):
    for _ in range(2):
        _, found = plain(client, ask(**more))
        assert found.cache == "BYPASS"
        assert found.steps == {"cache.exact": "sampled"}


def test_an_answer_that_was_cut_short_is_not_kept(client):
    for _ in range(2):
        answer, found = plain(client, ask(max_completion_tokens=2))
        assert answer.choices[0].finish_reason == "length"
        assert found.cache == "MISS"
        assert not found.status.stored


@pytest.mark.parametrize("first", FORMS)
def test_usage_comes_at_the_end_of_a_stream_exactly_when_asked_for(client, first):
    FORMS[first](client, ask())
    for include in (False, True):
        options = {"include_usage": True} if include else openai.omit
        answer, hit = streamed(client, ask(), stream_options=options)
        assert hit.cache == "HIT"
        assert (answer.usage is not None) == include


def test_the_stream_helper(client):
    for _ in range(2):
        with client.chat.completions.stream(**QUESTIONS["parallel"]) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        assert "tool_calls.function.arguments.done" in kinds
        assert [call.function.name for call in final.choices[0].message.tool_calls] == [
            "weather",
            "population",
        ]


def lenient(client):
    """For replies of OpenAI's own that the SDK's types do not allow."""
    return client.copy(_extra_kwargs={"_strict_response_validation": False})


def text_of(chunks):
    with chunks:
        return "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


def test_completions(client):
    create = client.completions.with_raw_response.create
    question = {"model": "gpt-4o", "prompt": "Once upon a time", "max_tokens": 400}
    raw = [create(**question) for _ in range(2)]
    stream = lenient(client).completions.with_raw_response.create(**question, stream=True)
    assert [receipt(one.headers).cache for one in [*raw, stream]] == ["MISS", "HIT", "HIT"]
    first, second = (one.parse() for one in raw)
    assert first == second
    assert text_of(stream.parse()) == first.choices[0].text


@pytest.mark.parametrize(
    "question",
    [
        {"input": "What is a turbine?"},
        {"input": [{"role": "user", "content": "Hello"}], "instructions": "Be brief"},
        {"input": "Call weather", "tools": [{"type": "function", "strict": False}
                                           | TOOLS[0]["function"]]},
    ],
    ids=["text", "items", "tools"],
)  # fmt: skip
@pytest.mark.parametrize("streams_first", [False, True])
def test_responses(client, question, streams_first):
    question = {"model": "gpt-4o", **question}

    def whole():
        raw = client.responses.with_raw_response.create(**question)
        return raw.parse(), receipt(raw.headers).cache

    def stream():
        raw = client.responses.with_raw_response.create(**question, stream=True)
        with raw.parse() as events:
            *_, last = events
        assert last.type == "response.completed"
        return last.response, receipt(raw.headers).cache

    order = [stream, whole, stream] if streams_first else [whole, stream, whole]
    answers, words = zip(*(form() for form in order), strict=True)
    assert words == ("MISS", "HIT", "HIT")
    assert answers[0].output == answers[1].output == answers[2].output
    assert answers[0].usage == answers[1].usage == answers[2].usage
    assert answers[0].id == answers[1].id
    assert answers[0].output_text or answers[0].output[0].type == "function_call"


def test_the_responses_stream_helper(client):
    for _ in range(2):
        with client.responses.stream(model="gpt-4o", input="What is a weir?") as stream:
            for _event in stream:
                pass
            final = stream.get_final_response()
        assert final.status == "completed"
        assert final.output_text


@pytest.mark.parametrize("form", ["float", None], ids=["float", "base64"])
def test_embeddings(client, form):
    made = client if form else lenient(client)
    create = made.embeddings.with_raw_response.create
    question = {"model": "text-embedding-3-small", "input": ["sluice", "weir"]}
    raw = [create(**question, encoding_format=form or openai.omit) for _ in range(2)]
    assert [receipt(one.headers).cache for one in raw] == ["MISS", "HIT"]
    first, second = (one.parse() for one in raw)
    assert first == second
    assert [row.index for row in first.data] == [0, 1]
    assert first.usage.prompt_tokens > 0


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert names == ["gpt-4o", "text-embedding-3-small"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_with_options(client):
    calm = client.with_options(max_retries=0, timeout=30, default_headers={"x-other": "1"})
    assert calm.chat.completions.create(**ask()).choices
