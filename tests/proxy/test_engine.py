import asyncio

import msgspec
import pytest
from backends import call, replaced
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Controls, Effect
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict
from policies.base.reply import Recording
from policies.base.step import Answer, Edit, Refuse, Send, Skip
from policies.base.terms import Terms
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline, Stage


class Shelf:
    """A store in a dictionary, and the record of who wrote to it."""

    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = value

    async def delete(self, key):
        self.kept.pop(key, None)


class Fixed(Base):
    """Decides what it is told to; an exception is raised, a coroutine awaited."""

    def __init__(self, name, step, fails_closed=False):
        self.name = name
        self.step = step
        self.fails_closed = fails_closed
        self.seen = []
        self.settled = []
        self.told = []
        self.calls = []

    Settings = Strict

    async def plan(self, call, view):
        self.seen.append(call)
        if isinstance(self.step, Exception):
            raise self.step
        if callable(self.step):
            return await self.step()
        return self.step

    async def settle(self, call, step, outcome, store):
        self.settled.append(step)
        self.told.append(outcome)
        self.calls.append(call)
        await store.put(b"k", b"v", 1.0)


def engine():
    shelves = {}
    failed, drifts = [], []
    made = Engine(
        lambda space, tenant: shelves.setdefault((space, tenant), Shelf()),
        failed.append,
        lambda call: Terms(),
        Guards(Monotone(), lambda call: Terms(), lambda: drifts.append(1), Rollback()),
    )
    made.shelves, made.failed, made.drifts = shelves, failed, drifts
    return made


def pipeline(*policies, effects=frozenset(Effect), holdout=0.0, shadow=()):
    stages = tuple(Stage(policy, policy.name in shadow, 0.05) for policy in policies)
    return Pipeline("p", stages, effects, holdout)


def edited(text, effect=Effect.LOSSLESS):
    body = call().body.edit({("messages", 0, "content"): text})
    return Edit(body, effect, "because", 10, 5)


HIT = Answer(Recording(200, (), b"{}", False), Effect.EXACT, "hit", 1.0, 2.0, "exact")


async def test_no_policy_leaves_the_call_as_it_is():
    one = call()
    plan = await engine().plan(one, pipeline())
    assert plan.call is one
    assert plan.final is None


async def test_history_is_rewritten_only_where_that_pays():
    turns = [{"role": role, "content": "word " * 400} for role in ("user", "assistant") * 20]
    one = call({"messages": [*turns, {"role": "user", "content": "on"}]})
    short = one.body.edit({("messages", 0, "content"): "left out"})
    goes_on = Edit(one.body.edit({("messages", 40, "content"): "on!"}), Effect.LOSSLESS, "goes on")
    anew = Edit(short, Effect.LOSSY, "anew", instead=goes_on)
    for instead, rests in ((goes_on, goes_on.body), (Skip("as before"), one.body)):
        policy = Fixed("a.x", msgspec.structs.replace(anew, instead=instead))
        after = Fixed("b.x", Skip("no"))
        made = engine()
        terms = Terms(rule="openai_steps", read=0.1, write=1.25)
        made._guards._terms = lambda _, terms=terms: terms
        plan = await made.plan(one, pipeline(policy, after))
        assert plan.call.body is rests  # all that follows the first message would be read anew
        assert (plan.rows[0].step, after.seen[-1].body) == (instead, rests)
        made._guards._terms = lambda _: Terms()  # without a prompt cache it always pays
        plan = await made.plan(one, pipeline(policy, after))
        assert plan.call.body is short
        assert plan.rows[0].step.why == "anew"
        assert made.drifts == []


async def test_what_was_learnt_in_a_plan_that_is_not_taken_is_settled_where_it_is_wanted():
    """Forms of texts are made once, in whichever folding comes first."""
    turns = [{"role": role, "content": "word " * 400} for role in ("user", "assistant") * 20]
    one = call({"messages": [*turns, {"role": "user", "content": "on"}]})
    short = one.body.edit({("messages", 0, "content"): "left out"})
    anew = Edit(short, Effect.LOSSY, "anew", instead=Skip("as before"))
    for every in (True, False):
        after = Fixed("b.x", Skip("learnt", memo="m"))
        after.every_plan = every
        made, stages = engine(), pipeline(Fixed("a.x", anew), after)
        made._guards._terms = lambda _: Terms(rule="openai_steps", read=0.1, write=1.25)
        plan = await made.plan(one, stages)
        assert plan.call.body is one.body
        await made.settle(plan, stages, Outcome(200))
        assert len(after.settled) == 1 + every


async def test_what_was_left_out_in_another_conversation_stays_where_it_was_sent_in_this_one():
    made, before = (
        engine(),
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    )
    one = call({"messages": [*before, {"role": "user", "content": "c"}]})
    known = Edit(one.body.edit({("messages", 0, "content"): ""}), Effect.LOSSY, "known", known=True)
    policy = Fixed("a.x", msgspec.structs.replace(known, instead=Skip("as before")))
    assert (await made.plan(one, pipeline(policy))).call.body is known.body
    await made.sent(
        await made.plan(call({"messages": before[:1]}), pipeline(Fixed("a.x", edited("a"))))
    )
    plan = await made.plan(one, pipeline(policy))
    assert (plan.call.body, plan.rows[0].step.why, plan.drifted) == (one.body, "as before", False)


async def test_edits_are_folded_in_order():
    first, second = Fixed("a.x", edited("1")), Fixed("b.x", Skip("no"))
    plan = await engine().plan(call(), pipeline(first, second))
    assert second.seen[0].doc()["messages"][0]["content"] == "1"
    assert plan.original.doc()["messages"][0]["content"] == "hi"
    assert [row.applied for row in plan.rows] == [True, True]


async def test_an_answer_or_refusal_ends_the_fold():
    for final in (HIT, Refuse(429, "limit", "too many")):
        after = Fixed("b.x", Skip("no"))
        plan = await engine().plan(call(), pipeline(Fixed("a.x", final), after))
        assert plan.final is final
        assert not after.seen


async def test_send_chooses_the_backends():
    plan = await engine().plan(call(), pipeline(Fixed("route.x", Send(("b", "c"), "cheap"))))
    assert plan.call.backends == ("b", "c")


@pytest.mark.parametrize("effect", list(Effect))
async def test_an_effect_that_call_or_pipeline_denies_is_not_applied(effect):
    others = frozenset(Effect) - {effect}
    for one, line in (
        (call(effects=others), pipeline(Fixed("a.x", edited("1", effect)))),
        (call(), pipeline(Fixed("a.x", edited("1", effect)), effects=others)),
    ):
        plan = await engine().plan(one, line)
        assert plan.call.body is one.body
        assert [(row.mode, row.applied) for row in plan.rows] == [("denied", False)]


@given(st.sets(st.sampled_from(Effect)), st.sets(st.sampled_from(Effect)))
def test_effects_only_narrow(of_call, of_pipeline):
    policies = [Fixed(f"{effect}.x", edited(effect.value, effect)) for effect in Effect]
    line = pipeline(*policies, effects=frozenset(of_pipeline))
    plan = asyncio.run(engine().plan(call(effects=frozenset(of_call)), line))
    applied = {row.step.effect for row in plan.rows if row.applied}
    assert applied == of_call & of_pipeline


async def test_shadow_is_planned_and_settled_but_not_applied():
    policy = Fixed("a.x", edited("1"))
    made, line = engine(), pipeline(policy, shadow=("a.x",))
    one = call()
    plan = await made.plan(one, line)
    assert plan.call.body is one.body
    assert (plan.rows[0].mode, plan.rows[0].step) == ("shadow", policy.step)
    await made.settle(plan, line, Outcome(200))
    assert policy.settled


async def test_a_policy_that_raises_is_skipped_and_counted(caplog):
    made = engine()
    after = Fixed("b.x", edited("2"))
    failing = Fixed("a.x", RuntimeError("SECRET PROMPT"))
    plan = await made.plan(call(), pipeline(failing, after))
    assert plan.call.doc()["messages"][0]["content"] == "2"
    assert made.failed == ["a.x"]
    assert plan.rows[0].mode == "error"
    assert "SECRET" not in caplog.text


async def test_a_policy_that_runs_late_is_skipped():
    made = engine()
    plan = await made.plan(call(), pipeline(Fixed("a.x", lambda: asyncio.sleep(60))))
    assert (plan.rows[0].step.why, made.failed) == ("deadline", ["a.x"])


@pytest.mark.parametrize("fault", [RuntimeError("x"), lambda: asyncio.sleep(60)])
async def test_a_guard_that_fails_refuses(fault):
    plan = await engine().plan(call(), pipeline(Fixed("guard.x", fault, fails_closed=True)))
    assert isinstance(plan.final, Refuse)
    assert plan.final.status == 503


async def test_a_bypassed_family_is_not_asked():
    policy = Fixed("cache.x", HIT)
    one = call(controls=Controls(bypass=frozenset({"cache"})))
    plan = await engine().plan(one, pipeline(policy))
    assert not policy.seen
    assert plan.rows[0].mode == "bypass"


async def test_planning_writes_nothing():
    made = engine()
    policy = Fixed("a.x", edited("1"))
    line = pipeline(policy)
    plan = await made.plan(call(), line)
    assert not any(shelf.kept for shelf in made.shelves.values())
    await made.settle(plan, line, Outcome(200))
    assert made.shelves["a.x", "t"].kept == {b"k": b"v"}


async def test_policies_are_told_of_a_trial():
    views = []

    class Looking(Fixed):
        async def plan(self, call, view):
            views.append(view.trial)
            return self.step

    made = engine()
    line = pipeline(Looking("a.x", Skip("")))
    await made.on_trial().plan(call(), line)
    await made.plan(call(), line)
    assert views == [True, False]


class Followed(Fixed):
    """Notes what it is told is under way."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.told = []

    def depart(self, call, step):
        self.told.append(("depart", step))

    def land(self, call, step):
        self.told.append(("land", step))


async def test_policies_are_told_of_what_is_sent_as_they_decided_and_of_nothing_else():
    steps = {name: edited(name) for name in ("a.on", "a.shadow", "a.denied", "b.bypassed")}
    steps["a.denied"] = edited("denied", Effect.LOSSY)
    policies = {name: Followed(name, step) for name, step in steps.items()}
    line = pipeline(
        *(Fixed("a.x", edited("x")), *policies.values()),
        effects=frozenset(Effect) - {Effect.LOSSY},
        shadow=("a.shadow",),
    )
    one = call(controls=Controls(bypass=frozenset({"b"})))
    made = engine()
    plan = await made.plan(one, line)
    assert not any(policy.told for policy in policies.values())
    made.depart(plan, line)
    on = steps["a.on"]
    assert policies["a.on"].told == [("depart", on)]
    made.land(plan, line)
    assert policies.pop("a.on").told == [("depart", on), ("land", on)]
    assert not any(policy.told for policy in policies.values())


async def test_the_holdout_is_not_under_way():
    policy = Followed("a.x", edited("1"))
    made, line = engine(), pipeline(policy, holdout=1.0)
    made.depart(await made.plan(call(), line), line)
    assert policy.told == []


async def test_a_policy_that_raises_as_a_request_departs_is_counted():
    class Raising(Followed):
        def depart(self, call, step):
            raise RuntimeError

    last = Followed("b.x", Skip("no"))
    made, line = engine(), pipeline(Raising("a.x", Skip("no")), last)
    made.depart(await made.plan(call(), line), line)
    assert [word for word, _ in last.told] == ["depart"]
    assert made.failed == ["a.x"]


async def test_a_turn_drifts_when_it_is_sent_and_not_when_it_is_planned():
    made = engine()
    policy = Fixed("a.x", edited("1"))
    line = pipeline(policy)
    await made.sent(await made.plan(call(), line))
    policy.step = edited("2" * 99)
    for _ in range(3):
        plan = await made.plan(call(), line)
    assert (plan.drifted, plan.rows[0].mode, made.drifts) == (True, "guarded", [])
    made.depart(plan, line)
    assert made.drifts == [1]
    assert not any(outcome.refused for outcome in policy.told)
    await made.settle(plan, line, Outcome(200))
    assert (policy.told[-1].applied, policy.told[-1].refused) == (False, True)
    await made.settle(plan, line, Outcome(200, applied=False))  # as of `/v1/compress`
    assert not policy.told[-1].refused


class After(Fixed):
    """Decides where nobody has edited before."""

    async def plan(self, call, view):
        return self.step if call.came is None else Skip("nothing to gain")


async def test_where_edits_are_left_off_no_other_policy_edits_instead():
    made = engine()
    policy = Fixed("a.x", edited("1"))
    line = pipeline(policy, After("b.x", edited("3" * 99)))
    await made.sent(await made.plan(call(), line))
    policy.step = edited("2" * 99)
    plan = await made.plan(call(), line)
    assert plan.call.body.raw == plan.watched.body.raw == call().body.raw
    assert [row.mode for row in plan.rows] == ["guarded", "guarded"]


async def test_where_edits_are_left_off_the_answer_to_what_came_counts():
    made = engine()
    policy = Fixed("a.x", edited("1"))
    line = pipeline(policy, After("b.x", HIT))
    await made.sent(await made.plan(call(), line))
    policy.step = edited("2" * 99)
    plan = await made.plan(call(), line)
    assert (plan.final, plan.rows[1].mode) == (HIT, "on")


async def test_of_edits_that_are_left_off_each_policy_is_told_with_what_was_sent():
    made = engine()
    first, second = Fixed("a.x", edited("1")), Fixed("b.x", edited("1"))
    line = pipeline(first, second)
    await made.sent(await made.plan(call(), line))
    first.step, second.step = edited("2"), edited("3" * 99)
    plan = await made.plan(one := call(), line)
    await made.settle(plan, line, Outcome(200))
    assert [policy.told[0].refused for policy in (first, second)] == [True, True]
    assert [policy.calls[0].body for policy in (first, second)] == [one.body, one.body]


async def test_an_edit_goes_that_drifts_less_than_what_came():
    made = engine()
    policy = Fixed("a.x", edited("1"))
    line = pipeline(policy)
    await made.sent(await made.plan(call(), line))
    policy.step = edited("2")
    plan = await made.plan(call(), line)
    assert (plan.drifted, plan.rows[0].mode, plan.call.body) == (True, "on", policy.step.body)
    made.depart(plan, line)
    assert made.drifts == [1]
    await made.sent(plan)
    plan = await made.plan(call(), line)
    assert (plan.drifted, plan.rows[0].mode) == (False, "on")


class Doubting(Fixed):
    """Knows better on second thoughts, or fails to have any."""

    every_plan = True

    def __init__(self, name, step, second):
        super().__init__(name, step)
        self.second = second

    async def doubt(self, call):
        self.seen.append("doubt")
        if isinstance(self.second, Exception):
            raise self.second
        self.step = self.second


async def test_what_does_not_go_on_is_thought_over_once():
    made = engine()
    right = edited("1")
    await made.sent(await made.plan(call(), pipeline(Fixed("a.x", right))))
    policy = Doubting("a.x", edited("2"), right)
    line = pipeline(policy)
    plan = await made.plan(call(), line)
    assert (plan.drifted, plan.call.body, plan.aside) == (False, right.body, ())
    policy.step = policy.second = edited("2")
    plan = await made.plan(call(), line)
    assert (plan.drifted, policy.seen.count("doubt"), len(policy.seen)) == (True, 2, 6)


async def test_a_plan_that_is_only_looked_at_makes_nobody_doubt():
    made = engine()
    await made.sent(await made.plan(call(), pipeline(Fixed("a.x", edited("1")))))
    policy = Doubting("a.x", edited("2" * 99), edited("1"))
    plan = await made.on_trial().plan(call(), pipeline(policy))
    assert (plan.drifted, "doubt" in policy.seen) == (True, False)


async def test_what_cannot_be_thought_over_goes_as_it_may():
    made = engine()
    await made.sent(await made.plan(call(), pipeline(Fixed("a.x", edited("1")))))
    policy = Doubting("a.x", edited("2" * 99), RuntimeError())
    plan = await made.plan(call(), pipeline(policy))
    assert (plan.drifted, plan.rows[0].mode, made.failed) == (True, "guarded", ["guard"])


async def test_a_turn_without_edits_is_remembered_where_another_worker_may_edit_it():
    for memo, remembered in ((None, False), ("news", True)):
        made = engine()
        policy = Doubting("a.x", Skip("no time", memo), edited("1"))
        line = pipeline(policy, effects=frozenset({Effect.LOSSLESS}))
        await made.sent(await made.plan(call(), line))
        policy.step = edited("1")
        plan = await made.plan(call(), line)
        assert (plan.drifted, plan.rows[0].mode == "guarded") == (remembered, remembered)


async def test_stores_are_apart_by_policy_and_tenant():
    made = engine()
    line = pipeline(Fixed("a.x", Skip("")), Fixed("b.x", Skip("")))
    for tenant in ("t", "u"):
        await made.plan(call(tenant=tenant), line)
    assert set(made.shelves) == {("a.x", "t"), ("b.x", "t"), ("a.x", "u"), ("b.x", "u")}


async def test_settling_survives_a_policy_that_raises():
    made = engine()

    class Raising(Fixed):
        async def settle(self, call, step, outcome, store):
            raise RuntimeError

    last = Fixed("b.x", Skip("", "memo"))
    line = pipeline(Raising("a.x", Skip("", "memo")), last)
    await made.settle(await made.plan(call(), line), line, Outcome(200))
    assert last.settled
    assert made.failed == ["a.x"]


async def test_the_holdout_keeps_its_share_and_a_conversations_side():
    made, line = engine(), pipeline(Fixed("a.x", edited("1")), holdout=0.3)
    sides = []
    for number in range(400):
        one = call({"messages": [{"role": "user", "content": f"hello {number}"}]})
        plan = await made.plan(one, line)
        longer = [*one.doc()["messages"], {"role": "assistant", "content": "x"}]
        later = replaced(one, body=call({"messages": longer}).body)
        assert (await made.plan(later, line)).holdout == plan.holdout
        assert plan.rows[0].applied != plan.holdout
        sides.append(plan.holdout)
    assert 0.2 < sum(sides) / len(sides) < 0.4
