import json
import re
import threading

import pytest
from backends import call, replaced

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.base.terms import Terms
from policies.compress.freeze_places import EXTRACT, listing
from policies.compress.stash_original import Original, marker, name_of
from policies.compress.stash_original import Terms as ToolTerms
from policies.compress_history import History

STUB = "[the result of this earlier call is left out; call the tool again if it is needed]"
NOW = 1_700_000_000.0


class Shelf:
    """A store in a dictionary, at the time `now`."""

    def __init__(self):
        self.kept = {}
        self.now = NOW
        self.gets = 0

    async def get(self, key):
        self.gets += 1
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)


def history(**settings):
    return History(History.Settings(**{"keep": 3, "above": 0, "names": False} | settings))


def observed(number):
    return f"observation {number}: " + f"{number} apples and pears; " * 40


def talk(results, start="go", short=()):
    """A conversation in which tools have answered so often."""
    messages = [{"role": "user", "content": start}]
    for number in range(results):
        function = {"name": "look", "arguments": "{}"}
        made = {"id": str(number), "type": "function", "function": function}
        text = "ok" if number in short else observed(number)
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [made]},
            {"role": "tool", "tool_call_id": str(number), "content": text},
        ]
    return messages


def chat(messages, **fields):
    return call({"messages": messages}, **fields)


async def turn(policy, shelf, one, *, applied=True, status=200, lifetime=300.0):
    view = View(shelf, shelf.now, terms=lambda _: Terms(lifetime=lifetime))
    step = await policy.plan(one, view)
    await policy.settle(one, step, Outcome(status, applied=applied), shelf)
    return step


def masked(step):
    """The numbers of the results that are left out."""
    results = [m for m in step.body.json()["messages"] if m["role"] == "tool"]
    return [number for number, one in enumerate(results) if one["content"] == STUB]


async def test_old_results_are_left_out_in_groups():
    policy, shelf, seen = history(), Shelf(), []
    for count in range(1, 14):
        step = await turn(policy, shelf, chat(talk(count)))
        seen.append(len(masked(step)) if isinstance(step, Edit) else 0)
    assert seen == [0] * 5 + [3] * 3 + [6] * 3 + [9] * 2


async def test_only_texts_of_old_results_change_and_their_tokens_are_counted():
    one = chat(talk(7, short={1}))
    step = await turn(history(), Shelf(), one)
    assert masked(step) == [0, 2]
    doc, was = step.body.json(), one.doc()
    for at in (2, 6):
        doc["messages"][at]["content"] = was["messages"][at]["content"]
    assert doc == was
    before = sum(-(-len(observed(n)) // 4) for n in (0, 2))
    assert (step.tokens_before, step.tokens_after) == (before, 2 * -(-len(STUB) // 4))
    assert step.why == f"2 results left out, {before - step.tokens_after} tokens fewer"


LOG = "\n".join(
    [
        "the build of apple_pie began at /srv/pie and goes on and on without an end in sight" * 3,
        *(
            f"step {n} is done, as everybody who was there could see with their own eyes"
            for n in (1, 2)
        ),
        "ERROR oven at 230 degrees does not open, exit code 7",
        "and so it came to rest, as things do, in the quiet of the evening, when all is said" * 3,
    ]
)


async def test_by_default_failures_stay_and_all_other_values_are_named():
    messages = talk(6)
    messages[2]["content"] = LOG
    step = await turn(history(names=True), Shelf(), chat(messages))
    told = [m["content"] for m in step.body.json()["messages"] if m["role"] == "tool"]
    assert told[0] == (
        f'{STUB}\n[... 3 left out, with apple_pie /srv/pie 1 2 "on without an end in" ...]\n'
        "ERROR oven at 230 degrees does not open, exit code 7\n[... 1 left out ...]\n"
    )
    assert told[1] == f"{STUB}\n[... 5 left out, with 1 ...]\n"
    assert told[3:] == [observed(n) for n in (3, 4, 5)]


async def test_a_result_that_holds_little_but_values_stays():
    messages = talk(6)
    messages[2]["content"] = dense = " ".join(str(n * n) for n in range(1000, 1200))
    step = await turn(history(names=True), Shelf(), chat(messages))
    told = [m["content"] for m in step.body.json()["messages"] if m["role"] == "tool"]
    assert told[0] == dense
    assert told[1].startswith(STUB)


def with_stash(messages, space="compress.stash", own=None):
    """A call to which `compress.stash` has come before: its client has sent these messages."""
    one = chat(messages)
    local = Original(ToolTerms("read_original", 4, 80_000, 60.0), Dialect.CHAT, one.body.raw)
    local.space = space
    return replaced(one, local=local, came=chat(own or messages).body)


async def test_what_is_left_out_can_be_read_by_the_tool_of_compress_stash():
    one = with_stash(talk(6, short={1}))
    told = [m["content"] for m in (await turn(history(), Shelf(), one)).body.json()["messages"]]
    for number in (0, 2):
        found = re.fullmatch(
            r"\[the result of this earlier call is left out\. The original is intact and stored;"
            r' to read it, call read_original with (\{"id": "[0-9a-f]{16}"\})\.\]',
            told[2 + 2 * number],
        )
        assert await one.local.answer(found[1], Shelf()) == (observed(number), False)
    assert told[4] == "ok"


async def test_what_the_client_has_not_sent_so_or_another_tool_gives_cannot_be_read():
    other = talk(6)
    other[2]["content"] = "as it came, and since then another step has been there"
    step = await turn(history(), Shelf(), with_stash(talk(6), own=other))
    told = [m["content"] for m in step.body.json()["messages"] if m["role"] == "tool"]
    assert told[0] == STUB
    assert "read_original" in told[1]
    step = await turn(history(), Shelf(), with_stash(talk(6), space="another"))
    assert masked(step) == [0, 1, 2]


async def test_what_the_client_has_sent_is_looked_through_once_and_in_a_thread(monkeypatch):
    looked = []

    def watched(dialect, raw):
        assert threading.current_thread() is not threading.main_thread()
        looked.append(raw)
        return listing(dialect, raw)

    monkeypatch.setattr("policies.compress.history_stubs.listing", watched)
    one = with_stash(talk(9))
    step = await turn(history(), Shelf(), one)
    assert step.body.raw.count(b"read_original") == 6
    assert looked == [one.came.raw]


def extract(number):
    name = name_of(f"the original {number}")
    return name, marker(name, "read_original", 21, 1900) + observed(number)


async def test_an_extract_is_left_out_and_its_original_can_still_be_asked_for():
    (name, text), messages = extract(0), talk(6)
    messages[2]["content"] = text
    messages[4]["content"] = EXTRACT + "says a tool] " + observed(1)  # and it is none
    step = await turn(history(), Shelf(), chat(messages))
    told = [message["content"] for message in step.body.json()["messages"][2:7:2]]
    assert told[0] == (
        "[the result of this earlier call is left out. The original is intact and stored;"
        f' to read it, call read_original with {{"id": "{name}"}}.]'
    )
    assert told[1:] == [STUB, STUB]


async def test_a_new_epoch_says_how_the_conversation_goes_on_without_it():
    policy, shelf = history(), Shelf()
    first = await turn(policy, shelf, chat(talk(6)))
    assert first.instead == Skip("nothing is left out yet", first.instead.memo)
    between = await turn(policy, shelf, chat(talk(8)))
    assert (masked(between), between.known) == ([0, 1, 2], True)
    second = await turn(policy, shelf, chat(talk(9)))
    assert (len(masked(second)), masked(second.instead), second.known) == (6, [0, 1, 2], False)
    end = first.body.raw.index(b'"model"') if b'"model"' in first.body.raw[-40:] else -2
    assert between.body.raw.startswith(first.body.raw[:end])


async def test_an_epoch_may_be_another_conversations_that_begins_as_this_one():
    policy, shelf = history(), Shelf()
    for count in (6, 9):
        await turn(policy, shelf, chat(talk(count)))
    step = await turn(history(), shelf, chat([*talk(9), {"role": "user", "content": "else"}]))
    ways = [step, step.instead, step.instead.instead]
    assert [len(masked(way)) if isinstance(way, Edit) else 0 for way in ways] == [6, 3, 0]
    assert step.known
    assert step.instead.known


async def test_bytes_in_the_store_that_nobody_has_written_are_no_epoch():
    policy, shelf = history(), Shelf()
    await turn(policy, shelf, chat(talk(6)))
    shelf.kept = {key: Entry(b"masked", NOW, NOW + 100, "m") for key in shelf.kept}
    assert not (await turn(history(), shelf, chat(talk(6)))).known


async def test_what_was_not_sent_is_no_epoch():
    for told in ({"applied": False}, {"status": 500}):
        policy, shelf = history(), Shelf()
        one = chat(talk(6))
        assert (await turn(policy, shelf, one, **told)).instead is not None
        assert shelf.kept == {}
        assert (await turn(policy, shelf, one)).instead is not None


async def test_what_goes_on_instead_begins_no_epoch():
    policy, shelf = history(), Shelf()
    one = chat(talk(6))
    step = await policy.plan(one, View(shelf, NOW))
    await policy.settle(one, step.instead, Outcome(200), shelf)
    assert shelf.kept == {}


async def test_other_workers_and_restarts_leave_out_the_same():
    policy, shelf = history(), Shelf()
    first = await turn(policy, shelf, chat(talk(6)))
    again = await turn(history(), shelf, chat(talk(6)))
    assert (again.body.raw, again.known) == (first.body.raw, True)
    ahead = await turn(history(), shelf, chat(talk(9)))  # by another worker, and known to this one
    assert (await turn(policy, shelf, chat(talk(9)))).body.raw == ahead.body.raw
    other = History(History.Settings(keep=4, above=0))
    assert (await turn(other, shelf, chat(talk(8)))).instead is not None


@pytest.mark.parametrize(
    "change", [{"tenant": "u"}, {"start": "another"}, {"model": "n"}], ids=lambda it: next(iter(it))
)
async def test_conversations_tenants_and_models_are_kept_apart(change):
    policy, shelves = history(), {"t": Shelf(), "u": Shelf()}
    await turn(policy, shelves["t"], chat(talk(6)))
    doc = {"messages": talk(6, change.get("start", "go")), "model": change.get("model", "m")}
    one = call(doc, tenant=change.get("tenant", "t"))
    assert (await turn(policy, shelves[one.tenant], one)).instead is not None


async def test_it_waits_until_the_request_is_long_or_nobody_holds_it_any_more():
    policy, shelf = history(above=100_000), Shelf()
    assert isinstance(await turn(policy, shelf, chat(talk(6))), Skip)
    shelf.now += 320
    assert isinstance(await turn(policy, shelf, chat(talk(7))), Skip)
    shelf.now += 340
    assert (await turn(policy, shelf, chat(talk(8)))).instead is not None
    long = [{"role": "user", "content": "x" * 400_000}, *talk(6)]
    assert (await turn(history(above=100_000), Shelf(), chat(long))).instead is not None


async def test_an_epoch_in_use_is_stored_again_before_it_goes():
    policy, shelf = history(ttl=100.0), Shelf()
    await turn(policy, shelf, chat(talk(6)))
    shelf.now += 60
    await turn(history(ttl=100.0), shelf, chat(talk(7)))
    assert [entry.expires for entry in shelf.kept.values()] == [NOW + 160]


async def test_what_stands_before_a_clients_mark_stays():
    messages = talk(12)
    messages[-1] = messages[-1] | {"cache_control": {"type": "ephemeral"}}
    assert isinstance(await turn(history(), Shelf(), chat(messages)), Skip)


def responses(count):
    said = [{"role": "user", "content": "go"}]
    for number in range(count):
        made = {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"}
        result = {"type": "function_call_output", "call_id": "1", "output": observed(number)}
        said += [made, result]
    return {"input": said}


def anthropic(count):
    said = [{"role": "user", "content": "go"}]
    for number in range(count):
        result = {"type": "tool_result", "tool_use_id": "1", "content": observed(number)}
        said += [{"role": "assistant", "content": "a"}, {"role": "user", "content": [result]}]
    return {"messages": said}


@pytest.mark.parametrize(
    ("dialect", "doc"),
    [(Dialect.RESPONSES, responses(7)), (Dialect.MESSAGES, anthropic(7))],
)
async def test_other_dialects(dialect, doc):
    step = await turn(
        history(), Shelf(), call(body=Body(json.dumps(doc).encode()), dialect=dialect)
    )
    assert step.body.raw.decode().count(STUB) == 3
    assert observed(2) not in step.body.raw.decode()
    assert observed(3) in step.body.raw.decode()


@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES])
async def test_results_that_the_model_has_not_read_yet_stay(dialect):
    """An agent may call many tools at once, or send what a stored response has asked for."""
    doc = {
        Dialect.CHAT: {"messages": talk(6)},
        Dialect.RESPONSES: responses(6),
        Dialect.MESSAGES: anthropic(6),
    }[dialect]
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    results = [each for each in doc[name] if "observation" in json.dumps(each)]
    doc[name] = [doc[name][0], doc[name][1], *results]  # all six of one turn
    one = call(body=Body(json.dumps(doc).encode()), dialect=dialect)
    assert isinstance(await turn(history(), Shelf(), one), Skip)
    doc[name].append(anthropic(1)["messages"][1])
    one = call(body=Body(json.dumps(doc).encode()), dialect=dialect)
    step = await turn(history(), Shelf(), one)
    assert step.body.raw.decode().count(STUB) == 3


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"messages":[{"role":"tool","tool_call_id":1}]}'])
async def test_odd_bodies_are_left_alone(raw):
    assert isinstance(await turn(history(), Shelf(), call(body=Body(raw))), Skip)


async def test_nothing_that_is_sent_waits_until_it_is_counted():
    policy, shelf, asked = history(), Shelf(), []

    def counter(model):
        def count(text):
            asked.append(text)
            return 7

        return count

    view = View(shelf, NOW, counter=counter)
    one = chat(talk(6, short={1}))
    step = await policy.plan(one, view)
    assert asked == []
    assert step.tokens_before == sum(-(-len(observed(n)) // 4) for n in (0, 2))
    assert [message.number for message in step.memo.uncounted] == [2, 6]
    await policy.settle(one, step, Outcome(200), shelf)
    again = await policy.plan(one, view)
    assert (again.tokens_before, again.tokens_after) == (14, 14)
    assert again.memo.uncounted == []


async def test_the_smallest_memory_costs_time_and_nothing_else():
    step = await turn(history(memory=1000), Shelf(), chat(talk(9)))
    assert len(masked(step)) == 6
