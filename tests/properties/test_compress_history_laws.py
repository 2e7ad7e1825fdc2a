"""Laws of leaving out old results: in the engine, over whole conversations, on two workers."""

import json

from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Effect
from policies.base.plan import Outcome
from policies.base.ports import Entry
from policies.base.terms import Terms
from policies.compress.freeze_places import listing
from policies.compress_history import History
from policies.compress_lossless import Lossless
from proxy.edits import changes_history
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline, Stage

KEEP = 2
TERMS = Terms(rule="openai_breakpoints", read=0.5, write=1.0, minimum=1, lifetime=300.0)


class Shelf:
    def __init__(self, clock):
        self.kept = {}
        self.clock = clock

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, self.clock[0], self.clock[0] + ttl, model)


class House:
    """Two workers over one store; `clock` in seconds."""

    def __init__(self, above, *, names=True):
        self.clock = [1_700_000_000.0]
        self.shelves = {}
        self.drifts = 0
        self.settings = {"keep": KEEP, "above": above, "min_tokens": 1, "names": names}
        self.workers = [self._worker(), self._worker()]

    def _worker(self):
        guards = Guards(Monotone(), lambda _: TERMS, self._drifted, Rollback())
        engine = Engine(
            lambda *whose: self.shelves.setdefault(whose, Shelf(self.clock)),
            self.failed,
            lambda _: TERMS,
            guards,
            clock=lambda: self.clock[0],
        )
        history = History(History.Settings(**self.settings))
        stages = [history, Lossless(Lossless.Settings(budget=60.0, min_tokens=20))]
        return engine, Pipeline(
            "p", tuple(Stage(stage, False, 60.0) for stage in stages), frozenset(Effect), 0.0
        )

    def _drifted(self):
        self.drifts += 1

    def failed(self, policy):
        raise AssertionError(policy)

    async def restart(self, number):
        await self.close(number)
        self.workers[number] = self._worker()

    async def close(self, number):
        for stage in self.workers[number][1].stages:
            await stage.policy.aclose()

    async def send(self, number, messages):
        """What is forwarded, and whether it changes on purpose what was before."""
        engine, pipeline = self.workers[number]
        one = call(body=Body(json.dumps({"messages": messages}).encode()))
        plan = await engine.plan(one, pipeline)
        engine.depart(plan, pipeline)
        await engine.sent(plan)
        await engine.settle(plan, pipeline, Outcome(200))
        anew = plan.rows[0].applied and changes_history(plan.rows[0].step)
        return listing(one.dialect, plan.call.body.raw).raws, anew


def messages(texts):
    """Each text is another, else `compress.lossless` would refer from one stub to another."""
    found = [{"role": "user", "content": "go"}]
    for number, text in enumerate(texts):
        found += [
            {"role": "assistant", "content": f"look {number}"},
            {
                "role": "tool",
                "tool_call_id": str(number),
                "content": text and f"no_{number} {text}",
            },
        ]
    return found


texts = st.builds(
    lambda seed, size: " ".join(f"{seed} {seed * n % 977} apples" for n in range(size)),
    st.integers(1, 99),
    st.sampled_from([0, 60, 90, 120, 150]),
)
waits = st.sampled_from([1.0, 1.0, 1.0, 200.0, 1000.0])
turns = st.lists(st.tuples(texts, waits, st.integers(0, 1), st.booleans()), min_size=6, max_size=14)


@settings(max_examples=40, deadline=None)
@given(turns, st.sampled_from([0, 500, 100_000]), st.booleans())
async def test_between_epochs_each_turn_begins_with_the_bytes_of_the_one_before(told, above, names):
    house = House(above, names=names)
    before, said, gone = [], [], 0
    for text, wait, worker, restarted in told:
        if restarted:
            await house.restart(worker)
        house.clock[0] += wait
        said.append(text)
        sent, anew = await house.send(worker, messages(said))
        out = [number for number, raw in enumerate(sent[2::2]) if b"is left out" in raw]
        assert all(number < len(said) - KEEP for number in out)
        if anew:
            assert len(out) > gone
        else:
            assert sent[: len(before)] == before
        before, gone = sent, len(out)
    assert house.drifts == 0
    for number in (0, 1):
        await house.close(number)


cuts = st.lists(
    st.tuples(
        *(texts, st.sampled_from([0, 0, 0, 0, 1, 2, 3, 5])),
        *(waits, st.booleans()),
    ),
    min_size=6,
    max_size=16,
)


@settings(max_examples=60, deadline=None)
@given(cuts)
async def test_a_client_that_goes_back_goes_on_from_there(told):
    """Whoever edits a turn, or asks again, goes on with the bytes of the turn before it.

    In one worker, restarts included: of what another has just begun the guard may not know yet.
    """
    house = House(above=500)
    said, known = [], {}
    for text, back, wait, restarted in told:
        if restarted:
            await house.restart(0)
        house.clock[0] += wait
        said = [*said[: max(0, len(said) - back)], text]
        sent, anew = await house.send(0, messages(said))
        beginnings = (tuple(said[:count]) for count in range(len(said), 0, -1))
        before = next((known[each] for each in beginnings if each in known), [])
        if not anew:
            assert sent[: len(before)] == before
        known[tuple(said)] = sent
    assert house.drifts == 0
    for number in (0, 1):
        await house.close(number)
