"""`compress.stash` and `compress.history` in one pipeline, by the official SDKs."""

import contextlib
import json
from itertools import pairwise

import pytest

from tests.fakes.penstock import running
from tests.fakes.scripted_model import Turn
from tests.fakes.sdk_talks import Talk
from tests.fakes.stash_talks import KINDS, TOOL, ids, last_id, log, prompt

YAML = """
backends: {a: {use: openai, base_url: "${URL}/v1", retry: {attempts: 1}}}
pipelines:
  both:
    effects: [exact, lossless, lossy]
    steps:
      - {use: compress.stash, budget: 9s, deadline: 10s}
      - {use: compress.history, keep: 2, above: 0, names: false}
      - {use: compress.lossless, budget: 9s, deadline: 10s}
routes: [{send: a, pipeline: both}]
"""


@pytest.fixture(scope="module")
def penstock(scripted):
    with running(YAML, env={"URL": scripted.url}) as made:
        yield made


def first_id(doc, but):
    """The arguments that the first stub but one names."""
    return next(each for each in ids(doc) if each != but)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_stays_when_old_results_go(penstock, upstream, kind, stream):
    text = log(f"{kind} {stream}")
    with contextlib.closing(Talk(kind, penstock.url, stream=stream, model="gpt-4o")) as talk:
        upstream.turns.append(Turn("", [("run", {})]))
        results = dict.fromkeys(talk.ask(f"Read {kind} {stream}").calls, text)
        upstream.turns += [Turn("Look:", [(TOOL, last_id)], "hm"), Turn("Found.", [], "aha")]
        talk.give(results)
        for number in range(7):
            upstream.turns.append(Turn("", [("run", {})]))
            calls = talk.ask(f"Go on {number}").calls
            upstream.turns.append(Turn("Well."))
            talk.give(dict.fromkeys(calls, log(f"page {number}", 60)))
        name = last_id(upstream.docs[1])
        upstream.turns += [Turn("Again:", [(TOOL, name)]), Turn("Found again.")]
        assert talk.ask("And the first?").text == "Again:\n\nFound again."
        upstream.turns += [Turn("", [(TOOL, lambda doc: first_id(doc, name))]), Turn("There.")]
        assert talk.ask("And the first page?").text == "There."
        assert json.dumps(log("page 0", 60)) in upstream.requests[-1].body.decode()
    sent = [prompt(seen) for seen in upstream.requests]
    out = ["".join(each).count("is left out") for each in sent]
    assert out[-1] >= 4
    assert out == sorted(out)
    for (before, after), (fewer, more) in zip(pairwise(sent), pairwise(out), strict=True):
        assert json.dumps(text) in "".join(after) or after in sent[:2]
        if fewer == more:
            assert after[: len(before)] == before
    assert "".join(sent[-1]).count(json.dumps(text)) == 2
    assert name["id"] in sent[-1][2]
    assert "is left out" in sent[-1][2]
    assert upstream.faults == []
