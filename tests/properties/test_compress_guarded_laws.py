"""Laws of compression in the engine: two workers, restarts, haste, retries, branches, spellings."""

import json
from contextvars import ContextVar

import pytest
from backends import call
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Effect
from policies.base.plan import Outcome
from policies.base.ports import Entry
from policies.base.terms import Terms
from policies.compress import freeze_sight
from policies.compress.freeze_sight import FirstSight
from policies.compress_lossless import Lossless
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline, Stage

haste = ContextVar("haste", default="")  # late: there is no time for forms; unread: nor to read


class Lossy(Lossless):
    """As one that leaves something out: also turns without edits are always watched."""

    effect = Effect.LOSSY


class Shelf:
    """A worker's memory in front of what all share: what it holds is not asked for again."""

    def __init__(self, shared):
        self.kept = {}
        self.shared = shared

    async def get(self, key):
        found = self.kept.get(key) or self.shared.get(key)
        if found is not None:
            self.kept[key] = found
        return found

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = self.shared[key] = Entry(value, 0.0, 0.0, model)


class House:
    """Two workers over one store."""

    def __init__(self, kind):
        self.kind = kind
        self.shared = {}
        self.drifts = []
        self.workers = [self._worker(), self._worker()]
        self._gone = []

    def _worker(self):
        guards = Guards(Monotone(), lambda _: Terms(), lambda: self.drifts.append(1), Rollback())
        shelves = {}

        def bind(*whose):
            shared = self.shared.setdefault(whose, {})
            return shelves.setdefault(whose, Shelf(shared))

        engine = Engine(bind, self.failed, lambda _: Terms(), guards)
        policy = self.kind(self.kind.Settings(budget=60.0, min_tokens=20))
        policy.name = "compress.lossless"
        return engine, Pipeline("p", (Stage(policy, False, 60.0),), frozenset(Effect), 0.0)

    def failed(self, policy):
        raise AssertionError(policy)

    def restart(self, number):
        self._gone.append(self.workers[number])
        self.workers[number] = self._worker()

    async def send(self, number, messages, style):
        engine, pipeline = self.workers[number]
        one = call(body=Body(json.dumps({"messages": messages}, **style).encode()))
        plan = await engine.plan(one, pipeline)
        engine.depart(plan, pipeline)
        await engine.sent(plan)
        await engine.settle(plan, pipeline, Outcome(200))
        return plan.call.body.json()["messages"]

    async def close(self):
        for _, pipeline in (*self.workers, *self._gone):
            for stage in pipeline.stages:
                await stage.policy.aclose()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    """Haste is the first thought's; the second has time."""
    look, read, doubt = FirstSight.look, FirstSight._read, Lossless.doubt
    monkeypatch.setattr(freeze_sight, "_READING", 60.0)

    async def hasty_look(self, *given):
        return await look(self, *given[:-1], 1e-9 if haste.get() else given[-1])

    def hasty_read(self, call, listed, messages, until):
        hasty = haste.get() == "unread" and until > freeze_sight.NEVER
        return [] if hasty else read(self, call, listed, messages, until)

    async def calm_doubt(self, call):
        haste.set("")
        await doubt(self, call)

    monkeypatch.setattr(FirstSight, "look", hasty_look)
    monkeypatch.setattr(FirstSight, "_read", hasty_read)
    monkeypatch.setattr(Lossless, "doubt", calm_doubt)


def table(name):
    return json.dumps([{"id": f"{name}/{n}", "name": f"Name {n}", "open": True} for n in range(12)])


def known(_):
    """The same every time."""
    return table("known")


def page(name):
    """A block that stands in other results too."""
    return name + "".join(f"\nline {n} of what is told {n * n} times" for n in range(12))


def plain(name):
    return f"{name} could not be any shorter, however often it is looked at. " * 3


STYLES = [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}]
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 2, 5]),  # the request to go on from, by its age
        st.lists(st.sampled_from([table, known, page, plain]), max_size=2),  # none: again the same
        st.integers(0, 1),  # the worker that gets it
        st.sampled_from(["", "", "late", "unread"]),
        st.booleans(),  # a restart before
        st.sampled_from(STYLES),
    ),
    min_size=2,
    max_size=16,
)


def grown(messages, number, results):
    for at, make in enumerate(
        results
    ):  # each text is another: what is late is so wherever it stands
        key = f"{number}.{at}"
        messages = [
            *messages,
            {"role": "assistant", "content": f"look, né {key}"},
            {"role": "tool", "tool_call_id": key, "content": make(key)},
        ]
    return messages


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", [Lossless, Lossy])
@given(steps)
@example(  # a text that the first worker knows comes too late for the second, at another place
    [
        (0, [known], 0, "", False, {}),
        (0, [table], 1, "", False, {}),
        (0, [known], 1, "unread", False, {}),
        (0, [table], 0, "", False, {}),
    ]
)
@example(  # a form that the second worker has no time to make, and the first has made meanwhile
    [
        (0, [known], 1, "unread", False, {}),
        (0, [known], 0, "", False, {}),
        (0, [], 1, "late", False, {}),
    ]
)
async def test_a_turn_goes_on_as_the_longest_beginning_of_it_was_sent(kind, steps):
    house = House(kind)
    said = [[{"role": "user", "content": "é"}]]
    sent = [await house.send(0, said[0], {})]
    for number, (age, results, worker, hurry, restart, style) in enumerate(steps):
        if restart:
            house.restart(worker)
        messages = grown(said[-1 - age % len(said)], number, results)
        haste.set(hurry)
        now = await house.send(worker, messages, style)
        before = max(
            (at for at, each in enumerate(said) if messages[: len(each)] == each),
            key=lambda at: (len(said[at]), at),
        )
        assert now[: len(sent[before])] == sent[before]
        said.append(messages)
        sent.append(now)
    assert house.drifts == []
    await house.close()
