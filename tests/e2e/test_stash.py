"""Conversations in which the model asks for originals, by the official SDKs, from end to end."""

import contextlib
import json

import anthropic
import openai
import pytest

from tests.fakes.penstock import running
from tests.fakes.scripted_model import Turn
from tests.fakes.sdk_talks import Talk
from tests.fakes.stash_talks import KINDS, TOOL, last_id, log, prompt

YAML = """
data: ${DATA}
backends:
  model: {use: openai, base_url: "${URL}/v1", retry: {attempts: 1}}
pipelines:
  stash:
    effects: [exact, lossless, lossy]
    steps:
      - {use: cache.exact}
      - {use: compress.stash, budget: 9s, deadline: 10s, rounds: 2}
      - {use: compress.lossless, budget: 9s, deadline: 10s}
      - {use: prefix.canonical}
routes: [{send: model, pipeline: stash}]
"""
ENDS = {
    "chat/completions": {"whole": "stop", "calls": "tool_calls", "cut": "length"},
    "messages": {"whole": "end_turn", "calls": "tool_use", "cut": "max_tokens"},
    "responses": {"whole": "completed", "calls": "completed", "cut": "max_output_tokens"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def penstock(scripted, data):
    with serving(scripted, data) as made:
        yield made


def serving(upstream, data, *args, store=""):
    return running(YAML + store, env={"URL": upstream.url, "DATA": str(data)}, args=args)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request):
    return request.param


_number = iter(range(10**6))


@pytest.fixture
def talk(penstock, kind, stream):
    with contextlib.closing(Talk(kind, penstock.url, stream=stream)) as made:
        made.opening = f"Read the log, please ({next(_number)})"
        yield made


def opened(talk, upstream, text):
    """The first turn: the model calls the client's tool, which returns this text."""
    upstream.turns.append(Turn("", [("run", {"command": "cat log"})]))
    answer = talk.ask(talk.opening)
    assert list(answer.calls.values()) == ["run"]
    return dict.fromkeys(answer.calls, text)


def names(doc):
    return [tool.get("name") or tool["function"]["name"] for tool in doc["tools"]]


def test_the_model_asks_and_the_client_sees_one_answer(talk, upstream, kind):
    text = log("alpha")
    results = opened(talk, upstream, text)
    upstream.turns += [Turn("Let me see.", [(TOOL, last_id)], "hm"), Turn("Worker 7.", [], "aha")]
    answer = talk.give(results)
    assert answer.text == "Let me see.\n\nWorker 7."
    assert answer.calls == {}
    assert answer.end == ENDS[kind]["whole"]
    assert answer.usage == (200, 80, 20)
    assert TOOL not in json.dumps(talk.history)

    first, second, third = upstream.docs
    assert names(first) == names(second) == names(third)
    assert TOOL in names(first)
    assert text not in json.dumps(second)
    assert "exit code 28" in json.dumps(second)
    assert json.dumps(text) in json.dumps(third)
    before, after = (prompt(seen) for seen in upstream.requests[1:3])
    assert after[: len(before)] == before

    for question in ("And then?", "Thanks"):
        upstream.turns.append(Turn(f"On {question}"))
        assert talk.ask(question).text == f"On {question}"
        before, after = after, prompt(upstream.requests[-1])
        assert after[: len(before)] == before
        assert json.dumps(text) in upstream.requests[-1].body.decode()
    assert upstream.faults == []


def test_where_the_model_does_not_ask_nothing_is_added(talk, upstream, kind):
    results = opened(talk, upstream, log("beta"))
    upstream.turns.append(Turn("Fine.", [], "hm"))
    answer = talk.give(results)
    assert answer[:2] == ("Fine.", {})
    assert answer.usage == (100, 40, 10)
    before = prompt(upstream.requests[-1])
    upstream.turns.append(Turn("Bye."))
    assert talk.ask("Thanks").text == "Bye."
    assert prompt(upstream.requests[-1])[: len(before)] == before
    assert upstream.faults == []


def test_calls_of_both_in_one_turn(talk, upstream, kind):
    """The client answers its own, and the model is then told all, in this turn and later."""
    text = log("gamma")
    results = opened(talk, upstream, text)
    both = [("run", {"command": "df"}), (TOOL, last_id), ("run", {"command": "du"})]
    upstream.turns.append(Turn("Both.", both, "hm"))
    answer = talk.give(results)
    assert answer.text == "Both."
    assert list(answer.calls.values()) == ["run", "run"]
    assert answer.end == ENDS[kind]["calls"]
    assert len(upstream.requests) == 2
    upstream.turns.append(Turn("Full."))
    assert talk.give(dict.fromkeys(answer.calls, "90 %")).text == "Full."
    before = prompt(upstream.requests[-1])
    assert json.dumps(text) in "".join(before)
    upstream.turns.append(Turn("Bye."))
    talk.ask("Thanks")
    assert prompt(upstream.requests[-1])[: len(before)] == before
    assert upstream.faults == []


def test_a_missing_original_is_an_error_that_the_model_reads(talk, upstream, kind):
    results = opened(talk, upstream, log("delta"))
    asked = [(TOOL, {"id": "0123456789abcdef"}), (TOOL, {"name": 3}), (TOOL, {"id": "?", "x": 1})]
    upstream.turns += [Turn("", asked), Turn("I cannot tell.")]
    assert talk.give(results).text == "I cannot tell."
    told = prompt(upstream.requests[-1])
    assert "there is no original with the id '0123456789abcdef'" in "".join(told)
    assert "Error: call this with JSON such as" in "".join(told)


def test_rounds_are_bounded(talk, upstream, kind):
    results = opened(talk, upstream, log("epsilon"))
    upstream.turns += [Turn(f"{n}.", [(TOOL, last_id)]) for n in range(4)]
    upstream.turns.append(Turn("Well."))
    answer = talk.give(results)
    assert answer.text == "0.\n\n1.\n\n2.\n\n3.\n\nWell."
    assert answer.end == ENDS[kind]["whole"]
    assert answer.usage == (500, 200, 50)
    given = [doc.body.decode().count("0001 epsilon") for doc in upstream.requests[1:]]
    assert given == [1, 2, 3, 3, 3]  # it stands in the extract, too
    told = [doc.body.decode().count("too often") for doc in upstream.requests[1:]]
    assert told == [0, 0, 0, 1, 2]
    silenced = [doc.get("tool_choice") in ("none", {"type": "none"}) for doc in upstream.docs]
    assert silenced == [False] * 5 + [True]


def test_a_model_that_cannot_be_stopped(talk, upstream, kind, stream):
    """The reply says that it is not whole, as one does that grew too long."""
    results = opened(talk, upstream, log("lambda"))
    upstream.turns += [Turn(f"{n}.", [(TOOL, last_id)]) for n in range(5)]
    if stream and kind != "messages":  # the SDK refuses to make a final answer of that
        with pytest.raises((openai.LengthFinishReasonError, RuntimeError)):
            talk.give(results)
        assert kind == "responses" or talk.events[-2].choices[0].finish_reason == "length"
        return
    answer = talk.give(results)
    assert answer.text == "0.\n\n1.\n\n2.\n\n3.\n\n4."
    assert answer.calls == {}
    assert answer.end == ENDS[kind]["cut"]
    assert len(upstream.requests) == 6
    upstream.turns.append(Turn("Well."))
    assert talk.ask("Go on").text == "Well."
    assert upstream.faults == []


def test_a_later_round_that_is_too_long_for_the_context(talk, upstream, kind):
    """The model is told, asks for a part, and reads it; later turns go on from there."""
    text = log("zeta")
    results = opened(talk, upstream, text)
    part = [(TOOL, lambda doc: {"id": last_id(doc)["id"], "offset": 7, "length": 50})]
    upstream.turns += [Turn("Let me see.", [(TOOL, last_id)], "hm"), Turn(status=400)]
    upstream.turns += [Turn("", part, "so"), Turn("Worker 7.")]
    answer = talk.give(results)
    assert (answer.text, answer.calls) == ("Let me see.\n\nWorker 7.", {})
    assert (answer.end, answer.usage) == (ENDS[kind]["whole"], (300, 120, 30))
    told = prompt(upstream.requests[-1])
    assert f"Error: with these {len(text):,} characters the prompt was refused" in "".join(told)
    assert json.dumps(text[7:57])[:-1] in "".join(told)
    upstream.turns.append(Turn("Bye."))
    assert talk.ask("Thanks").text == "Bye."
    assert prompt(upstream.requests[-1])[: len(told)] == told
    assert upstream.faults == [""]  # but for the one that was scripted


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_later_round_that_fails_is_made_good_by_the_clients_own_request(
    talk, upstream, kind, status
):
    text = log("theta")
    results = opened(talk, upstream, text)
    failures = [Turn(status=status)] * (2 if status == 400 else 1)
    upstream.turns += [Turn("Hm.", [(TOOL, last_id)]), *failures, Turn("Worker 7.")]
    assert talk.give(results)[:3] == ("Hm.\n\nWorker 7.", {}, (200, 80, 20))
    doc = upstream.docs[-1]
    assert TOOL not in names(doc)
    assert "This is an extract" not in json.dumps(doc)
    assert json.dumps(text) in json.dumps(doc)
    upstream.turns.append(Turn("Bye."))
    assert talk.ask("Thanks").text == "Bye."
    assert upstream.faults == [""] * len(failures)


def test_what_was_said_is_not_lost_where_the_upstream_is_gone(talk, upstream, kind, stream):
    results = opened(talk, upstream, log("iota"))
    upstream.turns += [Turn("Hm.", [(TOOL, last_id)]), Turn(status=500), Turn(status=500)]
    if stream and kind != "messages":  # the SDK refuses to make a final answer of that
        with pytest.raises((openai.LengthFinishReasonError, RuntimeError)):
            talk.give(results)
        assert "Hm." in "".join(str(event) for event in talk.events)
    else:
        answer = talk.give(results)
        assert (answer.text, answer.end) == ("Hm.", ENDS[kind]["cut"])
    results = opened(talk, upstream, log("kappa"))
    upstream.turns += [Turn("", [(TOOL, last_id)]), Turn(status=500), Turn(status=500)]
    with pytest.raises((openai.APIError, anthropic.APIError, RuntimeError)):
        talk.give(results)


def test_a_refused_stream_is_sent_once(penstock, upstream):
    upstream.turns.append(Turn(status=422))
    asked = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True}
    with (
        contextlib.closing(Talk(KINDS[0], penstock.url, stream=True)) as talk,
        pytest.raises(openai.UnprocessableEntityError),
    ):
        talk.sdk.chat.completions.create(**asked, **talk.more)
    assert len(upstream.requests) == 1


def test_a_repeat_comes_from_the_cache_and_goes_on_as_the_first(talk, upstream, kind):
    results = opened(talk, upstream, log("eta"))
    upstream.turns += [Turn("Look:", [(TOOL, last_id)]), Turn("Found.")]
    talk.give(results)
    length = 1 if kind != "responses" else 2
    del talk.history[-length:]
    calls = len(upstream.requests)
    again = talk._answer()
    assert again.text == "Look:\n\nFound."
    assert len(upstream.requests) == calls
    before = prompt(upstream.requests[-1])
    upstream.turns.append(Turn("Bye."))
    talk.ask("Thanks")
    assert prompt(upstream.requests[-1])[: len(before)] == before
