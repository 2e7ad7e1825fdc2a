"""Planning is for show until a request is sent: what is explained changes no later plan."""

import pickle
import random

import pytest
from backends import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.base.call import Effect
from policies.base.plan import Outcome
from policies.base.terms import Terms
from policies.base.usage import Usage
from policies.prefix_breakpoints import Breakpoints
from policies.prefix_canonical import CanonicalTools
from policies.prefix_documents import StableDocuments
from policies.prefix_volatile import VolatileLines
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline, Stage
from proxy.replay.store import Clock, Shelves

CLAUDE = Terms(*("anthropic_marks", 1e-6, 1e-6, 0.1, 1.25, 1024, 1, 300.0), host="openrouter.ai")
RULES = {
    "anthropic_marks": replace(CLAUDE, backend="http"),
    "openai_breakpoints": replace(CLAUDE, rule="openai_breakpoints", backend="openai", host=""),
    "openai_steps": replace(CLAUDE, rule="openai_steps", backend="openai", host=""),
}
LONG = "It is so. " * 700
POLICIES = (CanonicalTools, StableDocuments, VolatileLines, Breakpoints)


class House:
    """All prefix policies in an engine of their own."""

    def __init__(self, rule):
        self.clock, self.drifts, terms = Clock(1.7e9), 0, RULES[rule]
        self.shelves = Shelves(self.clock, 1 << 26)
        self.policies = [kind(kind.Settings()) for kind in POLICIES]
        guards = Guards(Monotone(), lambda _: terms, self._drifted, Rollback())
        stages = tuple(Stage(policy, False, 60.0) for policy in self.policies)
        self.line = Pipeline("p", stages, frozenset(Effect), 0.2)
        self.engine = Engine(
            self.shelves.bind, self._failed, lambda _: terms, guards, clock=self.clock
        )

    def _failed(self, policy):
        raise AssertionError(policy)

    def _drifted(self):
        self.drifts += 1

    async def explain(self, one):
        await self.engine.plan(one, self.line)

    async def send(self, one, status):
        plan = await self.engine.plan(one, self.line)
        self.engine.depart(plan, self.line)
        if status == 200:
            await self.engine.sent(plan)
        usage = Usage(uncached=2000, read=1000, write=1000, output=1)
        if status:
            await self.engine.settle(plan, self.line, Outcome(status, "a", usage=usage))
        self.engine.land(plan, self.line)
        return plan.call.body.raw, [row.step.why for row in plan.rows]

    def learnt(self):
        """All that decides, other than what is kept of texts to save time."""
        canonical, _, volatile, marks = self.policies
        kept = (marks._memory, marks._keys._rates, volatile._learner, volatile._rates)
        stored = sorted((key, entry.value) for key, entry in self.shelves._entries.items())
        return pickle.dumps((kept, volatile._alike, volatile._calm, len(canonical._forms), stored))


def asked(kind, number, turn, tenant, seed):
    """A turn of one of many conversations: one-off, with tools, documents, a clock in its head."""
    head = f"It is {1_700_000_000 + seed}. {LONG}" if kind == "clock" else f"{number % 3} {LONG}"
    said = [{"role": "system", "content": head}]
    for before in range(turn + 1):
        docs = "".join(f"<document>{(number + n) % 4} {LONG}</document>" for n in range(2))
        text = docs if kind == "documents" else f"{number} {before}?"
        said += [{"role": "user", "content": text}, {"role": "assistant", "content": "So."}]
    tools = [{"type": "function", "function": {"name": f"f{n}", "description": "It"}} for n in "ab"]
    random.Random(seed).shuffle(tools)
    more = {"tools": tools} if kind == "tools" else {}
    return call({"messages": said[:-1], **more}, tenant=tenant)


kinds = st.sampled_from(["plain", "tools", "documents", "clock"])
requests = st.builds(
    asked, kinds, st.integers(0, 5), st.integers(0, 2), st.sampled_from("tu"), st.integers(0, 9)
)
events = st.lists(
    st.tuples(requests, st.sampled_from([200, 200, 200, 500, 0]), st.lists(requests, max_size=3)),
    min_size=2,
    max_size=12,
)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events, st.sampled_from([0.1, 20.0, 400.0]))
async def test_requests_go_as_if_nothing_had_been_explained(rule, told, apart):
    house, other = House(rule), House(rule)
    for one, status, shown in told:
        for each in (one, *shown):
            await house.explain(each)
        assert await house.send(one, status) == await other.send(one, status)
        house.clock.now += apart
        other.clock.now += apart
    assert house.drifts == other.drifts


@pytest.mark.parametrize("rule", RULES)
async def test_a_thousand_explanations_change_nothing(rule):
    house = House(rule)
    for number in range(40):
        await house.send(asked("tools" if number % 2 else "clock", number, 0, "t", number), 200)
    before = house.learnt()
    for number in range(1000):
        await house.explain(asked("tools" if number % 2 else "clock", 99 + number, 1, "t", number))
    assert house.learnt() == before
    assert house.drifts == 0
