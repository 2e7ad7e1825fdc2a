"""Conversations through restarts, several workers, shuffled tools and the hold-out."""

import contextlib
import itertools
import json
import random
import sqlite3
import time
import uuid

import httpx2
import msgspec
import openai
import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked

YAML = """
data: ${DATA}
backends:
  openai: {use: openai, base_url: "${URL}/v1"}
  claude: {use: anthropic, base_url: "${URL}/v1"}
routes:
  - {when: {model: "gpt-4*"}, send: openai, pipeline: trial}
  - {when: {model: "gpt-*"}, send: openai, pipeline: aggressive}
  - {when: {model: "claude-*"}, send: claude, pipeline: aggressive}
pipelines:
  trial:
    effects: [exact, lossless, reorder]
    holdout: 0.5
    steps:
      - {use: prefix.canonical}
      - {use: prefix.volatile}
      - {use: prefix.breakpoints}
"""
LONG = "Never give a seat away twice. " * 400
# Each request on a connection of its own, so that any worker may get it.
_client = httpx2.Client(
    timeout=20, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
)
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_number = itertools.count()


@pytest.fixture(scope="module")
def server():
    with PrefixUpstream("openai_breakpoints") as made:
        yield made


@pytest.fixture
def upstream(server):
    server.requests.clear()
    return server


def serving(upstream, data, *args):
    return running(YAML, env={"URL": upstream.url, "DATA": str(data)}, args=args)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def penstock(server, data):
    with serving(server, data) as made:
        yield made


class Talk:
    """A conversation whose system prompt has another time and session in each request."""

    def __init__(self, model, *, named=False):
        self.model = model
        self.name = f"conversation {next(_number)}"
        self.turns = []
        self.headers = {"x-penstock-session": self.name} if named else {}

    def body(self):
        system = f"You book flights.\nRequest id: {uuid.uuid4()}\n{LONG}"
        if self.model.startswith("claude"):
            own = {"max_tokens": 99, "system": system}
            return {"model": self.model, **own, "messages": self.turns}
        first = {"role": "system", "content": system}
        return {"model": self.model, "messages": [first, *self.turns]}

    def ask(self, penstock, upstream):
        """`(sent, forwarded)` of one more turn."""
        self.turns.append({"role": "user", "content": f"{self.name}, {len(self.turns)}"})
        claude = self.model.startswith("claude")
        url = f"{penstock.url}/v1/" + ("messages" if claude else "chat/completions")
        raw = json.dumps(self.body()).encode()
        reply = _client.post(url, content=raw, headers=self.headers)
        assert reply.status_code == 200
        said = reply.json()["content"] if claude else reply.json()["choices"][0]["message"]
        self.turns.append({"role": "assistant", "content": said} if claude else said)
        return raw, upstream.bodies[-1]


def teach(penstock, upstream, model):
    """Which line changes: enough conversations for it to be learnt."""
    for _ in range(6):
        Talk(model).ask(penstock, upstream)


def prompt(body):
    """What the cache reads, block by block: tools, system, then message by message."""
    doc = unmarked(json.loads(body))
    return [json.dumps(it) for it in (doc.get("tools"), doc.get("system"), *doc["messages"])]


def goes_on(before, after):
    old, new = prompt(before), prompt(after)
    return new[: len(old)] == old


def moved(body):
    return b"<system-line" in body


MODELS = ["gpt-6-sol", "claude-sonnet-5"]


def test_a_restart_in_the_middle_of_a_conversation(upstream, tmp_path):
    talks = {model: Talk(model) for model in MODELS}
    before = {}
    for way in ("stop", "kill"):
        with serving(upstream, tmp_path) as penstock:
            for model, talk in talks.items():
                if model not in before:
                    teach(penstock, upstream, model)
                for _ in range(2):
                    _, after = talk.ask(penstock, upstream)
                    assert moved(after)
                    assert model not in before or goes_on(before[model], after)
                    before[model] = after
            if way == "kill":
                penstock.kill()
            else:
                assert penstock.stop() == 0
    with serving(upstream, tmp_path) as penstock:
        for model, talk in talks.items():
            for _ in range(2):  # what is killed may not have written what it did last
                sent, after = talk.ask(penstock, upstream)
                same = prompt(after) == prompt(sent)
                assert same or goes_on(before[model], after)
                before[model] = after


@pytest.fixture(scope="module")
def fleet(server, tmp_path_factory):
    with serving(server, tmp_path_factory.mktemp("fleet"), "--workers", "2") as made:
        yield made


@pytest.mark.parametrize(
    "pause",
    [
        pytest.param(0.0, id="at once"),
        pytest.param(0.25, id="after a while"),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_two_workers_see_one_conversation(fleet, upstream, model, pause):
    """What one worker has sent is known to the other as soon as it is on disk."""
    for _ in range(3):
        teach(fleet, upstream, model)
        time.sleep(pause)
    edited = 0
    for _ in range(2):
        talk, before = Talk(model), None
        for _ in range(4):
            sent, after = talk.ask(fleet, upstream)
            same = prompt(after) == prompt(sent)
            assert before is None or same or goes_on(before, after)
            before, edited = after, edited + moved(after)
            time.sleep(pause)
    assert edited >= (6 if pause else 1)


def test_a_client_that_gives_up_a_stream_and_goes_on(penstock, upstream):
    """As a user does who stops an answer and asks another question."""
    for _ in range(3):
        teach(penstock, upstream, "gpt-6-sol")
    talk = Talk("gpt-6-sol")
    talk.turns.append({"role": "user", "content": talk.name})
    url = penstock.url + "/v1/chat/completions"
    doc = {**talk.body(), "stream": True}
    with _client.stream("POST", url, json=doc, headers={"x-fake": "hang"}) as reply:
        assert next(reply.iter_bytes())
    before = upstream.bodies[-1]
    assert moved(before)
    assert upstream.requests[-1].left.wait(10)
    talk.turns.append({"role": "assistant", "content": "Well"})
    sent, after = talk.ask(penstock, upstream)
    assert goes_on(before, after) or prompt(after) == prompt(sent)


@pytest.mark.parametrize("model", ["gpt-5", "gpt-6-sol"])
def test_tools_that_come_shuffled_go_out_in_the_same_bytes(penstock, upstream, model):
    chance = random.Random(model)
    tools = [tool(number) for number in range(12)]
    with openai.OpenAI(base_url=penstock.url + "/v1", api_key=model, max_retries=0) as client:
        reads = []
        for number in range(6):
            chance.shuffle(tools)
            said = [{"role": "system", "content": LONG}]
            said.append({"role": "user", "content": f"Question {number}"})
            listed = [shuffled(each, chance) for each in tools]
            answer = client.chat.completions.create(model=model, messages=said, tools=listed)
            reads.append(answer.usage.prompt_tokens_details.cached_tokens)
    sent = [bytes(_raws(body)["tools"]) for body in upstream.bodies]
    assert len(sent) == 6
    assert set(sent) == {sent[0]}
    names = [each["function"]["name"] for each in json.loads(sent[0])]
    assert sorted(names) == sorted(each["function"]["name"] for each in tools)
    assert reads[0] == 0
    assert all(read > 3000 for read in reads[1:]) or model == "gpt-5"


def tool(number):
    properties = {name: {"type": "string"} for name in ("place", "date", "fare")}
    parameters = {"type": "object", "properties": properties, "required": ["place"]}
    function = {"name": f"tool_{number}", "description": "Flights.", "parameters": parameters}
    return {"type": "function", "function": function}


def shuffled(value, chance):
    """The same JSON value with its keys in another order, but not those of `properties`."""
    if isinstance(value, dict):
        pairs = list(value.items())
        if "place" not in value:
            chance.shuffle(pairs)
        return {name: shuffled(it, chance) for name, it in pairs}
    return value


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(True, id="with a session"),
        pytest.param(False, id="without"),
    ],
)
def test_conversations_that_are_held_out_go_untouched_in_all_their_turns(penstock, upstream, named):
    for _ in range(4):  # nothing is learnt from those that are held out
        teach(penstock, upstream, "gpt-4.1")
    sides = []
    for _ in range(16):
        talk = Talk("gpt-4.1", named=named)
        pairs = [talk.ask(penstock, upstream) for _ in range(3)]
        untouched = {sent == came for sent, came in pairs}
        assert len(untouched) == 1
        sides.append(untouched.pop())
        if not sides[-1]:
            assert all(moved(came) for _, came in pairs)
            assert all(goes_on(old, new) for (_, old), (_, new) in itertools.pairwise(pairs))
    assert {True, False} == set(sides)


def test_the_ledger_says_which_were_held_out(penstock, data, upstream):
    sides = []
    for _ in range(12):
        sent, came = Talk("gpt-4o").ask(penstock, upstream)
        sides.append(sent == came)
    until = time.monotonic() + 10
    while len(found := held(data)) < 12 and time.monotonic() < until:
        time.sleep(0.05)
    assert found == [int(side) for side in sides]


def held(data):
    with contextlib.closing(sqlite3.connect(data / "ledger.sqlite3")) as db:
        query = "SELECT holdout FROM requests WHERE model = 'gpt-4o' ORDER BY n"
        try:
            return [row[0] for row in db.execute(query)]
        except sqlite3.OperationalError:  # there are no tables before the first batch
            return []
