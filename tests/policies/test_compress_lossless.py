import asyncio
import gc
import gzip
import json
import random
import threading
import time
import weakref
from pathlib import Path

import pytest
from backends import call

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.base.terms import Terms as CacheTerms
from policies.compress import backref, freeze_sight
from policies.compress.backref_again import named
from policies.compress.freeze_form import UNKNOWN
from policies.compress.json_compact import decode
from policies.compress.json_exact import minified
from policies.compress.stash_original import Original, Terms
from policies.compress_lossless import Lossless

DATA = Path(__file__).parents[3] / "shared" / "data"


class Shelf:
    """A store in a dictionary, at the time `now`."""

    def __init__(self):
        self.kept = {}
        self.now = 0.0
        self.gets = self.puts = 0

    async def get(self, key):
        self.gets += 1
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.puts += 1
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)


@pytest.fixture
def lossless():
    made = []

    def make(**settings):
        made.append(Lossless(Lossless.Settings(**{"budget": 30.0} | settings)))
        return made[-1]

    yield make
    for policy in made:
        policy._sight.close()


def table(name, rows=30):
    return json.dumps([{"id": n, "name": f"{name} {n}", "state": "open"} for n in range(rows)])


def result(text, number=1):
    return {"role": "tool", "tool_call_id": str(number), "content": text}


USER = {"role": "user", "content": "hi"}


def chat(*messages, **fields):
    return call({"messages": [USER, *messages]}, **fields)


def uncounted(model):
    """For what must not be counted; loading the vocabulary is no counting."""

    def count(text):
        assert not text
        return 0

    return count


async def sent(policy, shelf, one, counter=None):
    view = View(shelf, shelf.now) if counter is None else View(shelf, shelf.now, counter=counter)
    step = await policy.plan(one, view)
    await policy.settle(one, step, Outcome(200), shelf)
    return step


def contents(step):
    return [message["content"] for message in step.body.json()["messages"]]


async def test_a_tool_result_is_sent_shorter_and_can_be_read_back(lossless):
    text = table("a")
    step = await sent(lossless(), Shelf(), chat(result(text)))
    assert isinstance(step, Edit)
    assert decode(contents(step)[1]) == minified(text)
    assert step.tokens_before == -(-len(text) // 4)
    assert step.tokens_after == -(-len(contents(step)[1]) // 4)
    assert step.why == f"1 text, {step.tokens_before - step.tokens_after} tokens fewer"


async def test_every_byte_outside_the_results_stays(lossless):
    text = json.dumps(table("a"))
    raw = (
        '{ "x":1.50,"messages" : [{"role":"user","content":"\\u00e9"} ,\n{"tool_call_id":"1", '
        '"role" :"tool","content": ' + text + ' }],"model":"m","tools":[ ] }'
    )
    step = await sent(lossless(), Shelf(), call(body=Body(raw.encode())))
    assert step.body.raw.decode() == raw.replace(text, json.dumps(contents(step)[1]))


async def test_all_that_is_new_and_all_that_is_known_is_edited_together(lossless):
    policy, shelf = lossless(), Shelf()
    history = []
    before = b""
    for number in range(5):
        history += [result(table(f"t{number}"), number), {"role": "assistant", "content": "ok"}]
        step = await sent(policy, shelf, chat(*history))
        assert step.why.startswith(f"{number + 1} text")
        assert step.body.raw.startswith(before.removesuffix(b"]}"))
        before = step.body.raw
    assert shelf.puts == 5
    assert shelf.gets == 10  # once before the first sight, once before it is stored


async def test_what_is_known_is_neither_counted_nor_looked_up(lossless):
    policy, shelf = lossless(), Shelf()
    first = await sent(policy, shelf, chat(result(table("a"))))
    gets = shelf.gets

    again = await sent(policy, shelf, chat(result(table("a"))), uncounted)
    assert again.body.raw == first.body.raw
    assert (again.tokens_before, again.tokens_after) == (first.tokens_before, first.tokens_after)
    assert (shelf.gets, again.memo) == (gets, None)


WORDS = ["the", "house", "by", "river", "never", "saw", "old", "men", "with", "bread", "wine"]
PROSE = "\n".join(" ".join(random.Random(n).choices(WORDS, k=9 + n % 7)) for n in range(40))


async def test_what_stands_in_an_earlier_result_is_referred_to(lossless):
    policy, shelf = lossless(), Shelf()
    talk = [result(f"found:\n{PROSE}"), {"role": "assistant", "content": "ok"}, result(PROSE, 2)]
    step = await sent(policy, shelf, chat(*talk))
    note = contents(step)[3]
    assert contents(step)[:3] == ["hi", f"found:\n{PROSE}", "ok"]
    assert note.startswith("[lines 2-41 of message 2 stand here again, from")
    assert backref.decode(note, named(1, contents(step)[1:2])) == PROSE
    later = [*talk, {"role": "assistant", "content": "so"}, result(table("a"), 3), result(PROSE, 4)]
    for one in (policy, lossless()):  # the same bytes in the next turn, and after a restart
        again = await sent(one, shelf, chat(*later))
        assert contents(again)[: len(talk) + 1] == contents(step)
        assert contents(again)[-1].startswith("[lines 2-41 of message 2 stand here again")


async def test_no_reference_leads_to_another(lossless):
    other = "\n".join(" ".join(random.Random(-n).choices(WORDS, k=12)) for n in range(1, 40))
    talk = [result(PROSE), result(f"{PROSE}\n{other}", 2), result(other, 3), result(PROSE, 4)]
    step = await sent(lossless(), Shelf(), chat(*talk))
    first, second, third, fourth = contents(step)[1:]
    assert (first, third) == (PROSE, other)
    assert second.endswith(f"]\n{other}")
    assert fourth.startswith("[lines 1-40 of message 2 ")


async def test_a_reference_leads_to_what_is_sent_and_not_to_what_came(lossless):
    rows = table("a", 60)
    step = await sent(lossless(), Shelf(), chat(result(rows), result(rows, 2)))
    first, second = contents(step)[1:]
    assert decode(first) == minified(rows)
    restored = backref.decode(second, named(1, [first]))
    assert second != restored == first
    assert step.tokens_before - step.tokens_after == 2 * -(-len(rows) // 4) - sum(
        -(-len(text) // 4) for text in (first, second)
    )


@pytest.mark.parametrize(
    "again",
    [
        "import os\n\n\ndef f(x):\n    return x\n" * 20,  # code
        "```\n" + PROSE + "\n```",
        "Nothing of it stands anywhere else.\n" * 2,
    ],
)
async def test_code_and_what_is_new_is_not_referred_to(lossless, again):
    step = await sent(lossless(), Shelf(), chat(result(again), result(again, 2)))
    assert isinstance(step, Skip)


@pytest.mark.parametrize("apart", ["local", "previous_response_id", "conversation"])
async def test_where_the_model_reads_other_messages_too_none_is_named_by_its_number(
    lossless, apart
):
    item = {"type": "function_call_output"}
    outputs = [{**item, "call_id": str(n), "output": text} for n, text in enumerate([PROSE] * 2)]
    whole = {"model": "m", "input": [*outputs, {**item, "call_id": "2", "output": table("a")}]}
    odd = whole if apart == "local" else whole | {apart: "x"}
    fields = {"local": Original(Terms("t", 1, 1, 1.0), Dialect.RESPONSES, b"")}
    seen = []
    for doc, more in ((whole, {}), (odd, fields if apart == "local" else {})):
        one = call(body=Body(json.dumps(doc).encode()), dialect=Dialect.RESPONSES, **more)
        step = await sent(lossless(), Shelf(), one)
        seen.append([each["output"] for each in step.body.json()["input"]])
    assert seen[0][1].startswith("[lines 1-40 of message 1 ")
    assert seen[1] == [PROSE, PROSE, seen[0][2]]
    assert seen[0][2] != table("a")


async def test_what_a_client_has_changed_since_is_not_referred_to(lossless):
    policy, shelf = lossless(), Shelf()
    await sent(policy, shelf, chat(result(PROSE), result(PROSE, 2)))
    step = await sent(policy, shelf, chat(result("gone"), result(PROSE, 2)))
    assert isinstance(step, Skip)


async def test_restarts_and_other_workers_read_it_from_the_store(lossless):
    shelf = Shelf()
    first = await sent(lossless(), shelf, chat(result(table("a"))))

    again = await sent(lossless(), shelf, chat(result(table("a"))), uncounted)
    assert again.body.raw == first.body.raw
    assert shelf.puts == 1


async def test_the_vocabulary_is_loaded_before_the_first_result_comes(lossless):
    policy, shelf = lossless(), Shelf()
    counted, loaded = [], threading.Event()

    def counter(model):
        def count(text):
            counted.append((model, text, threading.current_thread() is threading.main_thread()))
            loaded.set()
            return len(text)

        return count

    step = await sent(policy, shelf, chat(), counter)
    assert isinstance(step, Skip)
    for _ in range(3):
        assert isinstance(
            await sent(policy, shelf, call({"messages": [USER], "tools": []}), counter), Skip
        )
        assert await asyncio.to_thread(loaded.wait, 10)
    assert counted == [("m", "", False)]
    loaded.clear()
    await sent(policy, shelf, call({"model": "n", "messages": [USER], "tools": []}), counter)
    assert await asyncio.to_thread(loaded.wait, 10)
    assert [model for model, *_ in counted] == ["m", "n"]


async def test_the_vocabulary_is_loaded_for_a_long_request_that_offers_tools_too(lossless):
    loaded = threading.Event()
    long = call({"messages": [USER | {"content": "x" * 500_000}], "tools": []})
    step = await sent(lossless(), Shelf(), long, lambda _: lambda _: loaded.set())
    assert isinstance(step, Skip)
    assert await asyncio.to_thread(loaded.wait, 10)


async def test_the_word_tools_in_a_text_loads_nothing(lossless):
    policy = lossless()
    one = call({"messages": [USER | {"content": '"tools"'}], "user": "tools"})
    assert policy.idle(one, CacheTerms()) == "nothing to shorten"


async def test_what_is_known_of_a_conversation_outlives_no_policy():
    """After a reload conversations go on; the policies of before must go."""
    policy, shelf = Lossless(Lossless.Settings(budget=20)), Shelf()
    messages = [USER | {"content": "x" * 5000}, result(table("a"))]
    assert isinstance(await sent(policy, shelf, chat(*messages)), Edit)
    gone = weakref.ref(policy)
    await policy.aclose()
    del policy
    assert isinstance(await sent(Lossless(Lossless.Settings()), shelf, chat(*messages)), Edit)
    gc.collect()
    assert gone() is None


async def test_a_policy_that_is_closed_loads_no_vocabulary(lossless, caplog):
    policy, counted = lossless(), []
    one = call({"messages": [USER], "tools": []})
    step = await sent(policy, Shelf(), one, lambda _: counted.append)
    assert isinstance(step, Skip)
    await policy.aclose()
    await asyncio.sleep(0.1)
    assert counted == []
    assert caplog.records == []


async def test_the_vocabulary_is_loaded_though_all_results_are_known(lossless):
    shelf, loaded = Shelf(), threading.Event()
    await sent(lossless(), shelf, chat(result(table("a"))))
    step = await sent(lossless(), shelf, chat(result(table("a"))), lambda _: lambda _: loaded.set())
    assert isinstance(step, Edit)
    assert await asyncio.to_thread(loaded.wait, 10)


async def test_what_has_no_shorter_form_is_remembered_too(lossless):
    shelf = Shelf()
    prose = "The quick brown fox jumps over the lazy dog, and is not amused by it. " * 12
    for policy in (lossless(), lossless()):
        step = await sent(policy, shelf, chat(result(prose)))
        assert isinstance(step, Skip)
    assert shelf.puts == 1


async def test_a_form_in_use_is_stored_again_before_it_goes(lossless):
    shelf = Shelf()
    await sent(lossless(ttl=100.0), shelf, chat(result(table("a"))))
    for shelf.now, puts in ((40.0, 1), (60.0, 2)):
        await sent(lossless(ttl=100.0), shelf, chat(result(table("a"))))
        assert shelf.puts == puts


@pytest.mark.parametrize("damage", [b"", b"\xff", b"\x95"])
async def test_what_is_damaged_in_the_store_is_made_again(lossless, damage):
    shelf = Shelf()
    first = await sent(lossless(), shelf, chat(result(table("a"))))
    key = next(iter(shelf.kept))
    shelf.kept[key] = Entry(damage, 0.0, 1e9)
    again = await sent(lossless(), shelf, chat(result(table("a"))))
    assert again.body.raw == first.body.raw
    assert shelf.kept[key].value != damage


@pytest.mark.parametrize(
    "change",
    [{"tenant": "u"}, {"doc": {"model": "n"}}, {"settings": {"min_gain": 0.1}}],
    ids=["tenant", "model", "settings"],
)
@pytest.mark.parametrize("long", [False, True])  # what goes on from a known turn is remembered
async def test_forms_are_kept_apart(lossless, change, long):
    change = dict(change)
    policy, shelf = lossless(), Shelf()
    first = {"role": "user", "content": "hi " * 2000} if long else USER
    await sent(policy, shelf, call({"messages": [first, result(table("a"))]}))
    settings = change.pop("settings", None)
    policy = lossless(**settings) if settings else policy
    doc = {"messages": [first, result(table("a"))]} | change.pop("doc", {})
    other = Shelf() if "tenant" in change else shelf
    step = await sent(policy, other, call(doc, **change))
    assert step.memo is not None
    assert isinstance(step, Edit)


class Slow:
    """A counter that waits on its first text until it is told to go on."""

    def __init__(self):
        self.go = threading.Event()
        self.left = 1

    def __call__(self, model):
        def count(text):
            if text and self.left:
                self.left -= 1
                self.go.wait(10)
            return len(text)

        return count


async def late(policy, shelf, *messages):
    """The step of a turn with a result that comes too late, which is there by then."""
    slow = Slow()
    step = await sent(policy, shelf, chat(*messages), slow)
    slow.go.set()
    forms = policy._sight._forms._young
    async with asyncio.timeout(10):
        while not all(form.known for form, _ in forms.values()):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    return step


async def test_what_is_late_goes_as_it_came_in_every_later_turn(lossless):
    policy, shelf = lossless(budget=0.02), Shelf()
    assert isinstance(await late(policy, shelf, result(table("a"))), Skip)
    policy.settings = Lossless.Settings(budget=30.0)
    after = {"role": "assistant", "content": "ok"}
    for worker in (policy, lossless(), lossless()):
        step = await sent(worker, shelf, chat(result(table("a")), after, result(table("b"))))
        assert contents(step)[1] == table("a")
        assert contents(step)[3] != table("b")
    step = await sent(policy, shelf, chat(result(table("a"))))
    assert isinstance(step, Skip)


async def test_the_time_that_a_vocabulary_takes_is_no_time_of_the_texts(lossless):
    policy, loaded = lossless(budget=0.2), []

    def count(text):
        if not loaded:
            time.sleep(0.5)
            loaded.append(True)
        return len(text)

    assert isinstance(await sent(policy, Shelf(), chat(result(table("a"))), lambda _: count), Edit)


async def test_what_is_planned_on_trial_leaves_no_trace(lossless):
    policy, shelf = lossless(budget=0.02), Shelf()
    slow = Slow()
    one = chat(result(table("a")))
    trial = View(shelf, shelf.now, counter=slow, trial=True)
    assert isinstance(await policy.plan(one, trial), Skip)
    slow.go.set()
    policy._sight._workshop._threads.shutdown()
    assert not policy._sight.prepared("m")
    assert not policy._sight._forms._young
    assert not policy._sent._young
    policy = lossless()
    assert isinstance(await policy.plan(one, View(shelf, shelf.now, trial=True)), Edit)
    assert not policy._sent._young
    assert not policy._sight._forms._young


async def test_another_conversation_gets_the_form_that_came_too_late(lossless):
    policy, shelf = lossless(budget=0.02), Shelf()
    await late(policy, shelf, result(table("a")))
    other = {"messages": [{"role": "user", "content": "another"}, result(table("a"))]}
    for worker in (policy, lossless()):
        for _ in range(2):
            assert isinstance(await sent(worker, shelf, call(other)), Edit)
            assert isinstance(await sent(worker, shelf, chat(result(table("a")))), Skip)


def spelt(one, **style):
    return call(body=Body(json.dumps(one.body.json(), **style).encode()))


async def test_what_is_late_stays_so_however_a_client_writes_its_messages(lossless):
    policy, shelf = lossless(budget=0.02), Shelf()
    one = call({"messages": [USER | {"content": "\u00e9"}, result(table("a"))]})
    slow = Slow()
    assert isinstance(await sent(policy, shelf, one, slow), Skip)
    slow.go.set()
    policy.settings = Lossless.Settings(budget=30.0)
    for worker in (policy, lossless()):
        for style in ({"indent": 1}, {"sort_keys": True}, {"ensure_ascii": False}):
            assert isinstance(await sent(worker, shelf, spelt(one, **style)), Skip)


async def test_what_is_late_at_one_place_is_in_time_at_another(lossless):
    policy, shelf = lossless(budget=0.02), Shelf()
    one = result(table("a"))
    await late(policy, shelf, one)
    policy.settings = Lossless.Settings(budget=30.0)
    first = contents(await sent(policy, shelf, chat(one, result(table("a"), 2))))
    assert first[1] == table("a")
    assert first[2] != table("a")
    for worker in (policy, lossless()):
        await worker.doubt(chat(one))
        again = await sent(worker, shelf, chat(one, result(table("a"), 2), result(table("b"), 3)))
        assert contents(again)[:3] == first


async def test_what_another_worker_could_not_read_in_time_is_late_though_its_form_is_known(
    lossless, monkeypatch
):
    shelf, here, hurried = Shelf(), lossless(), lossless(budget=1e-9)
    other = call({"messages": [USER | {"content": "another"}, result(table("a"))]})
    assert isinstance(await sent(here, shelf, other), Edit)
    with monkeypatch.context() as patch:
        patch.setattr(freeze_sight, "_READING", -1.0)
        assert isinstance(await sent(hurried, shelf, chat(result(table("a")))), Skip)
    for _ in range(2):
        assert isinstance(await sent(here, shelf, chat(result(table("a")))), Skip)
        assert isinstance(await sent(here, shelf, other), Edit)


async def test_on_second_thoughts_it_is_asked_what_another_worker_was_late_for(lossless):
    here, elsewhere, shelf = lossless(), lossless(budget=0.02), Shelf()
    one = chat(result(table("a")))
    step = await here.plan(one, View(shelf, 0.0))  # both at the same time
    assert isinstance(await late(elsewhere, shelf, result(table("a"))), Skip)
    assert isinstance(await sent(here, shelf, one), Edit)
    await here.doubt(one)
    assert isinstance(await sent(here, shelf, one), Skip)
    assert isinstance(step, Edit)


@pytest.mark.parametrize("long", [False, True])  # what goes on from a known turn is remembered
async def test_what_a_guard_had_left_off_goes_as_it_came_and_what_comes_later_shorter(
    lossless, long
):
    policy, shelf = lossless(), Shelf()
    first = USER | {"content": "hi " * 2000} if long else USER
    talk = [first, result(PROSE), result(PROSE, 2), result(table("a"), 3)]
    one, two = call({"messages": talk}), call({"messages": [*talk, result(table("b"), 4)]})
    step = await policy.plan(one, View(shelf, 0.0))
    await policy.settle(one, step, Outcome(200, applied=False, supposed=True), shelf)
    assert contents(await policy.plan(one, View(shelf, 0.0))) == contents(step)
    failed = Outcome(429, applied=False, refused=True)  # nothing was cached, and it comes again
    await policy.settle(one, step, failed, shelf)
    assert contents(await policy.plan(one, View(shelf, 0.0))) == contents(step)
    refused = Outcome(200, applied=False, refused=True)
    await policy.settle(one, step, refused, shelf)
    assert isinstance(await policy.plan(one, View(Shelf(), 0.0)), Skip)  # the store is down
    for worker in (policy, lossless()):
        texts = contents(await sent(worker, shelf, two))
        assert texts[:4] == [message["content"] for message in talk]
        assert texts[4] != table("b")
    puts = shelf.puts
    await policy.settle(one, Skip("nothing to gain"), refused, shelf)
    assert shelf.puts == puts  # all that is known


async def test_where_edits_are_left_off_in_every_turn_only_what_is_new_is_read(
    lossless, monkeypatch
):
    policy, shelf, read, numbers = lossless(), Shelf(), freeze_sight.FirstSight._read, []

    def counted(self, call, there, here, until):
        numbers.extend(message.number for message in there[1])
        return read(self, call, there, here, until)

    monkeypatch.setattr(freeze_sight.FirstSight, "_read", counted)
    talk = [result(table(str(number)), number) for number in range(6)]
    for count in range(2, 7):
        one = chat(*talk[:count])
        step = await policy.plan(one, View(shelf, 0.0))
        numbers.clear()
        await policy.settle(one, step, Outcome(200, applied=False, refused=True), shelf)
        assert count in numbers
        assert set(numbers) <= ({count} if count > 2 else {1, 2})


async def test_second_thoughts_that_never_help_are_given_up(lossless):
    policy, shelf, one = lossless(), Shelf(), chat(result(table("a")))
    await sent(policy, shelf, one)
    asked = []
    for _ in range(20):
        await policy.doubt(one)
        before = shelf.gets
        assert isinstance(await sent(policy, shelf, one), Edit)
        asked.append(shelf.gets > before)
    assert asked == [True] * 8 + [False] * 12


async def test_a_form_that_came_too_late_is_stored_when_it_is_used(lossless, monkeypatch):
    monkeypatch.setattr(freeze_sight, "_READING", 60.0)
    policy, shelf = lossless(budget=0.02), Shelf()
    await late(policy, shelf, result(table("a")))
    other = call({"messages": [{"role": "user", "content": "another"}, result(table("a"))]})
    first = await sent(policy, shelf, other)
    again = await sent(lossless(budget=1e-9), shelf, other)
    assert first.body.raw == again.body.raw != other.body.raw


async def test_what_two_workers_learn_at_the_same_time_is_both_stored(lossless):
    shelf = Shelf()
    quick, hurried, slow = lossless(), lossless(budget=0.02), Slow()
    one = chat(result(table("a")))
    other = call({"messages": [{"role": "user", "content": "another"}, result(table("a"))]})
    steps = [await hurried.plan(one, View(shelf, 0.0, counter=slow))]
    steps.append(await quick.plan(other, View(shelf, 0.0)))
    await quick.settle(other, steps[1], Outcome(200), shelf)
    await hurried.settle(one, steps[0], Outcome(200), shelf)
    slow.go.set()
    assert isinstance(await sent(lossless(), shelf, one), Skip)

    assert (await sent(lossless(), shelf, other, uncounted)).body.raw == steps[1].body.raw


async def test_what_was_made_in_time_is_sent_though_the_rest_is_late(lossless):
    policy, shelf = lossless(), Shelf()
    await sent(policy, shelf, chat(result(table("a"))))
    policy.settings = Lossless.Settings(budget=0.02)
    step = await late(policy, shelf, result(table("a")), result(table("b"), 2))
    assert contents(step)[1] != table("a")
    assert contents(step)[2] == table("b")


async def test_a_form_that_cannot_be_made_now_is_late_in_this_conversation(lossless, monkeypatch):
    policy, shelf = lossless(), Shelf()
    one, other = (
        chat(result(table("a"))),
        call({"messages": [USER | {"content": "b"}, result(table("a"))]}),
    )
    with monkeypatch.context() as patch:
        patch.setattr(policy._recipe, "form", lambda spot, count: UNKNOWN)
        assert isinstance(await sent(policy, shelf, one), Skip)
    assert isinstance(await sent(policy, shelf, one), Skip)
    assert isinstance(await sent(policy, shelf, other), Edit)
    assert isinstance(await sent(lossless(), shelf, one), Skip)


async def cut_off(policy, shelf, one):
    """A plan that the engine does not wait for."""
    slow = Slow()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await policy.plan(one, View(shelf, 0.0, counter=slow))
    slow.go.set()


async def test_who_is_cancelled_sends_the_original_from_then_on(lossless):
    policy, shelf, one = lossless(), Shelf(), chat(result(table("a")))
    await cut_off(policy, shelf, one)
    assert isinstance(await sent(policy, shelf, one), Skip)


async def test_what_a_cancelled_plan_was_late_for_is_stored_on_second_thoughts(lossless):
    policy, shelf, one = lossless(), Shelf(), chat(result(table("a")))
    await cut_off(policy, shelf, one)
    await policy.doubt(one)
    for worker in (policy, lossless()):
        assert isinstance(await sent(worker, shelf, one), Skip)


async def test_who_is_cancelled_when_the_forms_are_made_sends_the_original_from_then_on(
    lossless, monkeypatch
):
    policy, shelf = lossless(), Shelf()
    one = chat(result(table("a")), result(table("b"), 2))
    other = call({"messages": [USER | {"content": "b"}, result(table("a"))]})
    with monkeypatch.context() as patch:
        patch.setattr(policy._again, "forms", lambda *_: asyncio.sleep(60))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await policy.plan(one, View(shelf, 0.0))
    for _ in range(2):
        assert isinstance(await sent(policy, shelf, one), Skip)
        assert isinstance(await sent(policy, shelf, other), Edit)


async def test_what_is_not_read_in_time_goes_as_it_came_from_then_on(lossless, monkeypatch):
    policy, shelf = lossless(budget=0.05), Shelf()
    results = [result(table(f"t{n}"), n) for n in range(4)]
    spots, read = policy._recipe.spots, []

    def slow(*given):
        read.append(given)
        time.sleep(0.04)
        return spots(*given)

    with monkeypatch.context() as patch:
        patch.setattr(policy._recipe, "spots", slow)
        first = await policy.plan(one := chat(*results), View(shelf, 0.0))
        assert len(read) < 4
        await policy.settle(one, first, Outcome(200), shelf)
    before = contents(first)[1:] if isinstance(first, Edit) else [table(f"t{n}") for n in range(4)]
    assert before[2:] == [table("t2"), table("t3")]
    policy.settings = Lossless.Settings(budget=30.0)
    for worker in (policy, lossless()):
        step = await sent(worker, shelf, chat(*results, result(table("t4"))))
        assert contents(step)[1:5] == before
        assert contents(step)[5] != table("t4")


async def test_more_than_can_be_read_at_once_goes_as_it_came(lossless, monkeypatch):
    monkeypatch.setattr(freeze_sight, "_AT_ONCE", 3000)
    policy, shelf = lossless(), Shelf()
    results = [result(table(f"t{n}"), n) for n in range(4)]
    for _ in range(2):
        step = await sent(policy, shelf, chat(*results))
        assert contents(step)[1] != table("t0")
        assert contents(step)[-1] == table("t3")


@pytest.mark.parametrize("size", [3_000_000, 50_000_000])
async def test_a_huge_result_is_left_alone(lossless, size):
    step = await sent(
        lossless(budget=0.04), Shelf(), chat(result("a line of the log\n" * (size // 18)))
    )
    assert isinstance(step, Skip)


@pytest.mark.parametrize(
    "text", ["[" * 300_000, "a" * 300_000, "\x1b[A\n" * 60_000, "ab\n" * 90_000]
)
async def test_hostile_results_do_no_harm(lossless, text):
    policy, shelf = lossless(budget=0.2), Shelf()
    step = await sent(policy, shelf, chat(result(text)))
    again = await sent(policy, shelf, chat(result(text)))
    assert type(again) is type(step)
    if isinstance(step, Edit):
        assert again.body.raw == step.body.raw


def anthropic(text):
    block = {"type": "tool_result", "tool_use_id": "1", "content": text}
    return {"messages": [USER, {"role": "user", "content": [block]}]}


def responses(text):
    return {"input": [USER, {"type": "function_call_output", "call_id": "1", "output": text}]}


@pytest.mark.parametrize(
    ("dialect", "doc"), [(Dialect.MESSAGES, anthropic), (Dialect.RESPONSES, responses)]
)
async def test_other_dialects(lossless, dialect, doc):
    one = call(doc(table("a")), dialect=dialect)
    step = await sent(lossless(), Shelf(), one)
    listed = step.body.json()["input" if dialect is Dialect.RESPONSES else "messages"]
    text = listed[1].get("output") or listed[1]["content"][0]["content"]
    assert decode(text) == minified(table("a"))


async def test_what_stands_before_a_clients_mark_stays(lossless):
    policy, shelf = lossless(), Shelf()
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    marked = {"role": "user", "content": [part]}
    step = await sent(policy, shelf, chat(result(table("a")), marked, result(table("b"), 2)))
    assert contents(step)[1] == table("a")
    assert contents(step)[3] != table("b")
    assert isinstance(await sent(policy, shelf, chat(result(table("a")), marked)), Skip)


async def test_users_texts_stay_unless_the_route_opts_in(lossless):
    one = call({"messages": [{"role": "user", "content": table("a")}]})
    assert isinstance(await sent(lossless(), Shelf(), one), Skip)
    step = await sent(lossless(pasted=True), Shelf(), one)
    assert decode(contents(step)[0]) == minified(table("a"))
    prose = call({"messages": [{"role": "user", "content": f"Sum this up:\n{table('a')}"}]})
    assert isinstance(await sent(lossless(pasted=True), Shelf(), prose), Skip)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"m","messages":[{"role":"tool","content":%b}],"messages":[]}',
        b'{"model":"m","messages":[{"role":"tool","content":%b,"content":"b"}]}',
        b'{"model":"m","messages":[{"role":"tool","content":%b}]',
        b'{"model":"m","messages":[{"role":"tool","content":%b,"x":"\\ud800"}]}',
    ],
)
async def test_odd_bodies_are_left_alone(lossless, raw):
    one = call(body=Body(raw % json.dumps(table("a")).encode()))
    assert isinstance(await sent(lossless(), Shelf(), one), Skip)


async def test_other_endpoints_are_left_alone(lossless):
    for dialect in (Dialect.EMBEDDINGS, Dialect.COMPLETIONS, Dialect.OPAQUE):
        one = call({"messages": [USER, result(table("a"))]}, dialect=dialect)
        assert isinstance(await sent(lossless(), Shelf(), one), Skip)


async def test_memory_is_bounded(lossless):
    policy, shelf = lossless(memory=40_000), Shelf()
    for number in range(60):
        await sent(policy, shelf, chat(result(table(f"t{number}"))))
    for memory in (policy._sent, policy._sight._forms):
        assert sum(size for _, size in (*memory._young.values(), *memory._old.values())) <= 20_000
    assert len(shelf.kept) == 60


async def test_nothing_of_the_texts_is_told(lossless):
    step = await sent(lossless(), Shelf(), chat(result(table("secret"))))
    assert "secret" not in step.why


async def test_every_json_payload_comes_back(lossless):
    path = DATA / "json" / "github_webhooks.jsonl.gz"
    if not path.exists():
        pytest.skip("no data here")
    policy, shelf = lossless(), Shelf()
    for line in gzip.decompress(path.read_bytes()).splitlines():
        text = json.dumps(json.loads(line)["payload"], ensure_ascii=False)
        step = await sent(policy, shelf, chat(result(text)))
        assert decode(contents(step)[1]) == minified(text)
