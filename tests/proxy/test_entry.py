from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Effect
from policies.base.plan import Outcome, Row
from policies.base.step import Refuse, Send, Skip
from policies.base.usage import Usage
from proxy.prices import UNKNOWN, Price, Rates
from tests.fakes.finished import (
    MISS,
    PRICE,
    USAGE,
    a_plan,
    a_row,
    an_answer,
    an_edit,
    an_entry,
)

counts = st.integers(0, 200_000)
usages = st.builds(Usage, counts, counts, counts, counts)
prices = st.builds(
    Price, rates=st.builds(Rates, st.floats(0, 50), st.floats(0, 50)), read=st.floats(0, 1)
)
modes = st.sampled_from(["on", "shadow", "holdout", "denied"])
names = st.sampled_from(["a.one", "a.two", "b.three"])
edits = st.builds(an_edit, st.none() | counts, st.none() | counts)
steps = edits | st.just(Skip("none")) | st.just(Send(("x",), "cheap"))
rows = st.builds(a_row, names, steps, modes)
shadow_answers = st.builds(a_row, names, st.builds(an_answer), st.just("shadow"))
pipelines = st.lists(rows | shadow_answers, max_size=6)


def plan_of(before: list[Row], ending: str):
    if ending == "hit":
        answer = an_answer()
        return a_plan([*before, a_row("cache.exact", answer)], answer)
    return a_plan(before)


@given(pipelines, st.sampled_from(["miss", "hit", "coalesced"]), usages, prices)
def test_applied_steps_sum_to_what_the_request_saved(before, ending, usage, price):
    outcome = Outcome(200, "openai", usage=usage, collapsed=ending == "coalesced")
    entry = an_entry(plan_of(before, ending), outcome, price)
    request = entry.request
    applied = [step for step in entry.steps if step.applied]
    saved = sum(step.tokens_before - step.tokens_after for step in applied)
    assert saved == request.tokens_before - request.tokens_after
    usd = sum(step.usd_before - step.usd_after for step in applied)
    assert usd == pytest.approx(request.usd_direct - request.usd, abs=1e-9)


@given(pipelines, st.sampled_from(["miss", "hit", "coalesced"]), usages, prices)
def test_each_step_begins_where_the_last_applied_one_ended(before, ending, usage, price):
    outcome = Outcome(200, "openai", usage=usage, collapsed=ending == "coalesced")
    entry = an_entry(plan_of(before, ending), outcome, price)
    tokens, usd = entry.request.tokens_before, entry.request.usd_direct
    for number, step in enumerate(entry.steps):
        assert step.n == number
        assert (step.tokens_before, step.usd_before) == (tokens, usd)
        if step.applied:
            tokens, usd = step.tokens_after, step.usd_after
    assert tokens == entry.request.tokens_after
    assert usd == pytest.approx(entry.request.usd, abs=1e-9)


@given(pipelines, usages)
def test_without_a_price_tokens_still_telescope(before, usage):
    entry = an_entry(a_plan(before), Outcome(200, usage=usage), UNKNOWN)
    request = entry.request
    assert (request.usd, request.usd_direct) == (None, None)
    saved = sum(step.tokens_before - step.tokens_after for step in entry.steps if step.applied)
    assert saved == request.tokens_before - request.tokens_after


def test_a_miss_costs_its_usage():
    request = an_entry().request
    assert (request.uncached, request.read, request.write, request.output) == (800, 200, 0, 50)
    assert request.usd == request.usd_direct == pytest.approx((820 * 2 + 50 * 10) / 1e6)
    assert (request.cache, request.tokens_before, request.tokens_after) == ("MISS", 1050, 1050)


def test_an_edit_saves_at_the_price_of_the_mix_and_not_at_list_price():
    entry = an_entry(a_plan([a_row("compress.lossless", an_edit(1400, 1000))]))
    # 1,000 tokens of prompt cost as much as 820 uncached ones.
    each = 0.82 * 2 / 1e6
    assert entry.request.usd_direct - entry.request.usd == pytest.approx(400 * each)
    [step] = entry.steps
    assert (step.decision, step.applied, step.effect) == ("edit", True, "lossless")
    assert (step.tokens_before, step.tokens_after) == (1450, 1050)


def test_an_edit_that_adds_tokens_counts_against_us():
    entry = an_entry(a_plan([a_row("prefix.marks", an_edit(1000, 1010))]))
    assert entry.request.tokens_before == entry.request.tokens_after - 10
    assert entry.request.usd_direct < entry.request.usd


@pytest.mark.parametrize(("tier", "word"), [("exact", "HIT"), ("semantic", "SEMANTIC_HIT")])
def test_a_hit_costs_nothing_and_saves_all(tier, word):
    answer = an_answer(tier=tier)
    plan = a_plan([a_row("compress.x", an_edit(1100, 1000)), a_row("cache.exact", answer)], answer)
    entry = an_entry(plan, Outcome(200))
    request = entry.request
    assert (request.cache, request.usd, request.tokens_after) == (word, 0.0, 0)
    assert (request.uncached, request.output) == (0, 0)
    assert entry.billed == Usage()
    assert request.tokens_before == 1150
    assert request.usd_direct == pytest.approx(PRICE.cost(USAGE) + 100 * PRICE.input_token(USAGE))
    assert [step.decision for step in entry.steps] == ["edit", "answer"]


def test_a_hit_on_a_reply_without_usage_is_free_and_its_worth_unknown():
    answer = an_answer(usage=None)
    request = an_entry(a_plan([a_row("cache.exact", answer)], answer), Outcome(200)).request
    assert (request.usd, request.usd_direct, request.tokens_before) == (0.0, None, 0)


def test_a_follower_is_free_and_a_step_of_its_own_says_why():
    entry = an_entry(a_plan(MISS), Outcome(200, "openai", usage=USAGE, collapsed=True))
    assert (entry.request.cache, entry.request.usd) == ("COALESCED", 0.0)
    assert entry.request.usd_direct == pytest.approx(PRICE.cost(USAGE))
    last = entry.steps[-1]
    assert (last.n, last.policy, last.decision, last.applied) == (1, "coalesce", "answer", True)
    assert (last.tokens_before, last.tokens_after) == (1050, 0)


@pytest.mark.parametrize("modes", ["on idle on", "idle on", "idle idle", "on on idle", "idle"])
def test_steps_keep_their_numbers_where_others_are_idle(modes):
    rows = [a_row("a.b", Skip("no"), mode) for mode in modes.split()]
    entry = an_entry(a_plan(rows), Outcome(200, "openai", usage=USAGE, collapsed=True))
    *asked, last = [step.n for step in entry.steps]
    assert asked == [n for n, mode in enumerate(modes.split()) if mode == "on"]
    assert last not in asked


@pytest.mark.parametrize("mode", ["shadow", "holdout", "denied"])
def test_what_is_not_applied_counts_nothing_and_shows_what_it_would_save(mode):
    entry = an_entry(
        a_plan([a_row("compress.x", an_edit(500, 400), mode), a_row("cache.y", an_answer(), mode)])
    )
    assert entry.request.usd == entry.request.usd_direct
    assert [(step.applied, step.tokens_after) for step in entry.steps] == [(False, 950), (False, 0)]


def test_a_failed_request_costs_and_saves_nothing():
    entry = an_entry(a_plan([a_row("compress.x", an_edit(500, 400))]), Outcome(502, error="x"))
    request = entry.request
    assert (request.usd, request.usd_direct, request.tokens_before) == (0.0, 0.0, 0)
    assert entry.steps[0].tokens_before == entry.steps[0].tokens_after
    assert request.error == "x"


def test_a_reply_that_reported_nothing_has_no_known_cost():
    assert an_entry(outcome=Outcome(200)).request.usd is None


def test_a_refusal():
    refuse = Refuse(429, "budget", "spent")
    entry = an_entry(a_plan([a_row("guard.budget", refuse)], refuse), Outcome(429))
    assert (entry.request.usd, entry.request.status) == (0.0, 429)
    assert [(step.decision, step.why) for step in entry.steps] == [("refuse", "spent")]


def test_columns_are_plain_values():
    entry = an_entry(a_plan([a_row("compress.x", an_edit(5, 4))], stream=True))
    for row in (entry.request, *entry.steps):
        for value in msgspec.structs.astuple(row):
            assert type(value) in (str, int, float, type(None))
    assert entry.steps[0].effect == Effect.LOSSLESS.value


def test_a_long_reason_is_cut():
    entry = an_entry(a_plan([a_row("x.y", Skip("w" * 10_000))]))
    assert len(entry.steps[0].why) == 200
