"""Simulated routes: conversations of any length, whose prompts grow and are read again."""

import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.terms import Terms
from policies.base.usage import Usage
from proxy.guards.rollback import Observed, Rollback, _Sums

TERMS = Terms(rule="openai_breakpoints", read=0.1, write=1.25, input=2e-6)
KEY = ("1:*", "default")


def conversation(chance, lost=0.0, kept=1.0):
    """What its turns are billed: `lost` of them read nothing, an edit kept `kept` of each."""
    size = chance.choice([1500, 3000, 8000])
    held = size if chance.random() < 0.7 else 0
    for _ in range(1 + int(chance.expovariate(1 / chance.choice([1, 4, 12])))):
        size += 20 + int(chance.lognormvariate(5.5, 1.2))
        read = 0 if chance.random() < max(lost, 0.05) else held
        sent = int(size * kept)
        read = min(read, sent)
        yield Usage(read=read, write=sent - read, output=1), size - sent
        held = sent


def run(seed, requests, share=0.5, **edited):
    """The number of the request that had the route switched, or None."""
    chance = random.Random(seed)
    rollback = Rollback()
    under_way = []
    for number in range(1, requests + 1):
        if len(under_way) < 20:
            holdout = chance.random() < share
            turns = conversation(chance, **({} if holdout else edited))
            under_way.append((chance.randbytes(8), holdout, turns))
        at = chance.randrange(len(under_way))
        unit, holdout, turns = under_way[at]
        found = next(turns, None)
        if found is None:
            del under_way[at]
            continue
        usage, removed = found
        rollback.observe(KEY, Observed(unit, usage, TERMS, removed), holdout=holdout)
        if rollback.shadowed(*KEY):
            return number
    return None


def test_a_route_that_is_no_worse_is_left_alone():
    switched = [run(seed, 1500, share) for seed in range(100) for share in (0.1, 0.5)]
    assert len(switched) == 200
    assert sum(number is not None for number in switched) <= 2


def test_a_route_that_loses_reads_is_switched():
    numbers = [run(seed, 15_000, lost=0.15) for seed in range(5)]
    assert None not in numbers
    assert sorted(numbers)[2] < 8000


def test_a_route_that_removes_tokens_and_keeps_its_reads_is_left_alone():
    assert [run(seed, 3000, kept=0.6) for seed in range(10)] == [None] * 10


def test_a_route_that_removes_what_is_cheap_is_left_alone():
    rollback = Rollback()
    for number in range(1000):
        unit = number.to_bytes(4, "big")
        whole = Observed(unit, Usage(read=900 - number % 7, write=100), TERMS)
        less = Observed(unit, Usage(read=400 - number % 7, write=100), TERMS, removed=500)
        rollback.observe(KEY, whole if number % 2 else less, holdout=bool(number % 2))
    assert not rollback.shadowed(*KEY)


def even(rollback, requests, dearer, *, seed=1, first=0):
    """One request to a conversation, whose prices scatter by a fifth."""
    chance = random.Random(seed)
    for number in range(first, first + requests):
        holdout = number % 5 == 0
        price = 0.4 * (1.0 if holdout else 1 + dearer) * (1 + chance.uniform(-0.2, 0.2))
        read = min(1000, max(0, round((1.25 - price) / 1.15 * 1000)))
        usage = Usage(read=read, write=1000 - read, output=1)
        unit = number.to_bytes(4, "big")
        rollback.observe(KEY, Observed(unit, usage, TERMS), holdout=holdout)
        if rollback.shadowed(*KEY):
            return number
    return None


@pytest.mark.parametrize("seed", range(5))
def test_ten_per_cent_are_noticed_soon(seed):
    assert even(Rollback(), 3000, 0.1, seed=seed) < 1500


def test_less_than_the_margin_is_not_worth_a_switch():
    assert even(Rollback(), 20_000, 0.01) is None


def test_what_is_cheaper_is_not_switched():
    assert even(Rollback(), 5000, -0.2) is None


def test_a_route_that_turns_bad_late_is_judged_by_what_it_does_now(monkeypatch):
    monkeypatch.setattr("proxy.guards.rollback._EPOCH", 2000)
    rollback = Rollback()
    assert even(rollback, 10_000, -0.1) is None
    assert even(rollback, 6000, 0.15, first=10_000) is not None


def test_nothing_is_said_before_both_sides_have_been_seen():
    rollback = Rollback()
    for number in range(500):
        for holdout in (False, True)[: 2 if number < 30 else 1]:
            cost = Usage(write=1000) if not holdout else Usage(read=1000)
            observed = Observed(number.to_bytes(4, "big"), cost, TERMS)
            rollback.observe(KEY, observed, holdout=holdout)
    assert not rollback.shadowed(*KEY)


def test_one_giant_conversation_decides_nothing():
    rollback = Rollback()
    for number in range(400):
        usual = Observed(number.to_bytes(4, "big"), Usage(read=900, write=100), TERMS)
        giant = Observed(b"giant", Usage(write=1_000_000), TERMS)
        rollback.observe(KEY, usual, holdout=True)
        rollback.observe(KEY, usual, holdout=False)
        rollback.observe(KEY, giant, holdout=False)
    assert not rollback.shadowed(*KEY)


def test_the_switch_is_told_once_with_both_sides_and_lasts(caplog):
    found = []
    rollback = Rollback(found.append)
    with caplog.at_level(logging.WARNING, "penstock.rollback"):
        assert even(rollback, 10_000, 0.3) is not None
    assert even(rollback, 1000, -0.5) is not None
    [finding] = found
    assert (finding.route, finding.pipeline) == KEY
    assert 0.2 < finding.dearer < 0.4
    assert finding.edited.requests > finding.heldout.requests >= 50
    usd = finding.edited.usd / finding.edited.input
    assert usd > finding.heldout.usd / finding.heldout.input > 0
    assert finding.edited.read / finding.edited.input < finding.heldout.read / finding.heldout.input
    assert len(caplog.records) == 1
    assert "route 1:*, pipeline default: input costs" in caplog.text
    assert rollback.sides(*KEY) is None


def test_routes_and_pipelines_are_judged_apart():
    rollback = Rollback()
    even(rollback, 10_000, 0.3)
    assert rollback.shadowed(*KEY)
    assert not rollback.shadowed(KEY[0], "another")
    assert not rollback.shadowed("another", KEY[1])


def test_usage_that_nobody_reported_says_nothing():
    rollback = Rollback()
    for usage in (Usage(write=1000, estimated=True), Usage(output=9)):
        rollback.observe(KEY, Observed(b"u", usage, TERMS), holdout=False)
    assert rollback.sides(*KEY) is None


def test_a_route_that_pays_for_what_was_free_is_switched():
    free = Terms(rule="vllm_blocks", read=0.0, write=1.0)
    rollback = Rollback()
    for number in range(300):
        usage = Usage(read=100) if number % 2 == 0 else Usage(uncached=100)
        observed = Observed(number.to_bytes(4, "big"), usage, free)
        rollback.observe(KEY, observed, holdout=number % 2 == 0)
    assert rollback.shadowed(*KEY)


def test_free_tokens_that_are_all_read_divide_by_nothing():
    free = Terms(rule="vllm_blocks", read=0.0, write=1.0)
    rollback = Rollback()
    for number in range(300):
        observed = Observed(number.to_bytes(4, "big"), Usage(read=100), free)
        rollback.observe(KEY, observed, holdout=number % 2 == 0)
    assert not rollback.shadowed(*KEY)
    assert rollback.sides(*KEY)[0].usd == 0


@given(
    st.lists(
        st.tuples(st.binary(max_size=1), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1
    )
)
def test_the_running_sums_are_those_of_the_groups(requests):
    sums = _Sums()
    for unit, uncached, read in requests:
        sums.add(Observed(unit, Usage(uncached=uncached, read=read), TERMS))
    pairs = list(zip(sums._paid, sums._tokens, strict=True))
    assert sums._pp == pytest.approx(sum(p * p for p, _ in pairs))
    assert sums._pt == pytest.approx(sum(p * t for p, t in pairs))
    assert sums._tt == pytest.approx(sum(t * t for _, t in pairs))
