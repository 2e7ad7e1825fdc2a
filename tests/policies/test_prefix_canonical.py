import json
import random

import pytest
from backends import call

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.prefix_canonical import CanonicalTools


class Shelf:
    """A store in a dictionary, at the time `now`."""

    def __init__(self):
        self.kept = {}
        self.now = 0.0
        self.puts = 0

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.puts += 1
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)


def canonical(**settings):
    return CanonicalTools(CanonicalTools.Settings(**settings))


def function(name, **fields):
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "number"}}}
    inner = {"name": name, "description": f"does {name}", "parameters": schema}
    return {"type": "function", "function": inner | fields}


def flipped(value):
    """The same value with the keys of every object in reverse."""
    if isinstance(value, dict):
        return {key: flipped(value[key]) for key in reversed(value)}
    return [flipped(each) for each in value] if isinstance(value, list) else value


async def sent(policy, shelf, one, now=None):
    shelf.now = shelf.now if now is None else now
    step = await policy.plan(one, View(shelf, shelf.now))
    await policy.settle(one, step, Outcome(200), shelf)
    return step


TOOLS = [function("one"), function("two"), function("three")]


async def test_shuffled_tools_are_sent_as_first_seen():
    policy, shelf = canonical(), Shelf()
    first = call({"tools": TOOLS})
    assert isinstance(await sent(policy, shelf, first), Skip)
    for seed in range(6):
        shuffled = random.Random(seed).sample(TOOLS, 3)
        step = await sent(policy, shelf, call({"tools": shuffled}))
        if shuffled == TOOLS:
            assert isinstance(step, Skip)
        else:
            assert isinstance(step, Edit)
            assert step.body.raw == first.body.raw


async def test_key_order_and_white_space_are_replayed_too():
    policy, shelf = canonical(), Shelf()
    first = call({"tools": TOOLS})
    await sent(policy, shelf, first)
    step = await sent(policy, shelf, call({"tools": flipped(TOOLS)}))
    assert step.body.raw == first.body.raw
    spaced = json.dumps(json.loads(first.body.raw), indent=1).encode()
    step = await sent(policy, shelf, call(body=Body(spaced)))
    assert json.dumps(TOOLS).encode() in step.body.raw
    assert step.body.json() == first.doc()


async def test_every_byte_outside_the_tools_stays():
    policy, shelf = canonical(), Shelf()
    await sent(policy, shelf, call({"tools": TOOLS}))
    text = json.dumps(TOOLS[::-1])
    raw = '{ "x" : 1.50, "tools":' + text + ' ,"messages":[{"role":"user","content":"\\u00e9é"}] }'
    step = await sent(policy, shelf, call(body=Body(raw.encode())))
    assert step.body.raw.decode() == raw.replace(text, json.dumps(TOOLS))


@pytest.mark.parametrize(
    ("dialect", "fields", "same"),
    [
        (Dialect.CHAT, {}, True),
        (Dialect.CHAT, {"strict": False}, True),
        (Dialect.CHAT, {"strict": True}, False),
        (Dialect.RESPONSES, {}, False),
        (Dialect.RESPONSES, {"strict": False}, True),
        (Dialect.MESSAGES, {}, True),
        (Dialect.MESSAGES, {"strict": True}, False),
    ],
)
async def test_the_order_of_properties_counts_where_tools_are_strict(dialect, fields, same):
    def tool(schema):
        if dialect is Dialect.CHAT:
            return {"type": "function", "function": {"name": "f", "parameters": schema} | fields}
        kind = {"type": "function"} if dialect is Dialect.RESPONSES else {}
        return kind | {"name": "f", "input_schema": schema} | fields

    policy, shelf = canonical(), Shelf()
    properties = {"reasoning": {"type": "string"}, "answer": {"type": "string"}}
    for index, names in enumerate([properties, flipped(properties)]):
        tools = [tool({"type": "object", "properties": names})]
        step = await sent(policy, shelf, call({"tools": tools}, dialect=dialect))
        assert isinstance(step, Edit) is (same and index == 1)


@pytest.mark.parametrize("choice", ["required", {"type": "any"}, {"type": "function"}])
async def test_it_counts_where_a_call_is_forced(choice):
    policy, shelf = canonical(), Shelf()
    await sent(policy, shelf, call({"tools": TOOLS}))
    other = call({"tools": flipped(TOOLS), "tool_choice": choice})
    assert isinstance(await sent(policy, shelf, other), Skip)
    other = call({"tools": TOOLS[::-1], "tool_choice": choice})
    assert isinstance(await sent(policy, shelf, other), Edit)


async def test_the_order_of_other_arrays_always_counts():
    policy, shelf = canonical(), Shelf()
    for values in (["a", "b"], ["b", "a"]):
        tools = [function("f", parameters={"enum": values})]
        assert isinstance(await sent(policy, shelf, call({"tools": tools})), Skip)


@pytest.mark.parametrize(
    "tools",
    [
        [function("f") for _ in range(128)],
        [function("f"), function("f", description="another")],
        [function("f") | {"cache_control": {"type": "ephemeral"}}, function("g")],
        [{"type": "function"}, function("g")],
        [{"name": 5}, function("g")],
        ["f", function("g")],
        [[], function("g")],
        [],
        {"f": 1},
        "tools",
        None,
    ],
)
async def test_what_is_not_known_is_left_alone(tools):
    policy, shelf = canonical(), Shelf()
    for each in (tools, tools[::-1] if isinstance(tools, list) else tools):
        assert isinstance(await sent(policy, shelf, call({"tools": each})), Skip)
    assert not shelf.kept


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[],"tools":[%(b)s,%(a)s],"tools":[%(b)s,%(a)s]}',
        b'{"messages":[],"t\\u006fols":[%(b)s,%(a)s]}',
        b'{"messages":[],"tools":[%(b)s,{"type":"function","type":"function"}]}',
        b'{"messages":[],"tools":[%(b)s,%(a)s]',
        b"[]",
        b"\xff",
    ],
)
async def test_odd_json_is_left_alone(raw):
    policy, shelf = canonical(), Shelf()
    a, b = (json.dumps(function(name)).encode() for name in "ab")
    await sent(policy, shelf, call({"tools": [function("a"), function("b")]}))
    odd = call(body=Body(raw % {b"a": a, b"b": b} if b"%" in raw else raw))
    step = await policy.plan(odd, View(shelf, 0.0))
    assert isinstance(step, Skip)


async def test_the_first_form_wins_over_restarts_and_in_other_workers():
    shelf = Shelf()
    first = call({"tools": TOOLS})
    await sent(canonical(), shelf, first)
    for _ in range(2):
        step = await sent(canonical(), shelf, call({"tools": TOOLS[::-1]}))
        assert step.body.raw == first.body.raw


async def test_a_form_that_another_worker_stored_meanwhile_is_not_replaced():
    one, other, shelf = canonical(), canonical(), Shelf()
    a, b = call({"tools": TOOLS}), call({"tools": TOOLS[::-1]})
    step = await other.plan(b, View(shelf, 0.0))
    await sent(one, shelf, a)
    await other.settle(b, step, Outcome(200), shelf)
    assert (await sent(other, shelf, b)).body.raw == a.body.raw


async def test_a_form_in_use_is_kept_and_written_seldom():
    policy, shelf = canonical(ttl="1d"), Shelf()
    for hour in range(100):
        await sent(policy, shelf, call({"tools": TOOLS}), now=hour * 3600.0)
    assert next(iter(shelf.kept.values())).expires > 100 * 3600.0
    assert shelf.puts < 20


@pytest.mark.parametrize("other", [{"route": "s"}, {"doc": {"model": "n"}}, {"path": "x"}])
async def test_forms_are_kept_apart(other):
    policy, shelf = canonical(), Shelf()
    await sent(policy, shelf, call({"tools": TOOLS}))
    doc = {"tools": TOOLS[::-1]} | other.pop("doc", {})
    assert isinstance(await sent(policy, shelf, call(doc, **other)), Skip)


async def test_a_damaged_form_is_not_sent():
    policy, shelf = canonical(), Shelf()
    await sent(policy, shelf, call({"tools": TOOLS}))
    key, entry = shelf.kept.popitem()
    shelf.kept[key] = Entry(entry.value[:-9], 0.0, 1e9)
    assert isinstance(await sent(canonical(), shelf, call({"tools": TOOLS[::-1]})), Skip)


async def test_memory_is_bounded():
    policy, shelf = canonical(memory=30_000), Shelf()
    for number in range(200):
        await sent(policy, shelf, call({"tools": [function(f"f{number}"), function("g")]}))
    for memory in (policy._forms, policy._usual, policy._sets._tools):
        assert memory._held <= 10_000
    assert len(shelf.kept) == 200


async def test_a_body_where_the_tools_only_seem_to_stand_is_left_alone():
    policy, shelf = canonical(), Shelf()
    for _ in range(2):
        await sent(policy, shelf, call({"tools": TOOLS}))
    odd = call({"metadata": TOOLS})
    assert isinstance(await sent(policy, shelf, odd), Skip)
