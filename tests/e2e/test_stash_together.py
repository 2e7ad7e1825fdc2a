"""`compress.stash` beside what else works on the same requests: marks, sharing, the hold-out."""

import concurrent.futures
import contextlib
import json
import threading

import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import unmarked
from tests.fakes.scripted_model import Turn
from tests.fakes.sdk_talks import Talk
from tests.fakes.stash_talks import TOOL, WHERE, last_id, log

YAML = """
backends:
  openai: {use: openai, base_url: "${URL}/v1", retry: {attempts: 1}}
  claude: {use: anthropic, base_url: "${URL}/v1", retry: {attempts: 1}}
pipelines:
  stash:
    effects: [exact, lossless, reorder, lossy]
    steps:
      - {use: compress.stash, budget: 9s, deadline: 10s}
      - {use: compress.lossless, budget: 9s, deadline: 10s}
      - {use: prefix.canonical}
      - {use: prefix.volatile}
      - {use: prefix.breakpoints}
routes:
  - {when: {model: "claude-*"}, send: claude, pipeline: stash}
  - {when: {model: "*"}, send: openai, pipeline: stash}
"""
LONG = "Never give a seat away twice. " * 400
MODELS = {"chat/completions": "gpt-6-sol", "messages": "claude-sonnet-5", "responses": "gpt-6-sol"}


@pytest.fixture(scope="module")
def penstock(scripted):
    with running(YAML, env={"URL": scripted.url}) as made:
        yield made


def talking(penstock, kind, *, stream=False):
    more = {"model": MODELS[kind]}
    system = {"messages": "system", "responses": "instructions"}.get(kind)
    more |= {system: LONG} if system else {}
    talk = Talk(kind, penstock.url, stream=stream, **more)
    if system is None:
        talk.history.append({"role": "system", "content": LONG})
    return contextlib.closing(talk)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", sorted(MODELS))
def test_marks_and_everything_else_on(penstock, upstream, kind, stream):
    before, marked = [], 0
    text = log(f"{kind} {stream}")
    with talking(penstock, kind, stream=stream) as talk:
        upstream.turns.append(Turn("", [("run", {})], "hm"))
        results = dict.fromkeys(talk.ask(f"Read {kind} {stream}").calls, text)
        upstream.turns += [Turn("Look:", [(TOOL, last_id)], "hm"), Turn("Found.", [], "aha")]
        assert talk.give(results).calls == {}
        upstream.turns.append(Turn("More.", [("run", {}), (TOOL, last_id)], "so"))
        answer = talk.ask("And?")
        upstream.turns += [Turn("Well."), Turn("Bye.")]
        talk.give(dict.fromkeys(answer.calls, "nothing"))
        talk.ask("Thanks")
    for seen in upstream.requests:
        doc = json.loads(seen.body)
        now = [json.dumps(each) for each in unmarked(doc[WHERE[kind]])]
        assert now[: len(before)] == before
        before = now
        marked += "cache_control" in seen.body.decode() or "prompt_cache" in seen.body.decode()
    assert upstream.faults == []
    assert marked >= 5
    assert json.dumps(text) in "".join(before)


def test_identical_requests_share_all_rounds(penstock, upstream):
    text = log("shared")
    arrived = threading.Event()
    with talking(penstock, "chat/completions") as talk:
        upstream.turns.append(Turn("", [("run", {})]))
        talk.add(dict.fromkeys(talk.ask("Read, all of you").calls, text))
        history = list(talk.history)
    upstream.turns.append(Turn("Look:", [(TOOL, last_id)], wait=arrived.is_set))
    upstream.turns.append(Turn("Found."))

    def ask():
        with talking(penstock, "chat/completions", stream=True) as talk:
            talk.history = list(history)
            return talk._answer()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        running_now = [pool.submit(ask) for _ in range(6)]
        arrived.wait(1.0)  # until all have joined the first
        arrived.set()
        answers = [each.result() for each in running_now]
    assert {answer.text for answer in answers} == {"Look:\n\nFound."}
    assert len(upstream.requests) == 3
