"""Traces through schemes: what is charged, what is learnt, what is watched."""

import asyncio
import gzip
import json
from pathlib import Path

import msgspec
import pytest

from policies.base.call import Effect
from policies.base.policy import Base
from policies.base.step import Edit, Refuse, Skip
from proxy.config.load import loads
from proxy.pipeline import Pipeline, Stage
from proxy.prices import Prices
from proxy.replay.report import as_dict, table
from proxy.replay.run import Setup, model_in, pipeline_of, terms_of, traces_through
from proxy.replay.schedule import Pace
from proxy.replay.tally import Tally
from proxy.simulation.rule import Charge
from proxy.simulation.tokens import fourths

TRACES = Path(__file__).parents[4] / "shared/data/traces"
LONG = "A rule of the house that everybody keeps. " * 200
SAFE = loads("version: 1", "none", {}).pipelines["safe"]


def conversation(name, turns=3, opening=LONG):
    messages = [{"role": "system", "content": opening}]
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{name} asks {turn}. " + "Why? " * 100})
        messages.append({"role": "assistant", "content": f"Because of {turn}."})
    return {"id": name, "model": "gpt-4o", "messages": messages}


def write(path, docs):
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(doc).encode() for doc in docs)))
    return path


def stage(policy):
    return Stage(policy, shadow=False, deadline=5.0)


def replayed(paths, model, *pipelines, **more):
    price = Prices.load().of(model)
    setup = Setup(model, price, fourths, **more)
    return asyncio.run(traces_through(paths, setup, pipelines))


def by_name(found):
    return {one.name: one for one in found.schemes}


@pytest.fixture
def trace(tmp_path):
    return write(tmp_path / "t.jsonl.gz", [conversation(name) for name in "ab"])


class Spoken(Base):
    """What each test makes of a policy; sees what it is told."""

    name = "test.spoken"

    def __init__(self, decide):
        self.decide = decide
        self.nows = []
        self.outcomes = []

    async def plan(self, call, view):
        self.nows.append(view.now)
        self.terms = view.terms(call)
        return self.decide(call)

    async def settle(self, call, step, outcome, store):
        self.outcomes.append(outcome)
        await store.put(b"seen", b"1", 15.0)


def piped(policy, name="edited"):
    return Pipeline(name, (stage(policy),), frozenset(Effect), 0.0)


def test_direct_pays_by_the_rule_and_the_oracle_no_more(trace):
    found = by_name(replayed([trace], "gpt-6-sol"))
    direct, oracle = found["direct"], found["oracle"]
    assert direct.requests == oracle.requests == 6
    assert direct.input == oracle.input
    assert direct.read > 0
    assert 0 < oracle.usd < direct.usd  # the system text is shared, and only a mark says so


@pytest.mark.parametrize(
    "model", ["gpt-6-sol", "gpt-5", "claude-sonnet-5", "gemini-2.5-pro", "deepseek-flash", "vllm/a"]
)
def test_the_oracle_is_never_dearer(trace, model):
    found = by_name(replayed([trace], model))
    assert found["oracle"].paid <= found["direct"].paid


def test_marks_that_a_policy_sets_are_read_and_billed(trace):
    def mark(call):
        messages = [dict(message) for message in call.doc()["messages"]]
        part = {"type": "text", "text": messages[0]["content"], "prompt_cache_breakpoint": {}}
        return Edit(call.body.edit({("messages", 0, "content"): [part]}), Effect.EXACT, "marked")

    found = by_name(replayed([trace], "gpt-6-sol", piped(Spoken(mark))))
    assert found["oracle"].read - 60 <= found["edited"].read
    assert found["edited"].read > found["direct"].read
    assert found["edited"].violations == 0
    assert found["edited"].edits == {"test.spoken": 6}


def test_a_policy_sees_the_traces_time_and_usage_and_its_store_forgets(trace):
    policy = Spoken(lambda _: Skip("looked", "memo"))
    replayed([trace], "gpt-6-sol", piped(policy), pace=Pace(gap=7.0))
    assert [b - a for a, b in zip(policy.nows, policy.nows[1:], strict=False)] == [7.0] * 5
    assert policy.terms.rule == "openai_breakpoints"
    assert all(one.usage.input for one in policy.outcomes)
    reply = json.loads(policy.outcomes[0].recording.body)
    assert reply["choices"][0]["message"]["content"] == "Because of 0."


def test_policies_count_as_the_replay_does(trace):
    class Counting(Spoken):
        async def plan(self, call, view):
            self.counted = view.counter(call.model)("one two three")
            return Skip("counted")

    policy = Counting(None)
    setup = Setup(
        "gpt-6-sol", Prices.load().of("gpt-6-sol"), lambda text: b"1234" * len(text.split())
    )
    asyncio.run(traces_through([trace], setup, [piped(policy)]))
    assert policy.counted == 3


def test_tool_results_are_compressed_however_long_it_takes(tmp_path):
    rows = json.dumps([{"id": n, "state": "open"} for n in range(5000)])
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    talk = conversation("a", turns=2)
    talk["messages"][2:2] = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": rows},
    ]
    config = loads(
        "version: 1\npipelines:\n  p: [{use: compress.lossless, budget: 1ms}]\n", "test", {}
    )
    pipeline = asyncio.run(pipeline_of(config.pipelines["p"]))
    found = by_name(replayed([write(tmp_path / "t.gz", [talk])], "gpt-6-sol", pipeline))
    assert found["p"].edits == {"compress.lossless": 2}
    assert found["p"].input < found["direct"].input / 2
    assert found["p"].violations == 0


def test_a_turn_that_is_rewritten_behind_the_guards_back_is_a_violation(trace):
    count = iter(range(100))

    def rewrite(call):
        path = ("messages", 0, "content")
        return Edit(call.body.edit({path: f"{next(count)} {LONG}"}), effect, "numbered")

    effect = Effect.EXACT  # which it is not
    found = by_name(replayed([trace], "gpt-6-sol", piped(Spoken(rewrite))))
    assert found["edited"].violations == 4
    assert found["edited"].read == 0
    assert found["direct"].violations == 0

    effect = Effect.LOSSY  # and so the guard looks: each conversation breaks off once
    found = by_name(replayed([trace], "gpt-6-sol", piped(Spoken(rewrite))))
    assert (found["edited"].violations, found["edited"].drifted) == (2, 4)


def test_tokens_removed_are_counted_by_policy(trace):
    def shorten(call):
        body = call.body.edit({("messages", 0, "content"): "Short."})
        return Edit(body, Effect.LOSSY, "cut", tokens_before=100, tokens_after=30)

    found = by_name(replayed([trace], "gpt-6-sol", piped(Spoken(shorten))))
    assert found["edited"].removed == {"test.spoken": 6 * 70}
    assert found["edited"].input < found["direct"].input


def test_an_edit_that_a_provider_would_refuse_is_counted_and_sent_without(trace):
    def spoil(call):
        return Edit(call.body.edit({("messages", 0, "role"): "nobody"}), Effect.EXACT, "spoilt")

    found = by_name(replayed([trace], "gpt-6-sol", piped(Spoken(spoil))))
    assert found["edited"].rejected == 6
    assert found["edited"].paid == found["direct"].paid


def test_refusals_and_faults_of_policies_are_counted(trace):
    def fail(call):
        raise RuntimeError

    refusing = Spoken(lambda _: Refuse(429, "limit", "enough"))
    found = by_name(
        replayed([trace], "gpt-5", piped(refusing, "refused"), piped(Spoken(fail), "failed"))
    )
    assert found["refused"].refused == 6
    assert found["refused"].input == 0
    assert found["failed"].failed == {"test.spoken": 6}
    assert found["failed"].paid == found["direct"].paid


@pytest.mark.parametrize("model", ["gpt-6-sol", "claude-sonnet-5", "vllm/a"])
def test_a_repeated_request_is_a_hit(tmp_path, model):
    path = write(tmp_path / "t", [conversation("a"), conversation("a")])
    pipeline = asyncio.run(pipeline_of(SAFE))
    found = by_name(replayed([path], model, pipeline))
    assert found["safe"].hits == {"exact": 3}
    assert found["safe"].input < found["direct"].input
    assert found["safe"].spared > 0


def test_hits_end_with_their_lifetime(tmp_path):
    path = write(tmp_path / "t", [conversation("a"), conversation("a")])
    pipeline = asyncio.run(pipeline_of(SAFE))
    found = by_name(replayed([path], "gpt-5", pipeline, pace=Pace(gap=1900.0)))
    assert found["safe"].hits == {}


@pytest.mark.parametrize("model", ["vllm/a", "deepseek-flash"])
def test_an_answer_is_part_of_what_the_next_turn_reads(tmp_path, model):
    doc = conversation("a", turns=2)
    short = replayed([write(tmp_path / "short", [doc])], model).schemes[0]
    doc["messages"][2]["content"] = "A long answer. " * 1000
    long = replayed([write(tmp_path / "long", [doc])], model).schemes[0]
    assert long.input - short.input > 3000
    assert long.uncached - short.uncached < 100


def test_writes_for_longer_are_paid_at_their_own_price():
    price = Prices.load().of("claude-sonnet-5")
    charge = Charge(uncached=100, read=1000, write=500, long=200)
    tally = Tally("any")
    tally.bill(charge, charge.usage(0), price)
    assert tally.paid == pytest.approx(100 + 1000 * 0.1 + 300 * 1.25 + 200 * 2.0)
    assert tally.usd == pytest.approx(tally.paid * 2 / 1e6)


def test_malformed_lines_are_counted_and_nothing_else_suffers(trace, tmp_path):
    good = replayed([trace], "gpt-6-sol")
    rows = gzip.decompress(trace.read_bytes()).split(b"\n")
    bad = [b"{", b"\xff", b'{"messages": [{"role": "user", "content": 5}], "time": 1}', b"7"]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n".join([bad[0], rows[0], bad[1], bad[2], rows[1], bad[3]]))
    found = replayed([path], "gpt-6-sol")
    assert found.malformed == 4
    assert {one.rpartition(": ")[0].partition(":")[2][:1] for one in found.problems} >= {"1", "3"}
    assert found.schemes[0].input == good.schemes[0].input


def test_several_files_are_one_trace(tmp_path, trace):
    parts = [write(tmp_path / name, [conversation(name)]) for name in "ab"]
    both, one = replayed(parts, "gpt-6-sol"), replayed([trace], "gpt-6-sol")
    assert msgspec.to_builtins(both.schemes[0]) == msgspec.to_builtins(one.schemes[0])


def test_the_model_of_a_trace_is_the_first_that_is_named(tmp_path, trace):
    path = tmp_path / "t"
    path.write_bytes(b'{\n{"a": 1}\n{"model": "m"}\n{"model": "n"}')
    assert model_in([path]) == "m"
    assert model_in([trace]) == "gpt-4o"


def test_terms_are_those_of_the_usual_provider():
    terms = terms_of(Prices.load().of("claude-sonnet-5"))
    assert (terms.backend, terms.rule, terms.write) == ("anthropic", "anthropic_marks", 1.25)
    assert terms_of(Prices.load().of("vllm/a")).backend == "vllm"


def test_the_report_has_every_figure(trace):
    found = replayed([trace], "gpt-6-sol")
    made = as_dict(found)
    assert list(made["schemes"]) == ["direct", "oracle"]
    assert made["schemes"]["direct"]["usd"] == found.schemes[0].usd
    assert 0 < made["schemes"]["oracle"]["input_cost"] < 1
    json.dumps(made)
    assert table(found)


def test_arrivals_that_are_rare_lose_the_cache(tmp_path):
    path = write(tmp_path / "t", [conversation(str(n), turns=1) for n in range(40)])
    often = replayed([path], "gpt-5", pace=Pace(rate=60.0))
    seldom = replayed([path], "gpt-5", pace=Pace(rate=0.001))
    assert often.schemes[0].read > 0 == seldom.schemes[0].read


@pytest.mark.skipif(not TRACES.is_dir(), reason="the shared data is not here")
def test_a_real_trace_gives_the_requests_that_its_description_has():
    found = by_name(replayed([TRACES / "tau_airline.jsonl.gz"], "gpt-6-sol"))
    assert found["direct"].requests == 1163
    assert found["direct"].violations == 0
