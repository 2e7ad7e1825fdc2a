"""What placing costs by the providers' rules: against direct, fixed marks and the oracle."""

import gzip
import json
from pathlib import Path
from random import Random

import pytest
from backends import call

from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.step import Edit
from policies.base.terms import Terms
from policies.prefix_breakpoints import Breakpoints
from proxy.simulation.chat import read
from proxy.simulation.rules import Limits, build
from proxy.simulation.tokens import fourths

DATA = Path(__file__).parents[4] / "shared" / "data"
RULES = ["anthropic_marks", "openai_breakpoints"]
FIELDS = {
    "anthropic_marks": {"cache_control": {"type": "ephemeral"}},
    "openai_breakpoints": {"prompt_cache_breakpoint": {"mode": "explicit"}},
}


def rows(name, most):
    file = DATA / name
    if not file.exists():
        pytest.skip("the shared data are not here")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(most), lines, strict=False)]


def requests(conversation):
    for index, message in enumerate(conversation["messages"]):
        if message["role"] == "assistant":
            yield {
                "model": "m",
                "messages": conversation["messages"][:index],
                "tools": conversation["tools"],
            }


def agents(most, per_minute, pause, seed=1):
    """Conversations that arrive at random, with random pauses (seconds) between turns."""
    dice = Random(seed)
    start, found = 1e9, []
    for conversation in rows("traces/tau_airline.jsonl.gz", most):
        start += dice.expovariate(per_minute / 60)
        now = start
        for request in requests(conversation):
            found.append((now, request))
            now += dice.expovariate(1 / pause)
    return sorted(found, key=lambda event: event[0])


def questions(most, apart, **more):
    texts = [row["question"] for row in rows("qa/nq_open_oracle.jsonl.gz", most)]
    system = {"role": "system", "content": "Answer in a few words."}
    for number, text in enumerate(texts):
        user = {"role": "user", "content": (text + " ") * 150}
        yield 1e9 + number * apart, {"model": "m", "messages": [system, user], **more}


def fixed(*where):
    """Marks at given messages in every request."""

    def edit(doc, rule):
        messages = list(doc["messages"])
        for index in where:
            place = index % len(messages)
            if isinstance(messages[place]["content"], str):
                part = {"type": "text", "text": messages[place]["content"], **FIELDS[rule]}
                messages[place] = {**messages[place], "content": [part]}
        return doc | {"messages": messages}

    return edit


def direct(doc, rule):
    return doc


class Nothing:
    async def get(self, key):
        return None


def done(coroutine):
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


def ours():
    policy = Breakpoints(Breakpoints.Settings())

    def step(event, terms, charged):
        now, doc = event
        one = call(doc)
        made = done(policy.plan(one, View(Nothing(), now, lambda _: terms)))
        charge = charged(json.loads(made.body.raw) if isinstance(made, Edit) else doc, now)
        outcome = Outcome(200, "a", usage=charge.usage(1))
        done(policy.settle(one, made, outcome, Nothing()))
        return charge

    return step


def cost(events, rule, how, lifetime=300.0):
    """Input cost by the rule, relative to no caching at all."""
    terms = Terms(
        *(rule, 1e-6, 1e-6, 0.1, 1.25, 1024, 1, lifetime),
        backend="simulated",
    )
    cache = build(rule, Limits(1024, lifetime, 10**6))
    paid = total = 0.0

    def charged(doc, now):
        return cache.account(read(doc, fourths)[0].prompt, now)

    for event in events:
        if how.__name__ == "step":
            charge = how(event, terms, charged)
        else:
            charge = charged(how(event[1], rule), event[0])
        paid += charge.uncached + 0.1 * charge.read + 1.25 * charge.write
        total += charge.total
    return paid / total


def oracle(events):
    """Every boundary marked, for ever."""
    seen, paid, total = set(), 0.0, 0
    for _, doc in events:
        prompt = read(doc, fourths)[0].prompt
        ends = prompt.ends()
        digests = prompt.digests(ends)
        hits = [end for end, d in zip(ends, digests, strict=True) if d in seen and end >= 1024]
        held = max(hits, default=0)
        seen.update(digests)
        paid += 0.1 * held + 1.25 * (prompt.total - held)
        total += prompt.total
    return paid / total


@pytest.mark.parametrize("rule", RULES)
def test_agents_cost_what_the_oracle_costs(rule):
    events = agents(40, per_minute=60, pause=0.001)
    assert cost(events, rule, ours()) <= 1.02 * oracle(events)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("per_minute", "pause"), [(0.2, 8), (0.2, 1200), (1, 200), (10, 600)])
def test_no_rate_costs_more_than_direct_or_than_the_best_fixed_marks(rule, per_minute, pause):
    events = agents(40, per_minute, pause)
    found = cost(events, rule, ours())
    plain = cost(events, rule, direct)
    others = [cost(events, rule, fixed(*where)) for where in ((-1,), (0,), (0, -1))]
    assert found <= plain
    assert found <= 1.05 * min(plain, *others)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("apart", [0.0, 0.1, 20.0])
def test_questions_that_never_recur_cost_no_more_than_direct(rule, apart):
    events = list(questions(300, apart))
    assert cost(events, rule, ours()) <= 1.01 * cost(events, rule, direct)


TOOLS = [{"type": "function", "function": {"name": "a", "description": "Takes. " * 10}}]


@pytest.mark.parametrize(("most", "apart"), [(5, 0.1), (100, 0.1), (100, 20.0), (600, 2.0)])
@pytest.mark.parametrize("rule", RULES)
def test_what_looks_like_agents_and_is_not_costs_no_more_either(rule, most, apart):
    events = list(questions(most, apart, tools=TOOLS))
    assert cost(events, rule, ours()) <= cost(events, rule, direct)


def test_openai_is_told_in_time_what_nobody_goes_on_from():
    events = list(questions(600, 2.0, tools=TOOLS))
    found = cost(events, "openai_breakpoints", ours())
    assert found <= 0.86 * cost(events, "openai_breakpoints", direct)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("per_minute", "pause"), [(1, 120), (0.2, 280), (10, 299)])
def test_turns_late_in_the_lifetime_cost_no_more_than_direct(rule, per_minute, pause):
    events = steady(60, per_minute, pause)
    assert cost(events, rule, ours()) <= cost(events, rule, direct)


def steady(most, per_minute, pause):
    """Conversations without tools whose turns are `pause` seconds apart."""
    dice = Random(7)
    start, found = 1e9, []
    for number, row in enumerate(rows("traces/tau_airline.jsonl.gz", most)):
        start += dice.expovariate(per_minute / 60)
        own = {"role": "system", "content": f"Customer {number}. " + "Be kind to them. " * 400}
        for turn, request in enumerate(requests(row)):
            messages = [own, *request["messages"][1:]]
            found.append((start + turn * pause, {"model": "m", "messages": messages}))
    return sorted(found, key=lambda event: event[0])
