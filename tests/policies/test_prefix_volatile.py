import gzip
import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backends import call

from policies.base.body import Body
from policies.base.call import Controls, Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.base.terms import Terms
from policies.prefix.volatile_lines import placeholder
from policies.prefix_volatile import VolatileLines
from proxy.histories import Histories

TRACES = Path(__file__).parents[3] / "shared/data/traces"
TERMS = Terms(rule="openai_steps", input=2e-6, read=0.1)


class Desk:
    """A client, a policy and its store; every request comes 100 seconds after the last."""

    def __init__(self, policy=None, kept=None):
        self.policy = policy or VolatileLines(VolatileLines.Settings())
        self.kept = {} if kept is None else kept
        self.now = 1_800_000_000.0

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)

    async def send(self, one, later=100.0):
        self.now += later
        step = await self.policy.plan(one, View(self, self.now, lambda _: TERMS))
        await self.policy.settle(one, step, Outcome(200), self)
        return step

    def restarted(self):
        other = Desk(kept=self.kept)
        other.now = self.now
        return other

    async def taught(self, line="Current time: {}", **fields):
        for _ in range(3):
            await self.send(self.ask(["hello"], line, **fields))
        return self

    def ask(self, turns, line="Current time: {}", rest=None, **fields):
        head = line.format(f"2026-11-24T12:00:{self.now % 997:07.3f}", f"{self.now:.0f}")
        prompt = f"You are helpful.\n{head}\n" + (rest or "Obey the policy.\nBe brief.")
        roles = ("user", "assistant")
        messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
        system = [{"role": "system", "content": prompt}]
        return call({"messages": system + messages}, **fields)


def messages(step):
    return step.body.json()["messages"]


async def test_three_samples_are_enough_to_move_a_line():
    desk = Desk()
    for _ in range(3):
        step = await desk.send(desk.ask(["hello"]))
        assert isinstance(step, Skip)
    one = desk.ask(["hi"])
    step = await desk.send(one)
    assert isinstance(step, Edit)
    system, user = messages(step)
    line = one.doc()["messages"][0]["content"].split("\n")[1]
    assert system["content"] == f"You are helpful.\n{placeholder(1)}\nObey the policy.\nBe brief."
    assert user["content"] == f'hi\n\n<system-line n="2">{line}</system-line>'


async def test_old_turns_keep_their_bytes():
    desk = await Desk().taught()
    turns, before = ["a"], []
    for number in range(5):
        step = await desk.send(desk.ask(turns))
        after = messages(step)
        assert after[: len(before)] == before
        assert len(re.findall("<system-line", after[-1]["content"])) == 1
        before = after
        turns += [f"answer {number}", f"question {number}"]


async def test_a_restart_and_another_worker_go_on_alike():
    desk = await Desk().taught()
    first = messages(await desk.send(desk.ask(["a"])))
    other = desk.restarted()
    second = messages(await other.send(other.ask(["a", "b", "c"])))
    desk.now = other.now
    third = messages(await desk.send(desk.ask(["a", "b", "c", "d", "e"])))
    assert second[: len(first)] == first
    assert third[: len(second)] == second


async def test_a_tool_loop_repeats_its_turn():
    desk = await Desk().taught()
    before = messages(await desk.send(desk.ask(["a", "b", "c"][:1])))
    one = desk.ask(["a"]).doc()
    calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    loop = [*one["messages"], calls, {"role": "tool", "tool_call_id": "1", "content": "x"}]
    loop[0] = desk.ask(["a"]).doc()["messages"][0]
    after = messages(await desk.send(call({"messages": loop})))
    assert after == [*before, *loop[2:]]


async def test_the_same_opening_later_gets_the_time_of_then():
    desk = await Desk().taught()
    first = messages(await desk.send(desk.ask(["hi"])))
    retried = messages(await desk.send(desk.ask(["hi"]), later=5.0))
    later = messages(await desk.send(desk.ask(["hi"])))
    assert retried == first
    assert later[1] != first[1]


async def test_a_conversation_that_began_unedited_stays_so():
    desk = await Desk().taught()
    step = await desk.send(desk.ask(["a", "b", "c"]))
    assert isinstance(step, Skip)
    assert "began unedited" in step.why
    assert isinstance(await desk.send(desk.ask(["a", "b", "c", "d", "e"])), Skip)


async def test_a_conversation_is_forgotten_with_its_entry():
    desk = await Desk().taught()
    await desk.send(desk.ask(["a"]))
    desk.kept = {key: entry for key, entry in desk.kept.items() if entry.expires > desk.now + 9e4}
    assert isinstance(await desk.send(desk.ask(["a", "b", "c"])), Skip)


async def test_an_unapplied_edit_is_not_remembered():
    class Shadowed(Outcome, frozen=True):
        applied: bool = False

    desk = await Desk().taught()
    one = desk.ask(["a"])
    step = await desk.policy.plan(one, View(desk, desk.now))
    assert isinstance(step, Edit)
    await desk.policy.settle(one, step, Shadowed(200), desk)
    assert isinstance(await desk.send(desk.ask(["a", "b", "c"])), Skip)


async def test_a_known_line_moves_at_once_out_of_a_prompt_that_is_otherwise_new():
    desk = await Desk().taught()
    step = await desk.send(desk.ask(["a"], rest="Another program.\nOf another length.\nBegin."))
    assert isinstance(step, Edit)
    other = await desk.restarted().send(
        desk.ask(["a", "b", "c"], rest="Another program.\nOf another length.\nBegin.")
    )
    assert messages(other)[:2] == messages(step)


async def test_a_line_of_other_words_is_not_taken_for_a_known_one():
    desk = await Desk().taught()
    step = await desk.send(desk.ask(["a"], "Deadline of the order: {}", rest="Another program."))
    assert isinstance(step, Skip)


async def test_a_clock_that_jumps_back_changes_nothing():
    desk = await Desk().taught()
    first = messages(await desk.send(desk.ask(["a"])))
    after = messages(await desk.send(desk.ask(["a", "b", "c"]), later=-5e6))
    assert after[: len(first)] == first


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("    t = {}", "code"),
        ("| time | {} |", "table"),
        ('{{"time": "{}"}}', "quotes"),
        ("The time is `{}`", "quotes"),
        ("Session token {}", "security"),
        ("api_key={}", "security"),
        ("Password: {}", "security"),
        ("At {} " + "and so on " * 60, "too long"),
    ],
)
async def test_some_lines_stay(line, why):
    desk = await Desk().taught(line)
    step = await desk.send(desk.ask(["hi"], line))
    assert isinstance(step, Skip)
    assert why in step.why


async def test_a_line_in_a_code_fence_stays():
    line = "```\ntime {}\n```"
    desk = await Desk().taught(line)
    step = await desk.send(desk.ask(["hi"], line))
    assert isinstance(step, Skip)
    assert "code" in step.why


async def test_a_value_that_is_referred_to_elsewhere_stays():
    desk = await Desk().taught("Session {}")
    one = desk.ask(["hi"], "Session {}")
    value = one.doc()["messages"][0]["content"].split("\n")[1].removeprefix("Session ")
    quoting = call(one.doc() | {"metadata": {"s": f"in {value}."}})
    step = await desk.policy.plan(quoting, View(desk, desk.now))
    assert isinstance(step, Skip)
    assert "referred to" in step.why


@pytest.mark.parametrize("name", ["cache_control", "prompt_cache_breakpoint"])
@pytest.mark.parametrize("place", ["top", "message", "part", "tool"])
async def test_a_clients_marks_are_respected(name, place):
    desk = await Desk().taught()
    doc = desk.ask(["hi"]).doc()
    part = {"type": "text", "text": "hi"}
    mark = {name: {"type": "ephemeral"}}
    doc |= mark if place == "top" else {}
    doc["tools"] = [{"type": "function"} | (mark if place == "tool" else {})]
    doc["messages"][1] = {"role": "user", "content": [part | (mark if place == "part" else {})]}
    doc["messages"][1] |= mark if place == "message" else {}
    step = await desk.send(call(doc))
    assert isinstance(step, Skip)
    assert "marks" in step.why


async def test_lines_that_change_now_and_then_stay():
    desk = Desk()
    for number in range(40):
        step = await desk.send(desk.ask(["hi"], f"Day 2026-11-{10 + number // 8}"))
        assert isinstance(step, Skip)


async def test_a_session_id_moves_once_for_each_conversation():
    desk = Desk()
    for number in range(4):
        turns = ["hi"]
        for _ in range(3):
            line = f"Session 7f3a{number:028x}"
            step = await desk.send(desk.ask(turns, line))
            turns += ["yes", "and"]
        assert isinstance(step, Edit) is (number == 3)
    assert sum("<system-line" in each["content"] for each in messages(step)[1:]) == 1


async def test_an_unknown_form_takes_longer_to_learn():
    desk = Desk()
    words = ["ant", "bee", "cat", "dog", "eel", "fox"]
    found = [await desk.send(desk.ask(["hi"], f"Mood of the day: {word}")) for word in words]
    assert [isinstance(step, Edit) for step in found] == [False] * 5 + [True]


async def test_several_lines_move_together():
    desk = Desk()
    line = "Current time: {}\nIn between.\nRequest 5e0c-{}"
    await desk.taught(line)
    step = await desk.send(desk.ask(["hi"], line))
    system, user = messages(step)
    assert system["content"].split("\n")[1:4] == [placeholder(1), "In between.", placeholder(3)]
    assert re.findall(r'n="(\d)"', user["content"]) == ["2", "4"]
    assert step.why.startswith("lines 2, 4 of the system prompt change with every request")


async def test_the_cost_is_told_without_the_text():
    desk = await Desk().taught(rest="Obey.\n" * 1000)
    steps = [await desk.send(desk.ask(["hi"], rest="Obey.\n" * 1000)) for _ in range(3)]
    told = re.fullmatch(
        r"line 2 of the system prompt changes with every request: "
        r"about (\d+) tokens/request, \$(\d+\.\d\d) a day",
        steps[-1].why,
    )
    assert 1450 < int(told[1]) < 1600
    daily = float(told[2]) / (int(told[1]) * 0.9 * 2e-6)
    assert 864 <= round(daily) <= 2 * 864  # one in 100 seconds; few were seen


async def test_other_dialects():
    for dialect, doc, place in (
        (
            Dialect.MESSAGES,
            {"system": [{"type": "text", "text": "A\n{}\nB"}], "messages": "M"},
            lambda doc: doc["system"][0]["text"],
        ),
        (Dialect.MESSAGES, {"system": "A\n{}\nB", "messages": "M"}, lambda doc: doc["system"]),
        (
            Dialect.RESPONSES,
            {"instructions": "A\n{}\nB", "input": "M"},
            lambda doc: doc["instructions"],
        ),
    ):
        desk = Desk()
        for number in range(4):
            user = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
            text = json.dumps(doc).replace("{}", f"At 2026-11-24 12:0{number}")
            one = call(json.loads(text.replace('"M"', json.dumps(user))), dialect=dialect)
            step = await desk.send(one)
        changed = step.body.json()
        assert place(changed) == f"A\n{placeholder(1)}\nB"
        listed = changed["messages" if dialect is Dialect.MESSAGES else "input"]
        kind = "text" if dialect is Dialect.MESSAGES else "input_text"
        assert listed[0]["content"][1]["type"] == kind
        assert "12:03" in listed[0]["content"][1]["text"]


@pytest.mark.parametrize(
    "doc",
    [
        {"messages": "x"},
        {"messages": [{"role": "system", "content": 5}]},
        {"messages": [{"role": "system", "content": [{"type": "image"}]}]},
        {"messages": [{"role": "system", "content": "You are helpful.\n1\nObey."}, "x"]},
        {"messages": [{"role": "system", "content": "A"}, {"role": "user", "content": None}]},
        {"messages": []},
    ],
)
@pytest.mark.parametrize("dialect", list(Dialect))
async def test_unknown_shapes_are_left_alone(doc, dialect):
    desk = await Desk().taught()
    assert isinstance(await desk.send(call(doc, dialect=dialect)), Skip)


async def test_a_message_with_a_repeated_key_is_left_alone():
    desk = await Desk().taught()
    raw = desk.ask(["hi"]).body.raw
    odd = raw.replace(b'"content": "hi"', b'"content": "ho", "content": "hi"')
    assert odd != raw
    assert isinstance(await desk.send(call(body=Body(odd))), Skip)


async def test_responses_that_go_on_from_a_kept_one_are_left_alone():
    desk = Desk()
    user = [{"role": "user", "content": "hi"}]
    for number in range(5):
        doc = {"instructions": f"A\nAt 12:0{number}\nB", "input": user, "previous_response_id": "r"}
        assert isinstance(await desk.send(call(doc, dialect=Dialect.RESPONSES)), Skip)


async def test_conversations_are_told_apart_by_session():
    desk = await Desk().taught()
    one, two = Controls(session="1"), Controls(session="2")
    first = messages(await desk.send(desk.ask(["hi"], controls=one)))
    await desk.send(desk.ask(["hi"], controls=two))
    after = messages(await desk.send(desk.ask(["hi", "x", "y"], controls=one)))
    assert after[: len(first)] == first


async def test_the_store_holds_no_prompt_but_the_lines_that_moved():
    desk = await Desk().taught()
    await desk.send(desk.ask(["my question"]))
    kept = b"".join(entry.value for entry in desk.kept.values())
    assert b"Current time" in kept
    assert b"Obey" not in kept
    assert b"question" not in kept


async def test_reuse_on_real_conversations_with_a_header_that_changes():
    trace = TRACES / "tau_airline.jsonl.gz"
    if not trace.exists():
        pytest.skip("no data")
    with gzip.open(trace, "rt") as lines:
        rows = [json.loads(line) for line in itertools.islice(lines, 40)]
    plain = await _reuse(rows, None)
    moved = await _reuse(rows, Desk())
    assert moved > 0.95 * plain


async def _reuse(rows, desk):
    """The share of message bytes behind a prefix that was sent before."""
    seen, total, hit = set(), 0, 0
    for row in rows:
        ends = [i for i, each in enumerate(row["messages"]) if each["role"] == "assistant"]
        for end in ends:
            listed = [dict(each) for each in row["messages"][:end]]
            if desk is not None:
                stamp = f"Current time: {desk.now:.0f}\n"
                listed[0]["content"] = stamp + listed[0]["content"]
                step = await desk.send(call({"messages": listed}))
                listed = messages(step) if isinstance(step, Edit) else listed
            prefix, known = "", True
            for each in listed:
                text = json.dumps(each)
                prefix = str(hash(prefix + text))
                known = known and prefix in seen
                seen.add(prefix)
                total += len(text)
                hit += len(text) if known else 0
    return hit / total


def clocked(desk, turns, label="Current time"):
    """A request of `later` = 100 whose system prompt tells its time, and nobody else's."""
    time = datetime.fromtimestamp(desk.now + 100, UTC).isoformat()
    return desk.ask(turns, f"{label}: {time}, request {desk.now:.0f}", rest=f"Job {len(turns)}.")


async def test_a_line_that_tells_the_time_moves_from_the_first_request_on():
    desk = Desk()
    first = await desk.send(clocked(desk, ["hi"]))
    assert isinstance(first, Edit)
    system, user = messages(first)
    assert system["content"].split("\n")[1] == placeholder(1)
    assert "request 18000000" in user["content"]


async def test_its_next_turn_begins_with_what_was_sent_though_a_clock_is_off():
    desk = Desk()
    rest = "Obey."
    told = [f"Now: {datetime.fromtimestamp(desk.now + n, UTC).isoformat()}" for n in (100, 9999)]
    first = await desk.send(desk.ask(["hi"], told[0], rest=rest))
    second = await desk.send(desk.ask(["hi", "ho", "so?"], told[1], rest=rest))
    assert isinstance(first, Edit)
    assert isinstance(second, Edit)
    assert messages(second)[:2] == messages(first)


async def test_what_looks_like_a_secret_stays_though_it_tells_the_time():
    desk = Desk()
    assert isinstance(await desk.send(clocked(desk, ["hi"], "Token issued")), Skip)


def again(raw, history):
    """A call whose body was read on from an earlier one, as a running Penstock reads it."""
    body = Body(raw)
    history.read(body)
    return call(body=body)


async def test_a_prompt_that_never_changes_is_let_alone_at_a_glance_until_it_does():
    desk, history = Desk(), Histories()

    def ask(number, system="You are helpful."):
        said = [
            {"role": "system", "content": system + "\n" + "Obey the policy. " * 300},
            {"role": "user", "content": f"question {number}"},
        ]
        return again(json.dumps({"messages": said}).encode(), history)

    def idle(one):
        return desk.policy.idle(one, TERMS)

    for number in range(31):
        assert not idle(ask(number))
        await desk.send(ask(number))
    for number in range(31, 40):
        await desk.send(ask(number))
    assert "no line" in idle(ask(40))
    other = ask(41, f"The time is {desk.now}.")
    assert not idle(other)
    await desk.send(other)
    assert not idle(ask(42)), "the latest prompt was another"


async def test_learning_goes_on_until_repeats_teach_nothing():
    desk, history = Desk(), Histories()
    ask = [{"role": "system", "content": "Time: 12:00\n" + "Obey the policy. " * 300}]
    raw = json.dumps({"messages": [*ask, {"role": "user", "content": "hello"}]}).encode()
    for _ in range(10):
        await desk.send(again(raw, history))
    assert not desk.policy.idle(again(raw, history), TERMS)
