"""Hidden rounds that break off: what the official SDKs make of it, and what the ledger says."""

import contextlib
import sqlite3
import threading
import time

import anthropic
import httpx2
import openai
import pytest

from tests.fakes.penstock import running
from tests.fakes.scripted_model import Turn
from tests.fakes.sdk_talks import Talk
from tests.fakes.stash_talks import KINDS, TOOL, WHERE, last_id, log

YAML = """
backends:
  model: {use: openai, base_url: "${URL}/v1", retry: {attempts: 1}}
pipelines:
  stash:
    effects: [exact, lossless, lossy]
    steps:
      - {use: compress.stash, budget: 9s, deadline: 10s}
routes: [{send: model, pipeline: stash}]
"""
ERRORS = (openai.APIError, anthropic.APIError)
ONE = (60, 40, 10)  # tokens of a round: uncached, read, output


@pytest.fixture(scope="module")
def penstock(scripted):
    with running(YAML, env={"URL": scripted.url}) as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request):
    return request.param


def asking(talk, upstream, text):
    """A turn in which the model has a long result of the client's tool before it."""
    upstream.turns.append(Turn("", [("run", {"command": "cat log"})]))
    talk.add(dict.fromkeys(talk.ask("Read the log").calls, text))


def booked(penstock, model):
    """The row of the last of two requests of this model."""
    until, row = time.monotonic() + 10, "status, error, estimated, uncached, read, output"
    while time.monotonic() < until:
        with (
            contextlib.suppress(sqlite3.OperationalError),  # no table yet
            contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db,
        ):
            query = f"SELECT {row} FROM requests WHERE model = ? ORDER BY n"
            found = db.execute(query, [model]).fetchall()
            if len(found) == 2:
                return found[1]
        time.sleep(0.05)
    raise AssertionError("rows are missing")


def test_a_round_that_breaks_off_is_an_error_and_is_paid_for(penstock, upstream, kind, stream):
    model = f"m-{kind}-{stream}"
    with contextlib.closing(Talk(kind, penstock.url, stream=stream, model=model)) as talk:
        asking(talk, upstream, log("alpha"))
        first = Turn("Let me see.", [(TOOL, last_id)])
        gone = Turn("Never mind, it is me.", breaks=True)
        upstream.turns += [first, gone] if stream else [first, gone, gone]
        if stream:
            with pytest.raises(ERRORS):
                talk._answer()
        else:
            answer = talk._answer()
            assert answer.text == "Let me see."
            assert answer.end in ("length", "max_tokens", "max_output_tokens")
    error = "upstream_broken_reply" if stream else None
    assert booked(penstock, model) == (200, error, 0, *ONE)


def test_a_round_that_fails_before_anything_was_said_is_paid_for(penstock, upstream, kind):
    model = f"silent-{kind}"
    with contextlib.closing(Talk(kind, penstock.url, stream=False, model=model)) as talk:
        asking(talk, upstream, log("beta"))
        upstream.turns += [Turn("", [(TOOL, last_id)]), Turn(status=500), Turn(status=500)]
        with pytest.raises(ERRORS):
            talk._answer()
    assert booked(penstock, model) == (500, "upstream_500", 0, *ONE)


def test_who_hangs_up_in_a_later_round_has_paid_for_those_before(penstock, upstream, kind):
    model = f"gone-{kind}"
    with contextlib.closing(Talk(kind, penstock.url, stream=True, model=model)) as talk:
        asking(talk, upstream, log("gamma"))
        left = threading.Event()
        upstream.turns += [
            Turn("Let me see.", [(TOOL, last_id)]),
            Turn("Never mind.", [("run", {})], wait=left.is_set),
        ]
        body = {"model": model, "max_tokens": 9, "stream": True, **talk.more}
        body[WHERE[kind]] = talk.history
        with httpx2.stream("POST", f"{penstock.url}/v1/{kind}", json=body) as reply:
            heard = ""
            for piece in reply.iter_text():
                heard += piece
                if "Never" in heard:
                    break
        row = booked(penstock, model)
        left.set()
    assert row == (499, "client_gone", 0, *ONE)
