"""Laws of lossless compression over conversations, dialects, restarts, workers and delays."""

import asyncio
import json
import random

import pytest
from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit
from policies.compress import backref, freeze_sight, json_compact, text_choice
from policies.compress.backref_again import named
from policies.compress.freeze_places import listing, spots
from policies.compress.json_exact import minified
from policies.compress_lossless import Lossless

LONG = {"role": "system", "content": "Be exact. " * 500}  # a turn goes on from the one before
LISTED = {Dialect.CHAT: "messages", Dialect.MESSAGES: "messages", Dialect.RESPONSES: "input"}
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
    """Workers that share a store. `hurried` ones have no time for what is new."""

    def __init__(self):
        self.shelf = Shelf()
        self.workers = [self._worker(30.0), self._worker(1e-9)]
        self._gone = []

    def _worker(self, budget):
        return Lossless(Lossless.Settings(min_tokens=1, budget=budget))

    def restart(self, number):
        old = self.workers[number]
        self._gone.append(old)
        self.workers[number] = self._worker(old.settings.budget)

    async def send(self, one, worker):
        policy = self.workers[worker]
        step = await policy.plan(one, View(self.shelf, 0.0))
        await policy.settle(one, step, Outcome(200), self.shelf)
        return step.body.raw if isinstance(step, Edit) else one.body.raw

    async def close(self):
        for policy in (*self.workers, *self._gone):
            await policy.aclose()


rows = st.builds(
    lambda name, count: json.dumps([{"id": n, "name": f"{name} {n}"} for n in range(count)]),
    st.text(max_size=4),
    st.integers(0, 30),
)
logs = st.builds(
    lambda name, count: "".join(
        f"2026-01-31 10:00:{n % 60:02} {name} {n * 7919}\n" for n in range(count)
    ),
    st.text("abc {}^", max_size=6),
    st.integers(0, 40),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
).map(lambda value: json.dumps(value, indent=1))
WORDS = ["the", "house", "by", "river", "never", "saw", "old", "men", "with", "bread", "wine"]
PAGES = [
    "".join(" ".join(random.Random(10 * page + n).choices(WORDS, k=9)) + "\n" for n in range(8))
    for page in range(3)
]
pages = st.lists(st.sampled_from(PAGES), min_size=1, max_size=3).map("".join)
texts = st.one_of(rows, logs, values, pages, st.text(max_size=40))
conversation = st.lists(st.lists(texts, min_size=1, max_size=2), min_size=1, max_size=4)
dialects = st.sampled_from(list(LISTED))


STYLES = [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}]


def turns(name, talk, dialect, styles=({"ensure_ascii": False},)):
    """What a client sends, request by request, each written in one of the `styles`."""
    listed = [LONG, {"role": "user", "content": name}]
    for number, results in enumerate(talk):
        key = f"{name}-{number}"
        if dialect is Dialect.CHAT:
            listed += [{"role": "assistant", "content": "{} tool"}]
            listed += [{"role": "tool", "tool_call_id": key, "content": text} for text in results]
        elif dialect is Dialect.MESSAGES:
            blocks = [{"type": "tool_result", "tool_use_id": key, "content": t} for t in results]
            listed += [{"role": "assistant", "content": "ok"}, {"role": "user", "content": blocks}]
        else:
            kind = {"type": "function_call_output", "call_id": key}
            listed += [kind | {"output": text} for text in results]
        doc = {"model": "m", LISTED[dialect]: listed}
        text = json.dumps(doc, **styles[number % len(styles)])
        yield call(body=Body(text.encode()), dialect=dialect)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """What another worker has made is always read in time, however busy the machine is."""
    monkeypatch.setattr(freeze_sight, "_READING", 60.0)


@lawful
@given(dialects, st.lists(conversation, min_size=1, max_size=3), st.randoms(use_true_random=False))
@pytest.mark.parametrize("steady", [True, False])
async def test_each_turn_begins_with_the_bytes_of_the_turn_before(steady, dialect, talks, rng):
    """Or, where a client writes the same messages otherwise in each, with the same texts."""
    house, styles = House(), [rng.choice(STYLES) for _ in range(1 if steady else 4)]
    queues = [list(turns(f"talk é {i}", talk, dialect, styles)) for i, talk in enumerate(talks)]
    before = [[] for _ in queues]
    while any(queues):
        number = rng.choice([i for i, queue in enumerate(queues) if queue])
        if rng.random() < 0.3:
            house.restart(rng.randrange(2))
        raw = await house.send(queues[number].pop(0), rng.randrange(2))
        after = listing(dialect, raw).raws if steady else json.loads(raw)[LISTED[dialect]]
        assert after[: len(before[number])] == before[number]
        before[number] = after
    await house.close()


@lawful
@given(dialects, conversation)
async def test_only_results_change_and_each_can_be_read_back(dialect, talk):
    house = House()
    for one in turns("talk", talk, dialect):
        raw = await house.send(one, 0)
        pairs = zip(listing(dialect, one.body.raw).raws, listing(dialect, raw).raws, strict=True)
        earlier = []
        for number, (old, new) in enumerate(pairs):
            olds, news = spots(dialect, old, users=False), spots(dialect, new, users=False)
            assert [spot.path for spot in olds] == [spot.path for spot in news]
            if old != new:
                for was, now in zip(olds, news, strict=True):
                    assert comes_back(was.text, now.text, earlier)
            earlier += named(number, [spot.text for spot in news])
    await house.close()


def comes_back(was, now, earlier):
    """Whether `was` is what a text stands for that is sent after the `earlier` ones."""
    if was == now:
        return True
    if "stand here again" in now:
        now = backref.decode(now, earlier)
    short = minified(was)
    if short is not None:
        return now == was or json_compact.decode(now) == short
    chosen = text_choice.choose(was, lambda text: -(-len(text.encode()) // 4))
    return now == was or (
        now == chosen.text and text_choice.decode(chosen) == text_choice.normal(was)
    )


shapes = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["tool", "user", "tool_result", "text"]) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "output", "messages"]), inner
        )
    ),
    max_leaves=12,
)


@lawful
@given(st.dictionaries(st.sampled_from(["messages", "input", "tools"]), shapes), dialects)
async def test_foreign_shapes_never_fail(doc, dialect):
    house = House()
    raw = json.dumps(doc).encode()
    one = call(body=Body(raw), dialect=dialect)
    sent = [await house.send(one, 0) for _ in range(2)]
    assert sent[0] == sent[1]
    assert json.loads(sent[0]).keys() == doc.keys()
    await house.close()


@lawful
@given(st.binary(max_size=60), dialects)
async def test_foreign_bytes_never_fail(noise, dialect):
    house = House()
    raw = b'{"messages":[{"role":"tool","content":"' + noise + b'"}],"input":[]}'
    sent = await house.send(call(body=Body(raw), dialect=dialect), 0)
    assert len(sent) <= len(raw)
    await house.close()
