"""Any conversation through the policy and the rounds: prompts only grow, and stay valid."""

import asyncio
import itertools
import json
import random

import msgspec
from backends import call as made_call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.reply import Reply
from policies.base.step import Edit
from policies.compress_stash import Stash
from proxy.backends.wrap.rounds import LocalTools
from proxy.wire import replay_chat, replay_messages, replay_responses
from proxy.wire.sse import events
from tests.fakes.scripted_model import PLAIN, RULES, STREAMS, Said, Turn

TOOL = "read_original"
DIALECTS = {
    "chat/completions": (Dialect.CHAT, "messages", replay_chat.plain),
    "messages": (Dialect.MESSAGES, "messages", replay_messages.plain),
    "responses": (Dialect.RESPONSES, "input", replay_responses.plain),
}


class Shelf:
    """Stores of all tenants and spaces."""

    def __init__(self):
        self.kept = {}

    def bind(self, space, tenant):
        return Bound(self.kept, space, tenant)


class Bound:
    def __init__(self, kept, *place):
        self._kept, self._place = kept, place

    async def get(self, key):
        return self._kept.get((*self._place, key))

    async def put(self, key, value, ttl, model=""):
        self._kept[(*self._place, key)] = Entry(value, 0.0, 0.0, model)


class Model:
    """A backend that says what it has been told to say, in pieces of any size."""

    name = "model"

    def __init__(self, kind, chance):
        self.kind, self.chance = kind, chance
        self.turns, self.sent, self.said = [], [], []
        self._number = itertools.count(1)

    async def send(self, call):
        doc = json.loads(call.body.raw)
        self.sent.append(doc)
        assert list(RULES[self.kind](doc)) == []
        silenced = doc.get("tool_choice") in ("none", {"type": "none"})
        turn = Turn("I stop.") if silenced else self.turns.pop(0)
        calls = [(n, json.dumps(a(doc) if callable(a) else a)) for n, a in turn.calls]
        said = Said(next(self._number), turn, calls, doc)
        self.said.append(said)
        if not doc.get("stream"):
            return reply(b"application/json", [json.dumps(PLAIN[self.kind](said)).encode()])
        sse = "".join(
            (f"event: {each['type']}\n" if "type" in each else "") + f"data: {json.dumps(each)}\n\n"
            for each in STREAMS[self.kind](said)
            if each is not None
        )
        raw = (sse + "data: [DONE]\n\n" * (self.kind == "chat/completions")).encode()
        return reply(b"text/event-stream", self._pieces(raw))

    def _pieces(self, raw):
        at = 0
        while at < len(raw):
            end = at + self.chance.choice((1, 3, 50, 500, 5000))
            yield raw[at:end]
            at = end

    async def aclose(self):
        """Nothing is open."""


def reply(kind, pieces):
    async def chunks():
        for piece in pieces:
            yield piece

    return Reply(200, ((b"content-type", kind),), chunks(), "model")


class Client:
    """Holds one conversation, and sends back what it gets."""

    def __init__(self, kind, model, shelf, *, stream):
        self.dialect, self.field, self.fold = DIALECTS[kind]
        self.kind, self.model, self.shelf = kind, model, shelf
        self.stream = stream
        self.history = []
        self.restart()

    def restart(self):
        """Another worker, with nothing but the store."""
        self.policy = Stash(Stash.Settings(budget=30.0, min_tokens=200, extract=20, rounds=2))
        self.rounds = LocalTools(self.model, self.shelf.bind)

    async def ask(self):
        definition = {"name": "run", "input_schema": {}, "type": "function", "function": None}
        if self.kind == "chat/completions":
            definition = {"type": "function", "function": {"name": "run"}}
        doc = {"model": "m", self.field: self.history, "tools": [definition]}
        assert list(RULES[self.kind](doc)) == []  # also without what is put back
        raw = json.dumps({**doc, "stream": self.stream}).encode()
        call = made_call(body=Body(raw), dialect=self.dialect, path=self.kind, stream=self.stream)
        store = self.shelf.bind("compress.stash", "t")
        step = await self.policy.plan(call, View(store, 0.0))
        assert isinstance(step, Edit)
        sent = msgspec.structs.replace(call, body=step.body, local=step.local, came=call.body)
        answer = await self.rounds.send(sent)
        body = b"".join([chunk async for chunk in answer.chunks])
        assert TOOL.encode() not in body
        await self.policy.settle(call, step, Outcome(200), store)
        whole = self.fold(events(body)) if self.stream else json.loads(body)
        seen, ids = len(self.history), self._heard(whole)
        self.compare(ids, "".join(map(text_of, self.history[seen:])), body)
        return ids

    def compare(self, ids, text, body):
        """The client has all that was said to it, in order, and nothing else."""
        rounds, self.model.said = self.model.said, []
        gap = "\n\n" if self.kind == "chat/completions" else ""
        assert text == gap.join(said.turn.text for said in rounds if said.turn.text)
        last = rounds[-1]
        made = [last.call_id(at) for at, (name, _) in enumerate(last.calls) if name == "run"]
        assert ids == made
        if self.stream:
            docs = [json.loads(each.data) for each in events(body) if each.data != b"[DONE]"]
            NUMBERS[self.kind](docs)

    def _heard(self, whole):
        """Adds the reply to the history; the ids of calls to be answered."""
        if self.kind == "chat/completions":
            message = whole["choices"][0]["message"]
            self.history.append(message)
            return [each["id"] for each in message.get("tool_calls") or ()]
        if self.kind == "messages":
            content = whole["content"]
            if content:
                self.history.append({"role": "assistant", "content": content})
            return [each["id"] for each in content if each["type"] == "tool_use"]
        self.history += whole["output"]
        return [each["call_id"] for each in whole["output"] if each["type"] == "function_call"]

    def give(self, ids, text):
        if self.kind == "chat/completions":
            self.history += [{"role": "tool", "tool_call_id": i, "content": text} for i in ids]
        elif self.kind == "messages":
            blocks = [{"type": "tool_result", "tool_use_id": i, "content": text} for i in ids]
            self.history.append({"role": "user", "content": blocks})
        else:
            self.history += [
                {"type": "function_call_output", "call_id": i, "output": text} for i in ids
            ]


def text_of(message):
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def chat_numbers(docs):
    """One reply with one end, whose calls are numbered from 0."""
    assert len({doc["id"] for doc in docs}) == 1
    choices = [choice for doc in docs for choice in doc["choices"]]
    assert sum(choice["finish_reason"] is not None for choice in choices) == 1
    assert sum("role" in choice["delta"] for choice in choices) == 1
    parts = [part for choice in choices for part in choice["delta"].get("tool_calls") or ()]
    opened = [part["index"] for part in parts if "id" in part]
    assert opened == list(range(len(opened)))


def message_numbers(docs):
    kinds = [doc["type"] for doc in docs]
    assert [kinds.count(kind) for kind in ("message_start", "message_delta")] == [1, 1]
    assert kinds[-1] == "message_stop"
    starts = [doc["index"] for doc in docs if doc["type"] == "content_block_start"]
    assert starts == list(range(len(starts)))


def response_numbers(docs):
    kinds = [doc["type"] for doc in docs]
    assert kinds.count("response.created") == kinds.count("response.completed") == 1
    assert [doc["sequence_number"] for doc in docs] == list(range(len(docs)))
    assert len({doc["response"]["id"] for doc in docs if "response" in doc}) == 1
    done = [doc for doc in docs if doc["type"] == "response.output_item.done"]
    assert [doc["output_index"] for doc in done] == list(range(len(done)))
    assert [doc["item"] for doc in done] == docs[-1]["response"]["output"]


NUMBERS = {
    "chat/completions": chat_numbers,
    "messages": message_numbers,
    "responses": response_numbers,
}


def asked(doc):
    """The id in the last extract of the prompt, if there is one."""
    text = json.dumps(doc)
    at = text.rfind("call read_original with")
    return {"id": text[at:].split('\\"')[3].strip("\\") if at >= 0 else "0" * 16}


OWN = (TOOL, asked)
CLIENTS = ("run", {"x": "y" * 30})
CALLS = st.lists(
    st.sampled_from([OWN, CLIENTS, (TOOL, {"id": "no"}), (TOOL, {"odd": 1})]), max_size=3
)
TURNS = st.builds(
    lambda text, calls, thinking: Turn(text or ("" if calls else "Ok."), calls, thinking),
    text=st.sampled_from(["", "Well.", "Let me see, it may be there."]),
    calls=CALLS,
    thinking=st.sampled_from(["", "hm"]),
)
TEXTS = st.sampled_from(["short", "\n".join(f"{n} line of a log" for n in range(400))])


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(DIALECTS)),
    stream=st.booleans(),
    rounds=st.lists(st.tuples(TURNS, TEXTS, st.booleans()), min_size=2, max_size=9),
    seed=st.integers(0, 9),
)
def test_prompts_grow_and_stay_valid(kind, stream, rounds, seed):
    asyncio.run(talk(kind, stream, rounds, seed))


async def talk(kind, stream, rounds, seed):
    model, shelf = Model(kind, random.Random(seed)), Shelf()
    client = Client(kind, model, shelf, stream=stream)
    script = [turn for turn, _, _ in rounds]
    model.turns = Endless(script)
    waiting, before = [], []
    for number, (_, text, again) in enumerate(rounds):
        if not script:
            break
        if waiting:
            client.give(waiting, text)
        else:
            client.history.append({"role": "user", "content": f"{number}: {text}"})
        seen = len(model.sent)
        waiting = await client.ask()
        for doc in model.sent[seen:]:
            now = [json.dumps(each) for each in doc[client.field]]
            assert now[: len(before)] == before
            assert [json.dumps(each) for each in doc["tools"]] == TOOLS.setdefault(
                kind, [json.dumps(each) for each in doc["tools"]]
            )
            before = now
        if again:
            client.restart()


TOOLS = {}


class Endless(list):
    """A script, and then a last word for ever."""

    def __init__(self, script):
        super().__init__(script)
        self.script = script

    def pop(self, at=0):
        return self.script.pop(at) if self.script else Turn("The end.")
