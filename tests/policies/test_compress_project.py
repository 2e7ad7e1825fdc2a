import json

import pytest
from backends import call
from pydantic import ValidationError

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.compress_project import Project


class Shelf:
    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, 0.0, ttl, model)


RULE = {"look": {"keep": ("items[].id", "total"), "drop": ()}}


@pytest.fixture
def project():
    made = []

    def make(tools=RULE, **settings):
        made.append(Project(Project.Settings(tools=tools, **({"budget": 30.0} | settings))))
        return made[-1]

    yield make
    for policy in made:
        policy._sight.close()


async def sent(policy, one, shelf=None):
    shelf = shelf or Shelf()
    step = await policy.plan(one, View(shelf, 0.0))
    await policy.settle(one, step, Outcome(200), shelf)
    return step


ITEMS = [{"id": n, "price": 1.50, "text": f"the text of item {n}"} for n in range(3)]
FOUND = json.dumps({"items": ITEMS, "total": 3, "page": 1})
SHORT = '{"items":[{"id":0},{"id":1},{"id":2}],"total":3}'


def asked(number, name="look"):
    function = {"name": name, "arguments": "{}"}
    calls = [{"id": f"c{number}", "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(text, number):
    return {"role": "tool", "tool_call_id": f"c{number}", "content": text}


def chat(*results, name="look"):
    listed = [{"role": "user", "content": "hi"}]
    for number, text in enumerate(results):
        listed += [asked(number, name), result(text, number)]
    return {"messages": listed}


def contents(step):
    return [m["content"] for m in step.body.json()["messages"] if m["role"] == "tool"]


async def test_only_the_named_fields_of_the_named_tool_go_upstream(project):
    step = await sent(project(), call(chat(FOUND)))
    assert isinstance(step, Edit)
    assert contents(step) == [SHORT]
    assert (
        step.why
        == f"1 text, {step.tokens_before - step.tokens_after} tokens fewer, 7 values left out"
    )
    assert step.effect == "lossy"


async def test_other_tools_and_results_without_a_call_stay(project):
    assert isinstance(await sent(project(), call(chat(FOUND, name="other"))), Skip)
    alone = {"messages": [{"role": "user", "content": "x"}, result(FOUND, 0)]}
    assert isinstance(await sent(project(), call(alone)), Skip)


@pytest.mark.parametrize(
    "text", ["not found", FOUND[:-1], FOUND + FOUND, '{"error": "no such item"}', "", "[]"]
)
async def test_what_does_not_fit_the_rule_goes_as_it_came(project, text):
    assert isinstance(await sent(project(), call(chat(text))), Skip)


async def test_a_result_at_which_an_expression_fails_goes_as_it_came(project, caplog):
    policy = project({"look": {"drop": ("items[?length(id) > `0`]",)}})
    step = await sent(policy, call(chat(FOUND, '{"items": [{"id": "x", "y": 1}], "z": 2}')))
    assert contents(step) == [FOUND, '{"items":[],"z":2}']
    assert "JMESPathTypeError" in caplog.text
    assert "item 1" not in caplog.text


async def test_one_id_for_two_tools_in_turn(project):
    """Each result follows the rule of the call before it, though both look the same."""
    rules = {"look": {"keep": ("total",)}, "other": {"drop": ("items",)}}
    doc = {"messages": [{"role": "user", "content": "hi"}]}
    doc["messages"] += [asked(0), result(FOUND, 0), asked(0, "other"), result(FOUND, 0)]
    policy = project(rules)
    for _ in range(2):
        assert contents(await sent(policy, call(doc))) == ['{"total":3}', '{"total":3,"page":1}']


async def test_each_turn_begins_with_the_turn_before_across_restarts(project):
    shelf, before = Shelf(), []
    for turn in range(4):
        step = await sent(project(), call(chat(*[FOUND] * (turn + 1))), shelf)
        assert contents(step) == [SHORT] * (turn + 1)
        listed = step.body.json()["messages"]
        assert listed[: len(before)] == before
        before = listed


async def test_another_rule_makes_another_form(project):
    shelf = Shelf()
    assert contents(await sent(project(), call(chat(FOUND)), shelf)) == [SHORT]
    other = project({"look": {"keep": ("total",)}})
    assert contents(await sent(other, call(chat(FOUND)), shelf)) == ['{"total":3}']


async def test_other_dialects(project):
    use = {"type": "tool_use", "id": "c0", "name": "look", "input": {}}
    answer = {"type": "tool_result", "tool_use_id": "c0", "content": FOUND}
    doc = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [answer]},
        ]
    }
    step = await sent(project(), call(doc, dialect=Dialect.MESSAGES))
    assert step.body.json()["messages"][2]["content"][0]["content"] == SHORT
    doc = {
        "input": [
            {"type": "function_call", "call_id": "c0", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c0", "output": FOUND},
        ]
    }
    step = await sent(project(), call(doc, dialect=Dialect.RESPONSES))
    assert step.body.json()["input"][1]["output"] == SHORT


async def test_all_other_bytes_stay(project):
    raw = json.dumps(chat(FOUND), indent=3)
    step = await sent(project(), call(body=Body(raw.encode())))
    assert step.body.raw.decode() == raw.replace(json.dumps(FOUND), json.dumps(SHORT))


@pytest.mark.parametrize("size", [1_500_000, 50_000_000])
async def test_huge_results_end(project, size):
    text = json.dumps({"items": [{"id": n, "text": "x" * 20} for n in range(size // 40)]})
    step = await sent(project(budget=0.04), call(chat(text)))
    assert isinstance(step, Skip) or len(step.body.raw) < size


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ({}, "at least 1"),
        ({"look": {}}, "say what to keep or what to drop"),
        ({"look": {"keep": ("items[",)}}, "at character 7"),
        ({"look": {"keep": ("length(@)",)}}, "makes a new value"),
        ({"look": {"keep": (7,)}}, "valid string"),
        ({"look": {"only": ("a",)}}, "not permitted"),
    ],
)
def test_wrong_rules_are_refused(tools, message):
    with pytest.raises(ValidationError, match=message):
        Project.Settings(tools=tools)
