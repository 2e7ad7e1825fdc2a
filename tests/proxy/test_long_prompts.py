"""Nobody reads a long prompt on the event loop: no policy, no guard, no prediction."""

import asyncio
import json
import threading
import time

import msgspec
import pytest
from backends import call
from finished import a_plan

from policies import discover
from policies.base import prompt
from policies.base.body import Body
from policies.base.call import Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import registry
from policies.base.prompt import LONG
from policies.base.step import Edit, Skip
from policies.base.terms import Terms
from proxy.books import Books
from proxy.cli_explain import _plan_of
from proxy.config.load import loads
from proxy.ledger import Ledger
from proxy.metrics import Metrics
from proxy.pipeline import Pipeline, Stage
from proxy.prices import Prices
from proxy.tokens import Tokens
from tests.proxy.test_engine import Fixed, engine, pipeline
from tests.proxy.test_explain import FILE

RULES = {
    "openai_steps": ("openai", "api.openai.com"),
    "openai_breakpoints": ("openai", "api.openai.com"),
    "anthropic_marks": ("anthropic", "api.anthropic.com"),
    "vllm_blocks": ("vllm", "localhost"),
}
discover()
READERS = [each for each in registry if each.startswith("prefix.") or each == "compress.history"]


def document(name):
    """A long talk with tools' results and documents."""
    said = [{"role": "system", "content": f"{name}\nBe brief."}]
    for number in range(30):
        function = {"name": "f", "arguments": "{}"}
        tool = {"id": f"c{number}", "type": "function", "function": function}
        said += [
            {"role": "user", "content": f"<document>{number} {'word ' * 1000}</document>"},
            {"role": "assistant", "content": None, "tool_calls": [tool]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"{number} {'row ' * 2000}"},
        ]
    tools = [{"type": "function", "function": {"name": "f", "description": "finds"}}]
    return {"model": "m", "messages": said, "tools": tools}


def a_long(name, dialect=Dialect.CHAT):
    body = Body(json.dumps(document(name)).encode())
    assert len(body.raw) > 2 * LONG
    return call(body=body, dialect=dialect)


@pytest.fixture
def on_loop(monkeypatch):
    """How many long bodies were read on the event loop, and elsewhere."""
    counts = [0, 0]

    def watched(dialect, raw, before):
        if len(raw) > LONG:
            counts[threading.current_thread() is not threading.main_thread()] += 1
        return found(dialect, raw, before)

    found = prompt._found
    monkeypatch.setattr(prompt, "_found", watched)
    return counts


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", READERS)
async def test_no_policy_reads_one_on_the_event_loop(name, rule, on_loop):
    kind, host = RULES[rule]
    terms = Terms(rule=rule, backend=kind, host=host, minimum=1024, read=0.1, write=1.25)
    made = engine()
    made._terms = lambda _: terms
    policy = registry[name](registry[name].Settings())
    alone = Pipeline("p", (Stage(policy, False, 5.0),), frozenset(Effect), 0.0)
    dialect = Dialect.MESSAGES if rule == "anthropic_marks" else Dialect.CHAT
    plan = await made.plan(a_long(f"{name} {rule}", dialect), alone)
    assert plan.rows[0].mode == "on", plan.rows[0].step.why
    assert on_loop[0] == 0
    assert on_loop[1] or not policy.reads(plan.original, terms)


async def test_a_guard_reads_what_a_policy_has_made_of_one_elsewhere(on_loop):
    one = a_long("guarded")
    edit = Edit(Body(one.body.raw.replace(b"row", b"line")), "lossless", "because", 10, 5)
    plan = await engine().plan(one, pipeline(Fixed("a.x", edit)))
    assert plan.call.body is edit.body
    assert on_loop == [0, 2]


async def test_reading_does_not_count_against_a_deadline(monkeypatch):
    class Reader(Fixed):
        def reads(self, call, terms):
            return True

        async def plan(self, call, view):
            assert call.body.blocks is not None
            await asyncio.sleep(0)
            return await super().plan(call, view)

    def slow(*args):
        time.sleep(0.1)
        return found(*args)

    found = prompt._found
    monkeypatch.setattr(prompt, "_found", slow)
    made = engine()
    plan = await made.plan(a_long("slow"), pipeline(Reader("a.x", Skip("read"))))
    assert (plan.rows[0].step.why, made.failed) == ("read", [])


async def test_a_fault_before_reading_costs_no_client_its_answer():
    class Faulty(Fixed):
        def reads(self, call, terms):
            raise RuntimeError

    made = engine()
    plan = await made.plan(a_long("faulty"), pipeline(Faulty("a.x", Skip("read"))))
    assert (plan.rows[0].mode, plan.call, made.failed) == ("error", plan.original, ["a.x"])


@pytest.fixture
async def books(tmp_path):
    made = Books(Ledger(tmp_path / "ledger.sqlite3"), Metrics(), Prices.load(), Tokens())
    yield made
    await made.aclose()


def _settled(one):
    terms = Terms(rule="openai_steps", minimum=1024, granularity=128)
    plan = msgspec.structs.replace(a_plan(), original=one, call=one, terms=terms, final=None)
    return plan, Outcome(200, "a", total=0.1)


async def test_predictions_know_of_one_that_was_read_elsewhere(books, on_loop):
    one = a_long("predicted")
    books._allowance = 1e-9  # used up by the reading, which is to be of use
    plan, outcome = _settled(one)
    books.close(plan, outcome, [])
    await asyncio.wait(books._counting)
    assert books.metrics  # writes down all that has ended
    assert on_loop == [0, 1]
    found = books.predictions.predict(one, plan.terms, time.time())
    assert found.shared == found.total


async def test_one_for_which_there_is_no_time_is_not_read(books, on_loop):
    books._allowance = -1e6
    plan, outcome = _settled(a_long("no time"))
    books.close(plan, outcome, [])
    await asyncio.wait(books._counting)
    assert books.metrics
    assert on_loop == [0, 0]


async def test_one_does_not_cost_all_others_theirs(books):
    books._spend(time.perf_counter() - 3600)
    books._looked = time.perf_counter() - 2
    assert books._affords()


async def test_one_that_cannot_be_read_is_accounted_for(books, monkeypatch, caplog):
    async def fails(_):
        raise ValueError("a prompt")

    monkeypatch.setattr("proxy.books.read_apart", fails)
    books.close(*_settled(a_long("unread")), [])
    await asyncio.wait(books._counting)
    assert len(books._closed) == 1
    assert "a prompt" not in caplog.text
    assert "ValueError" in caplog.text


async def test_what_is_explained_is_read_elsewhere(tmp_path, on_loop):
    config = loads(FILE.format(data=tmp_path, rule="openai_steps"), "penstock.yaml", {})
    body = json.dumps(document("explained")).encode()
    plan = await _plan_of(config, [body, body], "chat/completions", "t", diff=False)
    assert plan["prompt_cache"]["tokens"]["shared"] == plan["prompt_cache"]["tokens"]["total"]
    assert on_loop[0] == 0
    assert on_loop[1] > 0
