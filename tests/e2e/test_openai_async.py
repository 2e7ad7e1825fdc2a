"""The asynchronous OpenAI SDK: many at once, and who pays."""

import asyncio
from collections import Counter

import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running
from tests.fakes.receipt_headers import receipt

CROWD = 200
YAML = """
backends:
  model: {use: simulated, models: [gpt-4o], latency: 100ms}
  fake: {use: http, base_url: "${FAKE}/v1", retry: {attempts: 1}}
routes:
  - {when: {model: "gpt-*"}, send: model, pipeline: safe}
  - {when: {model: "fake"}, send: fake, pipeline: safe}
"""


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={"FAKE": fake.url}) as server:
        yield server


@pytest.fixture
async def client(penstock):
    async with openai.AsyncOpenAI(
        base_url=penstock.url + "/v1",
        api_key="sk-test",
        max_retries=0,
        timeout=60,
        _strict_response_validation=True,
    ) as made:
        yield made


def ask(text, model="gpt-4o"):
    return {"model": model, "messages": [{"role": "user", "content": text}]}


async def plain(client, question, **more):
    raw = await client.chat.completions.with_raw_response.create(**question, **more)
    return raw.parse(), receipt(raw.headers)


async def streamed(client, question, **more):
    raw = await client.chat.completions.with_raw_response.create(**question, **more, stream=True)
    state = ChatCompletionStreamState()
    async with raw.parse() as chunks:
        async for chunk in chunks:
            state.handle_chunk(chunk)
    return state.get_final_completion(), receipt(raw.headers)


FORMS = {"plain": plain, "streamed": streamed}


def said(completion):
    choice = completion.choices[0]
    return completion.id, choice.message.content, choice.finish_reason


@pytest.mark.parametrize("form", FORMS)
async def test_of_a_crowd_that_asks_the_same_one_pays(client, form):
    question = ask(f"What does everybody ask, {form}?")
    got = await asyncio.gather(*(FORMS[form](client, question) for _ in range(CROWD)))
    words = Counter(found.cache for _, found in got)
    assert words["MISS"] == 1
    assert words["HIT"] + words["COALESCED"] == CROWD - 1
    assert words["COALESCED"] > 0
    assert len({said(completion) for completion, _ in got}) == 1
    assert len({found.id for _, found in got}) == CROWD
    if form == "plain":  # before a stream ends nobody knows
        assert Counter(found.tokens[1] > 0 for _, found in got)[True] == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_crowd_makes_one_upstream_call(client, fake, form):
    question = ask(f"And upstream, {form}?", "fake")
    calls = fake.calls
    how = {"extra_headers": {"x-fake": "slow:0.1"}} if form == "streamed" else {}
    got = await asyncio.gather(*(FORMS[form](client, question, **how) for _ in range(CROWD)))
    assert fake.calls == calls + 1
    assert len({said(completion) for completion, _ in got}) == 1


async def test_those_who_ask_other_things_get_their_own_answers(client):
    questions = [ask(f"Question number {n}") for n in range(50)]
    for word in ("MISS", "HIT"):
        got = await asyncio.gather(
            *(FORMS[form](client, question) for question in questions for form in FORMS)
        )
        for n, pair in enumerate(zip(got[::2], got[1::2], strict=True)):
            contents = {completion.choices[0].message.content for completion, _ in pair}
            assert len(contents) == 1
            assert f'number {n}"' in contents.pop()
            assert word == "MISS" or {found.cache for _, found in pair} == {"HIT"}


@pytest.mark.parametrize("form", FORMS)
async def test_an_upstreams_error_is_forgotten(client, fake, form):
    question = ask(f"What goes wrong, {form}?", "fake")
    calls = fake.calls
    fake.script = ["status:500"]
    with pytest.raises(openai.InternalServerError, match="fake 500"):
        await FORMS[form](client, question)
    for word in ("MISS", "HIT"):
        _, found = await FORMS[form](client, question)
        assert found.cache == word
    assert fake.calls == calls + 2


async def test_embeddings_and_responses(client):
    async with client.responses.stream(model="gpt-4o", input="What is a lock?") as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_response()
    again = await client.responses.create(model="gpt-4o", input="What is a lock?")
    assert again.output_text == final.output_text
    assert again.id == final.id
    made = await client.embeddings.create(model="gpt-4o", input="lock", encoding_format="float")
    assert made.data[0].embedding
    assert "gpt-4o" in [model.id async for model in client.models.list()]
