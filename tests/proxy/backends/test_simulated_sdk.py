"""The official SDKs against the simulated backend, every reply checked against their types."""

import base64
import json
from array import array

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel

from proxy.backends.simulated import Simulated
from tests.fakes.simulated_server import serving

USER = [{"role": "user", "content": "What is the weather in Oslo?"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
MARK = {"cache_control": {"type": "ephemeral"}}


class Answer(BaseModel):
    city: str
    degrees: float
    likely: list[bool]


@pytest.fixture(scope="module")
def url():
    with serving(Simulated("sim", Simulated.Settings(models=("gpt-sim",)))) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(
        base_url=url + "/v1", api_key="k", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture(scope="module")
def lax(url):
    """For what the SDK's types forbid and the API does: base64 vectors, a null finish_reason."""
    with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def claude():
    settings = Simulated.Settings(rule="anthropic_marks")
    with (
        serving(Simulated("sim", settings)) as url,
        anthropic.Anthropic(
            base_url=url, api_key="k", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client


class TestChat:
    def test_plain_with_choices_and_logprobs(self, client):
        made = client.chat.completions.create(
            model="m", messages=USER, n=2, logprobs=True, top_logprobs=3, seed=1
        )
        one, two = made.choices
        assert one.message.content != two.message.content
        assert "".join(t.token for t in one.logprobs.content) == one.message.content
        assert all(len(t.top_logprobs) == 3 for t in one.logprobs.content)
        assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens

    def test_a_stream_accumulates_to_the_plain_reply(self, client):
        asked = {"model": "m", "messages": USER, "n": 2}
        plain = client.chat.completions.create(**asked)
        with client.chat.completions.stream(
            **asked, stream_options={"include_usage": True}
        ) as stream:
            final = stream.until_done().get_final_completion()
        for mine, theirs in zip(final.choices, plain.choices, strict=True):
            assert mine.message.content == theirs.message.content
            assert mine.finish_reason == theirs.finish_reason == "stop"
        assert final.usage.completion_tokens == plain.usage.completion_tokens

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_tool_loop(self, client, stream):
        asked = {"model": "m", "tools": [TOOL]}

        def turn(messages, **more):
            if not stream:
                return client.chat.completions.create(**asked, messages=messages, **more).choices[0]
            with client.chat.completions.stream(**asked, messages=messages, **more) as chunks:
                return chunks.get_final_completion().choices[0]

        choice = turn(USER, tool_choice="required")
        [call] = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls"
        assert json.loads(call.function.arguments)["days"] >= 2
        result = {"role": "tool", "tool_call_id": call.id, "content": "7 degrees"}
        said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
        last = turn([*USER, said, result])
        assert last.finish_reason == "stop"
        assert "7 degrees" in last.message.content

    def test_structured_output_parses(self, client):
        made = client.chat.completions.parse(model="m", messages=USER, response_format=Answer)
        assert isinstance(made.choices[0].message.parsed, Answer)
        loose = client.chat.completions.create(
            model="m", messages=USER, response_format={"type": "json_object"}
        )
        assert isinstance(json.loads(loose.choices[0].message.content), dict)

    def test_errors_are_the_sdks_own(self, client):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="m", messages="hi")
        assert caught.value.param == "messages"
        with pytest.raises(openai.NotFoundError):
            client.fine_tuning.jobs.list()


class TestCompletions:
    def test_many_prompts(self, client):
        made = client.completions.create(
            model="m", prompt=["a b c", "d"], n=2, echo=True, max_tokens=5, logprobs=2
        )
        assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
        assert [choice.text[0] for choice in made.choices] == ["a", "a", "d", "d"]
        assert made.usage.completion_tokens == 20
        for choice in made.choices:
            assert choice.finish_reason == "length"
            assert "".join(choice.logprobs.tokens) == choice.text
            assert choice.logprobs.text_offset[1] == len(choice.logprobs.tokens[0])

    def test_a_stream_says_the_same(self, client, lax):
        asked = {"model": "m", "prompt": [[1, 2, 3], [4]], "max_tokens": 7, "suffix": "end"}
        texts = ["", ""]
        for chunk in lax.completions.create(**asked, stream=True):
            for choice in chunk.choices:
                texts[choice.index] += choice.text
        assert texts == [choice.text for choice in client.completions.create(**asked).choices]


class TestResponses:
    ASKED = {  # noqa: RUF012 - never changed
        "model": "m",
        "instructions": "Be brief.",
        "input": "What is the weather?",
        "previous_response_id": "resp_1",
        "metadata": {"a": "b"},
    }

    def test_plain(self, client):
        made = client.responses.create(**self.ASKED)
        assert made.status == "completed"
        assert "weather" in made.output_text
        assert made.instructions == "Be brief."

    def test_a_stream_has_all_events_and_ends_in_the_plain_reply(self, client):
        plain = client.responses.create(**self.ASKED)
        with client.responses.stream(**self.ASKED) as stream:
            events = list(stream)
            final = stream.get_final_response()
        assert final.output_text == plain.output_text
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert list(dict.fromkeys(event.type.removeprefix("response.") for event in events)) == [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]

    def test_the_limit_leaves_it_incomplete(self, client):
        events = list(client.responses.create(**self.ASKED, max_output_tokens=2, stream=True))
        assert events[-1].type == "response.incomplete"
        assert events[-1].response.incomplete_details.reason == "max_output_tokens"

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_tool_loop(self, client, stream):
        tool = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
        asked = {"model": "m", "tools": [tool]}

        def turn(**more):
            if not stream:
                return client.responses.create(**asked, **more)
            with client.responses.stream(**asked, **more) as events:
                return events.get_final_response()

        items = [{"role": "user", "content": "Please use get_weather."}]
        [call] = turn(input=items).output
        assert call.type == "function_call"
        assert json.loads(call.arguments)["days"] >= 2
        items += [
            {"type": "function_call", **call.model_dump(include={"call_id", "name", "arguments"})},
            {"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees"},
        ]
        assert "7 degrees" in turn(input=items).output_text

    def test_structured_output_parses(self, client):
        made = client.responses.parse(model="m", input="x", text_format=Answer)
        assert isinstance(made.output_parsed, Answer)


class TestEmbeddings:
    def test_similar_texts_are_near_and_vectors_are_units(self, lax):
        texts = ["the cat sat on the mat", "the cat sat on a mat", "prices rose in March"]
        made = lax.embeddings.create(model="m", input=texts)  # base64 on the wire
        near, close, far = (item.embedding for item in made.data)

        def dot(left, right):
            return sum(x * y for x, y in zip(left, right, strict=True))

        assert len(near) == 1536
        assert dot(near, near) == pytest.approx(1, abs=1e-6)
        assert dot(near, close) > 0.7
        assert dot(near, far) < 0.3

    def test_floats_and_base64_agree(self, client, url):
        asked = {"model": "text-embedding-3-large", "input": [1, 2, 3], "dimensions": 64}
        floats = client.embeddings.create(**asked, encoding_format="float").data[0].embedding
        reply = httpx2.post(url + "/v1/embeddings", json={**asked, "encoding_format": "base64"})
        raw = base64.b64decode(reply.json()["data"][0]["embedding"])
        assert array("f", raw).tolist() == floats
        assert len(floats) == 64


def test_models(client):
    assert [model.id for model in client.models.list()] == ["gpt-sim"]
    assert client.models.retrieve("gpt-sim").owned_by == "penstock"


class TestMessages:
    ASKED = {"model": "m", "max_tokens": 300, "messages": USER}  # noqa: RUF012 - never changed
    TOOL = {"name": "get_weather", "input_schema": WEATHER}  # noqa: RUF012 - never changed

    def test_a_stream_accumulates_to_the_plain_reply(self, claude):
        plain = claude.messages.create(**self.ASKED)
        with claude.messages.stream(**self.ASKED) as stream:
            final = stream.get_final_message()
        assert final.content[0].text == plain.content[0].text
        assert (final.stop_reason, final.usage.output_tokens) == (
            plain.stop_reason,
            plain.usage.output_tokens,
        )

    def test_stops_and_limits(self, claude):
        words = claude.messages.create(**self.ASKED).content[0].text.split(" ")
        stopped = claude.messages.create(**self.ASKED, stop_sequences=[words[3]])
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", words[3])
        cut = claude.messages.create(**{**self.ASKED, "max_tokens": 2})
        assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 2)
        prewarmed = claude.messages.create(**{**self.ASKED, "max_tokens": 0})
        assert prewarmed.content == []

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_tool_loop(self, claude, stream):
        asked = {**self.ASKED, "tools": [self.TOOL]}

        def turn(**more):
            if not stream:
                return claude.messages.create(**{**asked, **more})
            with claude.messages.stream(**{**asked, **more}) as events:
                return events.get_final_message()

        made = turn(tool_choice={"type": "any"})
        [used] = made.content
        assert made.stop_reason == "tool_use"
        assert used.input["days"] >= 2
        result = {"type": "tool_result", "tool_use_id": used.id, "content": "7 degrees"}
        said = {
            "role": "assistant",
            "content": [used.model_dump(include={"type", "id", "name", "input"})],
        }
        last = turn(messages=[*USER, said, {"role": "user", "content": [result]}])
        assert last.stop_reason == "end_turn"
        assert "7 degrees" in last.content[0].text

    def test_marks_are_honoured_in_usage(self, claude):
        system = [
            {
                "type": "text",
                "text": "rules " * 1000,
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
            {"type": "text", "text": "more " * 1000, **MARK},
        ]
        first = claude.messages.create(**self.ASKED, system=system).usage
        second = claude.messages.create(**self.ASKED, system=system).usage
        automatic = claude.messages.create(
            **self.ASKED, system=system, cache_control={"type": "ephemeral"}
        ).usage
        assert first.cache_creation_input_tokens > 2500
        assert first.cache_creation.ephemeral_1h_input_tokens >= 1500
        assert second.cache_read_input_tokens == first.cache_creation_input_tokens
        assert second.cache_creation_input_tokens == 0
        assert automatic.cache_creation_input_tokens == first.input_tokens

    def test_errors_are_the_sdks_own(self, claude):
        with pytest.raises(anthropic.BadRequestError) as caught:
            claude.messages.create(**{**self.ASKED, "messages": []})
        assert caught.value.body["error"]["type"] == "invalid_request_error"
