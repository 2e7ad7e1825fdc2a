"""Laws of selection and projection over conversations, dialects, restarts, workers and delays."""

import asyncio
import json

import pytest
from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit
from policies.compress import freeze_sight
from policies.compress.freeze_places import listing, spots
from policies.compress_project import Project
from policies.compress_select import Select

LONG = {"role": "system", "content": "Be exact. " * 500}  # a turn goes on from the one before
LISTED = {Dialect.CHAT: "messages", Dialect.MESSAGES: "messages", Dialect.RESPONSES: "input"}
TOOLS = {"look": {"keep": ("a", "[].a"), "drop": ("*.b", "c")}, "find": {"drop": ("[1:]",)}}
lawful = settings(max_examples=40, deadline=None)


class Shelf:
    def __init__(self):
        self.kept = {}

    async def get(self, key):
        await asyncio.sleep(0)
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, 0.0, ttl, model)


class House:
    """Workers that share a store per policy. `hurried` ones have no time for what is new."""

    def __init__(self):
        self.shelves = [Shelf(), Shelf()]
        self.workers = [self._worker(30.0), self._worker(1e-9)]
        self._gone = []

    def _worker(self, budget):
        chosen = {"min_tokens": 1, "budget": budget}
        return [
            Project(Project.Settings(tools=TOOLS, **chosen)),
            Select(Select.Settings(share=0.4, **chosen)),
        ]

    def restart(self, number):
        self._gone += self.workers[number]
        self.workers[number] = self._worker(self.workers[number][0].settings.budget)

    def lose(self):
        """What was stored in the meantime by those who were not late is gone."""
        self.shelves = [Shelf(), Shelf()]

    async def send(self, one, worker):
        for policy, shelf in zip(self.workers[worker], self.shelves, strict=True):
            step = await policy.plan(one, View(shelf, 0.0))
            await policy.settle(one, step, Outcome(200), shelf)
            if isinstance(step, Edit):
                one = call(body=step.body, dialect=one.dialect)
        return one.body.raw

    async def close(self):
        for policy in (*sum(self.workers, []), *self._gone):  # noqa: RUF017 - two short lists
            await policy.aclose()


WORDS = ("gold", "tin", "salt", "42", "not", "error:", "a_b", "the", "of", "who", "```")
words = st.sampled_from(WORDS)
paragraph = st.lists(words, min_size=1, max_size=9).map(" ".join)
prose = st.lists(paragraph, max_size=9).map("\n\n".join)
docs = st.lists(paragraph, min_size=2, max_size=7).map(
    lambda found: "\n".join(f"Document [{n}] {text}" for n, text in enumerate(found, 1))
)
values = st.recursive(
    st.integers() | paragraph,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=9,
).map(json.dumps)
turn = st.tuples(
    st.one_of(paragraph, st.tuples(docs, paragraph).map("\n\n".join)),
    st.sampled_from(["look", "find", "other"]),
    st.one_of(prose, values),
)
conversation = st.lists(turn, min_size=1, max_size=4)
dialects = st.sampled_from(list(LISTED))


def messages(dialect, number, asked, tool, text):
    key = f"c{number % 2}"  # ids come again
    user = {"role": "user", "content": asked}
    if dialect is Dialect.CHAT:
        function = {"name": tool, "arguments": "{}"}
        calls = {"role": "assistant", "tool_calls": [{"id": key, "function": function}]}
        return [user, calls, {"role": "tool", "tool_call_id": key, "content": text}]
    if dialect is Dialect.MESSAGES:
        use = {"type": "tool_use", "id": key, "name": tool, "input": {}}
        block = {"type": "tool_result", "tool_use_id": key, "content": text}
        return [user, {"role": "assistant", "content": [use]}, {"role": "user", "content": [block]}]
    use = {"type": "function_call", "call_id": key, "name": tool, "arguments": "{}"}
    return [user, use, {"type": "function_call_output", "call_id": key, "output": text}]


def turns(dialect, name, talk):
    """What a client sends, request by request: after each question, and after each result."""
    listed = [LONG, {"role": "user", "content": name}, {"role": "assistant", "content": "ok"}]
    for number, each in enumerate(talk):
        added = messages(dialect, number, *each)
        for upto in (1, 3):
            doc = {"model": "m", LISTED[dialect]: [*listed, *added[:upto]]}
            yield call(body=Body(json.dumps(doc).encode()), dialect=dialect)
        listed += [*added, {"role": "assistant", "content": "ok"}]


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """What another worker has made is always read in time, however busy the machine is."""
    monkeypatch.setattr(freeze_sight, "_READING", 60.0)


@lawful
@given(dialects, st.lists(conversation, min_size=1, max_size=2), st.randoms(use_true_random=False))
async def test_each_turn_begins_with_the_bytes_of_the_turn_before(dialect, talks, rng):
    house = House()
    queues = [list(turns(dialect, f"talk {i}", talk)) for i, talk in enumerate(talks)]
    before = [[] for _ in queues]
    while any(queues):
        number = rng.choice([i for i, queue in enumerate(queues) if queue])
        if rng.random() < 0.3:
            house.restart(rng.randrange(2))
        raw = await house.send(queues[number].pop(0), rng.randrange(2))
        after = listing(dialect, raw).raws
        assert after[: len(before[number])] == before[number]
        before[number] = after
    await house.close()


@lawful
@given(dialects, conversation, st.randoms(use_true_random=False))
async def test_a_lost_memo_makes_the_same_bytes_again(dialect, talk, rng):
    house = House()
    before = []
    for one in turns(dialect, "talk", talk):
        if rng.random() < 0.5:
            house.restart(0)
            house.lose()
        after = listing(dialect, await house.send(one, 0)).raws
        assert after[: len(before)] == before
        before = after
    await house.close()


@lawful
@given(dialects, conversation)
async def test_only_results_and_documents_change_and_nothing_is_added(dialect, talk):
    house = House()
    for one in turns(dialect, "talk", talk):
        raw = await house.send(one, 0)
        pairs = zip(listing(dialect, one.body.raw).raws, listing(dialect, raw).raws, strict=True)
        for old, new in pairs:
            if old == new:
                continue
            olds, news = spots(dialect, old, users=True), spots(dialect, new, users=True)
            assert [spot.path for spot in olds] == [spot.path for spot in news]
            for was, now in zip(olds, news, strict=True):
                assert len(now.text) < len(was.text)
                assert not was.pasted or "Document [1]" in was.text
                said = now.text.split("left out]")[-1]
                assert not was.pasted or was.text.endswith(said)
    await house.close()


shapes = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["tool", "user", "tool_result", "c0"]) | prose,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "id", "output"]),
            inner,
        )
    ),
    max_leaves=12,
)


@lawful
@given(st.dictionaries(st.sampled_from(["messages", "input", "tools"]), shapes), dialects)
async def test_foreign_shapes_never_fail(doc, dialect):
    house = House()
    one = call(body=Body(json.dumps(doc).encode()), dialect=dialect)
    sent = [await house.send(one, 0) for _ in range(2)]
    assert sent[0] == sent[1]
    assert json.loads(sent[0]).keys() == doc.keys()
    await house.close()
