import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
from backends import call

from policies import compress_llmlingua
from policies.base.body import Body
from policies.base.call import Dialect, Effect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.compress_llmlingua import LLMLingua

WORKER = Path(__file__).parents[1] / "fakes" / "lingua_worker.py"
SENTENCE = (
    "On day {0} the committee met in the afternoon and discussed the report that the members had "
    "received earlier in the week, but it was not approved, and https://example.org/{0} says so. "
)
PROSE = "".join(map(SENTENCE.format, range(30)))
USER = {"role": "user", "content": "hi"}


class Shelf:
    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, 0.0, ttl, model)


def lines(path):
    return path.read_text().split() if path.exists() else []


def is_there(pid):
    """Also as a zombie."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@pytest.fixture
async def lingua(tmp_path, monkeypatch):
    """Policies with a process that follows a plan; see `tests/fakes/lingua_worker.py`."""
    made = []
    monkeypatch.setattr(compress_llmlingua, "folder", Path)
    monkeypatch.setattr(compress_llmlingua, "fingerprint", str)

    async def make(*plan, **settings):
        command = [sys.executable, str(WORKER), str(tmp_path), *plan]
        monkeypatch.setattr(compress_llmlingua, "command", lambda start: command)
        made.append(LLMLingua(LLMLingua.Settings(**{"budget": 30.0} | settings)))
        await made[-1].setup()
        return made[-1]

    yield make
    for policy in made:
        await policy.aclose()
    assert [pid for pid in lines(tmp_path / "started") if is_there(pid)] == []


def result(text, number=1):
    return {"role": "tool", "tool_call_id": str(number), "content": text}


def chat(*messages):
    return call({"messages": [USER, *messages]})


async def sent(policy, shelf, one):
    step = await policy.plan(one, View(shelf, 0.0))
    await policy.settle(one, step, Outcome(200), shelf)
    return step


def key_of(shelf):
    return min(shelf.kept, key=len)  # places where it was late have longer ones


def contents(step):
    return [message["content"] for message in step.body.json()["messages"]]


async def test_prose_in_a_tool_result_loses_words_and_nothing_else(lingua):
    policy = await lingua("odd")
    step = await sent(policy, Shelf(), chat(result(PROSE)))
    assert isinstance(step, Edit)
    assert step.effect is Effect.LOSSY
    text = contents(step)[1]
    assert len(text) < 0.8 * len(PROSE)
    words = iter(PROSE.split())
    assert all(word in words for word in text.split())  # in order
    for number in range(30):
        assert f"https://example.org/{number} " in text
        assert f"day {number} " in text
    assert text.count(" not ") == 30
    assert step.tokens_after < step.tokens_before
    assert f"{len(PROSE.split()) - len(text.split())} words left out" in step.why


async def test_whatever_the_model_says_what_must_stay_stays(lingua):
    policy = await lingua("none")
    text = contents(await sent(policy, Shelf(), chat(result(PROSE))))[1]
    assert text.startswith("day 0 the ")
    assert text.count("https://example.org/") == 30
    assert text.count(" but ") == text.count(" not approved, and https://") == 30


@pytest.mark.parametrize(
    "content",
    [
        "short. " * 20,
        json.dumps({"text": PROSE}),
        "```\n" + PROSE + "\n```",
        "def f():\n    return 1\n\nclass A:\n    pass\n" + PROSE,
        "diff --git a/x b/x\n" + PROSE,
        "".join(f"2026-01-31 10:00:{n:02} {SENTENCE.format(n)}\n" for n in range(30)),
        "".join(f"| {n} | {SENTENCE.format(n)} |\n" for n in range(30)),
        PROSE * 30,
    ],
)
async def test_what_is_left_alone(lingua, tmp_path, content):
    policy = await lingua("none")
    assert isinstance(await sent(policy, Shelf(), chat(result(content))), Skip)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
async def test_what_people_and_models_say_is_left_alone(lingua, tmp_path, role):
    policy = await lingua("none")
    told = {"role": role, "content": PROSE}
    assert isinstance(await sent(policy, Shelf(), chat(told, result("tool"))), Skip)
    assert not (tmp_path / "asked").exists()


async def test_every_dialect_has_tool_results(lingua):
    policy, shelf = await lingua("odd"), Shelf()
    block = {"type": "tool_result", "tool_use_id": "1", "content": PROSE}
    messages = call(
        body=Body(json.dumps({"messages": [{"role": "user", "content": [block]}]}).encode()),
        dialect=Dialect.MESSAGES,
    )
    output = {"type": "function_call_output", "call_id": "1", "output": PROSE}
    responses = call(body=Body(json.dumps({"input": [output]}).encode()), dialect=Dialect.RESPONSES)
    first = await sent(policy, shelf, messages)
    second = await sent(policy, shelf, responses)
    short = first.body.json()["messages"][0]["content"][0]["content"]
    assert short == second.body.json()["input"][0]["output"]
    assert len(short) < 0.8 * len(PROSE)


async def test_a_later_turn_carries_the_same_bytes_though_a_longer_text_would_differ(
    lingua, tmp_path
):
    """LLMLingua-2's result for a longer text does not begin as that for its beginning does."""
    policy, shelf = await lingua("odd", "none"), Shelf()
    first = await sent(policy, shelf, chat(result(PROSE)))
    again = chat(result(PROSE), {"role": "assistant", "content": "ok"}, result(PROSE + PROSE, 2))
    second = await sent(policy, shelf, again)
    assert second.body.raw.startswith(first.body.raw.removesuffix(b"]}"))
    assert len(contents(second)[3]) < len(PROSE)
    assert (tmp_path / "asked").read_text() == "1\n1\n"


async def test_restarts_and_other_workers_send_the_same_without_the_model(lingua, tmp_path):
    shelf = Shelf()
    first = await sent(await lingua("odd"), shelf, chat(result(PROSE)))
    again = await sent(await lingua("none"), shelf, chat(result(PROSE)))
    assert again.body.raw == first.body.raw
    assert (tmp_path / "asked").read_text() == "1\n"


async def test_another_model_has_forms_of_its_own(lingua, monkeypatch):
    shelf = Shelf()
    first = await sent(await lingua("odd"), shelf, chat(result(PROSE)))
    monkeypatch.setattr(compress_llmlingua, "fingerprint", lambda found: "another")
    second = await sent(await lingua("none"), shelf, chat(result(PROSE)))
    assert second.body.raw != first.body.raw


async def test_several_results_are_judged_side_by_side(lingua, tmp_path):
    policy = await lingua("odd", window=0.5)
    results = [result(PROSE.replace("day", f"day {n}"), n) for n in range(6)]
    step = await sent(policy, Shelf(), chat(*results))
    assert step.why.startswith("6 texts")
    asked = list(map(int, (tmp_path / "asked").read_text().split()))
    assert sum(asked) == 6
    assert len(asked) < 6


async def test_requests_are_judged_together(lingua, tmp_path):
    policy, shelf = await lingua("odd", window=0.5), Shelf()
    talks = [chat(result(PROSE.replace("day", f"day {n}"))) for n in range(6)]
    steps = await asyncio.gather(*(sent(policy, shelf, talk) for talk in talks))
    assert all(isinstance(step, Edit) for step in steps)
    asked = list(map(int, (tmp_path / "asked").read_text().split()))
    assert sum(asked) == 6
    assert len(asked) < 6


async def test_what_is_not_judged_in_time_goes_as_it_came_for_good(lingua, tmp_path):
    policy, shelf = await lingua("slow0.5", "odd", budget=0.05), Shelf()
    one = chat(result(PROSE))
    assert isinstance(await sent(policy, shelf, one), Skip)
    await until(lambda: policy._sight._forms.get((one.tenant, key_of(shelf))).known)
    assert isinstance(await sent(policy, shelf, one), Skip)
    other = call({"messages": [{"role": "user", "content": "other"}, result(PROSE)]})
    assert isinstance(await sent(policy, shelf, other), Edit)


@pytest.mark.parametrize("plan", ["dies", "killed", "noise", "cannot"])
async def test_where_the_model_fails_the_original_goes_for_good_in_this_conversation(lingua, plan):
    policy, shelf = await lingua(plan, "odd"), Shelf()
    one = chat(result(PROSE))
    assert isinstance(await sent(policy, shelf, one), Skip)
    other = call({"messages": [{"role": "user", "content": "other"}, result(PROSE)]})
    end = time.monotonic() + 30
    while isinstance(step := await sent(policy, shelf, other), Skip) and time.monotonic() < end:
        other = call(
            {"messages": [{"role": "user", "content": os.urandom(4).hex()}, result(PROSE)]}
        )
        await asyncio.sleep(0.1)
    assert isinstance(step, Edit)
    assert isinstance(await sent(policy, shelf, one), Skip)


async def test_a_model_that_is_not_there_is_said_in_every_step(lingua):
    policy = await lingua("fails")
    step = await sent(policy, Shelf(), chat(result(PROSE)))
    assert step == Skip("no model: ValueError: no such model", step.memo)


async def test_setup_does_not_wait_for_the_model(lingua):
    policy = await lingua("loads for ever", budget=0.05)
    assert isinstance(await sent(policy, Shelf(), chat(result(PROSE))), Skip)


async def test_without_setup_the_original_goes():
    policy = LLMLingua(LLMLingua.Settings())
    assert isinstance(await sent(policy, Shelf(), chat(result(PROSE))), Skip)
    await policy.aclose()


async def test_setup_tells_what_is_missing(monkeypatch):
    monkeypatch.setattr("policies.compress.lingua_install._PACKAGES", ("no_such_package",))
    policy = LLMLingua(LLMLingua.Settings())
    with pytest.raises(RuntimeError, match="pip install"):
        await policy.setup()
    await policy.aclose()


async def test_the_event_loop_goes_on_while_the_model_judges(lingua):
    policy = await lingua("slow0.3", "odd")
    asked = asyncio.create_task(sent(policy, Shelf(), chat(result(PROSE))))
    ticks = 0
    while not asked.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 5
    assert isinstance(asked.result(), Edit)
