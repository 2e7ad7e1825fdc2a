"""What is told of a line that changes with every request, and what clocks that jump do."""

import contextlib
import itertools
import json
import re
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

import httpx2
import pytest

from tests.fakes.penstock import command, environment, running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked

ROOT = Path(__file__).parents[2]
YAML = """
backends:
  a: {use: openai, base_url: "${URL}/v1"}
  claude: {use: anthropic, base_url: "${URL}/v1"}
routes:
  - {when: {model: "gpt-5"}, send: a}
  - {when: {model: "claude-*"}, send: claude, pipeline: aggressive}
"""
# Put before all else on the path, it moves Unix time by as many seconds as a file says.
CLOCK = """
import os, pathlib, time
_real, _file = time.time, pathlib.Path(os.environ["CLOCK"])
time.time = lambda: _real() + float(_file.read_text() or 0)
"""
LINE = "Request id: "
LONG = "Never give a seat away twice. " * 400
SENTENCE = re.compile(
    r"line 2 of the system prompt changes with every request: about (\d+) tokens/request"
    r"(?:, \$(\d+\.\d\d) a day)?"
)
_client = httpx2.Client(timeout=20, trust_env=False)


class Clock:
    """Moves the time of the processes that are given `env`."""

    def __init__(self, folder):
        (folder / "sitecustomize.py").write_text(CLOCK)
        self._file = folder / "clock"
        self.env = {"CLOCK": str(self._file), "PYTHONPATH": f"{folder}:{ROOT}"}
        self.set(0)

    def set(self, seconds):
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)  # no reader ever finds it half written


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def upstream():
    with PrefixUpstream("openai_steps") as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream, clock):
    with running(YAML, env={"URL": upstream.url, **clock.env}) as server:
        yield server


def body(number):
    system = f"You book flights.\n{LINE}{uuid.uuid4()}\n{LONG}"
    said = [{"role": "system", "content": system}]
    return {"model": "gpt-5", "messages": [*said, {"role": "user", "content": f"What? {number}"}]}


def ask(penstock, number):
    reply = _client.post(penstock.url + "/v1/chat/completions", json=body(number))
    assert reply.status_code == 200
    return reply.headers["x-penstock-steps"]


@pytest.fixture(scope="module")
def told(penstock, clock):
    """The steps' header of each request, ten minutes having passed before the last."""
    found = [ask(penstock, number) for number in range(10)]
    clock.set(600)
    return [*found, ask(penstock, 10)]


def volatile(steps):
    return next(step for step in steps if step["policy"] == "prefix.volatile")


def dollars(why):
    """The daily cost, after checking the tokens: all that stands from the line on."""
    match = SENTENCE.match(why)
    assert match, why
    assert 0.8 * len(LONG) / 4 < int(match[1]) < 1.2 * len(LONG) / 4
    return None if match[2] is None else float(match[2])


# About ten requests in ten minutes, 1,440 a day; 0.9 of $1.25 for a million tokens is lost.
A_DAY = 1440 * len(LONG) / 4 * 0.9 * 1.25e-6


def test_the_server_explains_which_line_costs_how_much(penstock, told):
    found = _client.post(penstock.url + "/admin/explain", json=body(11)).json()
    step = volatile(found["steps"])
    assert (step["mode"], step["applied"], step["effect"]) == ("shadow", False, "reorder")
    assert A_DAY / 2 < dollars(step["why"]) < A_DAY * 1.5


def explain(penstock, clock, *options):
    return subprocess.run(
        command("explain", "-", "--config", str(penstock.config), *options),
        env=environment(penstock.config.parent, {"URL": "http://127.0.0.1:9", **clock.env}),
        input=json.dumps(body(12)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_command_explains_which_line_changes(penstock, clock, told):
    """It is another process, which has seen no traffic: it knows of the line, of no rate."""
    step = volatile(json.loads(explain(penstock, clock, "--json"))["steps"])
    assert step["mode"] == "shadow"
    assert dollars(step["why"]) is None


def test_the_commands_table_leaves_out_what_was_not_counted(penstock, clock, told):
    assert "None" not in explain(penstock, clock)


def test_the_header_names_the_step_and_its_mode(told):
    assert "prefix.volatile=no-line-of-the-system-prompt-is-known-to-change(shadow)" in told[0]
    assert re.search(r"prefix\.volatile=[^ ]+\(shadow\)(, |$)", told[-1])


def ledger(penstock):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db:
            query = "SELECT why, mode FROM steps WHERE policy = 'prefix.volatile' ORDER BY request"
            found = db.execute(query).fetchall()
        if len(found) >= 11:
            return found
        time.sleep(0.05)
    raise AssertionError("rows are missing")


def test_the_ledger_says_which_line_costs_how_much(penstock, told):
    found = ledger(penstock)
    assert {mode for _, mode in found} == {"shadow"}
    assert A_DAY / 2 < dollars(found[10][0]) < A_DAY * 1.5


def test_what_is_sent_in_shadow_mode_keeps_the_line(upstream, told):
    sent = [it for it in upstream.docs if it["model"] == "gpt-5"]
    assert len(sent) == 11
    assert all(LINE in json.dumps(it["messages"][0]) for it in sent)
    assert "system-line" not in json.dumps(sent)


def test_no_text_of_a_prompt_is_shown(penstock, clock, told):
    ledger(penstock)
    shown = explain(penstock, clock) + penstock.output() + "".join(told)
    shown += _client.get(penstock.url + "/metrics").text
    shown += _client.post(penstock.url + "/admin/explain", json=body(13)).text
    files = [path.read_bytes() for path in penstock.data.glob("ledger.sqlite3*")]
    for word in (LINE, "flights", "give a seat", "What?"):
        assert word not in shown
        assert not any(word.encode() in each for each in files)


# Clocks that jump.


class Talk:
    """A conversation with Claude whose system prompt changes with every request."""

    _number = itertools.count()

    def __init__(self):
        self.name = f"Conversation {next(self._number)}"
        self.turns = []

    def ask(self, penstock, upstream):
        """`(sent, forwarded)` as the provider's cache reads them."""
        self.turns.append({"role": "user", "content": f"{self.name}, turn {len(self.turns)}"})
        system = f"You book flights.\n{LINE}{uuid.uuid4()}\n{LONG}"
        doc = {"model": "claude-sonnet-5", "max_tokens": 99, "system": system}
        doc["messages"] = self.turns
        sent = json.loads(json.dumps(unmarked(doc)))
        reply = _client.post(penstock.url + "/v1/messages", json=doc)
        assert reply.status_code == 200
        self.turns.append({"role": "assistant", "content": reply.json()["content"]})
        return sent, unmarked(upstream.docs[-1])


def goes_on(before, after):
    count = len(before["messages"])
    same = before["system"] == after["system"]
    return same and before["messages"] == after["messages"][:count]


HOUR = 3600


@pytest.mark.parametrize(
    "jumps",
    [
        pytest.param((0, -600, -600, 0), id="back"),
        pytest.param((0, 3600, 0, 3600), id="to and fro"),
        pytest.param((0, 20 * HOUR, 40 * HOUR, 60 * HOUR), id="on"),
        pytest.param((0, -960 * HOUR, 0, 0), id="far back and to now"),
    ],
)
def test_a_conversation_goes_on_when_the_clock_jumps(penstock, upstream, clock, jumps):
    clock.set(0)
    for _ in range(6):
        Talk().ask(penstock, upstream)
    talk, before = Talk(), None
    for seconds in jumps:
        clock.set(seconds)
        sent, after = talk.ask(penstock, upstream)
        assert before is None or goes_on(before, after) or after == sent
        before = after
        time.sleep(0.1)  # what was sent is remembered after the client has its reply
    clock.set(0)


def test_turns_that_come_out_of_order(penstock, upstream, clock):
    """A client that repeats an earlier turn, or takes its conversation back."""
    clock.set(0)
    for _ in range(6):
        Talk().ask(penstock, upstream)
    talk, known = Talk(), {}
    for kept in (0, 2, 4, 2, 0, 4, 6, 2):
        talk.turns = talk.turns[:kept]
        sent, after = talk.ask(penstock, upstream)
        known[kept] = after
        earlier = [known[it] for it in known if it < kept]
        assert after == sent or all(goes_on(it, after) for it in earlier)
