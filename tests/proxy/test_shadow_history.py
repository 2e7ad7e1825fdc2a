"""What `compress.history` is said to save in shadow: what it would have saved, or less."""

import msgspec
import pytest
from backends import call

from policies.base.plan import Outcome
from policies.base.step import Edit
from policies.base.terms import Terms
from policies.compress_history import History
from proxy.pipeline import Pipeline, Stage
from tests.policies.test_compress_history import talk
from tests.proxy.test_engine import Effect, engine

GPT = Terms(rule="openai_steps", read=0.5, write=1.0)
CLAUDE = Terms(rule="anthropic_marks", read=0.1, write=1.25)


class House:
    """One conversation, sent turn by turn; `saved`: tokens, by turn."""

    def __init__(self, terms, *, shadow, holdout=0.0):
        self.engine = engine()
        self.engine._terms = self.engine._guards._terms = lambda _: terms
        self.engine._clock = lambda: self.now
        policy = History(History.Settings(keep=3, above=1000, names=False))
        self.pipeline = Pipeline("p", (Stage(policy, shadow, 5.0),), frozenset(Effect), holdout)
        self.now = 1_700_000_000.0

    async def turn(self, results):
        self.now += 10.0
        plan = await self.engine.plan(call({"messages": talk(results)}), self.pipeline)
        await self.engine.sent(plan)
        await self.engine.settle(plan, self.pipeline, Outcome(200))
        row = plan.rows[-1]
        return row.step.removed if isinstance(row.step, Edit) else 0

    async def saved(self, turns=40):
        return [await self.turn(results) for results in range(1, turns)]


@pytest.mark.parametrize("terms", [GPT, CLAUDE], ids=lambda terms: terms.rule)
async def test_it_is_no_more_than_what_is_saved_where_it_is_on(terms):
    on, shadow = House(terms, shadow=False), House(terms, shadow=True)
    really, supposed = await on.saved(), await shadow.saved()
    assert sum(really) > 90_000
    assert 0.9 * sum(really) < sum(supposed) <= sum(really)
    assert (supposed == really) == (terms is GPT)  # where it pays at once
    assert ("compress.history", "t") in on.engine.shelves
    assert not shadow.engine.shelves[("compress.history", "t")].kept


async def test_it_is_nothing_where_it_does_not_pay():
    dear = msgspec.structs.replace(CLAUDE, read=0.001)
    for shadow in (False, True):
        assert sum(await House(dear, shadow=shadow).saved()) == 0


async def test_of_what_is_held_out_nothing_is_said_that_no_turn_has_begun():
    assert sum(await House(GPT, shadow=False, holdout=1.0).saved()) == 0


async def test_a_guard_that_fails_supposes_nothing(monkeypatch):
    house = House(GPT, shadow=True)
    monkeypatch.setattr(house.engine._guards, "would_pay", None)
    assert sum(await house.saved()) == 0
    assert set(house.engine.failed) == {"guard"}
