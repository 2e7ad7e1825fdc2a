"""The first difference that is found is the first there is, and its bytes are of what differs."""

import json
from itertools import takewhile

import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.terms import Terms
from policies.base.usage import Usage
from proxy.prediction.predictions import Prediction, Predictions
from proxy.prediction.why import why_missed

TERMS = Terms("gemini_implicit", minimum=0, granularity=1, lifetime=300.0)
texts = st.sampled_from(["a", "b", 'c"{[', "é\n"])
messages = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant"]),
        texts,
    ),
    min_size=1,
    max_size=6,
)
tools = st.lists(st.builds(lambda name: {"name": name, "input_schema": {}}, texts), max_size=3)
orders = st.permutations(["tools", "system", "messages", "temperature"])
docs = st.builds(
    lambda tools, system, messages, order, style: (
        {"tools": tools, "system": system, "messages": messages},
        json.dumps(
            {
                name: {
                    "tools": tools,
                    "system": system,
                    "messages": messages,
                    "temperature": 1,
                }[name]
                for name in order
            },
            **style,
        ).encode(),
    ),
    *(tools, texts, messages, orders, st.sampled_from([{}, {"indent": 1}])),
)


def flat(doc):
    """Where each block is, and what."""
    yield from (("tools", number, tool) for number, tool in enumerate(doc["tools"]))
    yield "system", 0, doc["system"]
    yield from (("message", number, one) for number, one in enumerate(doc["messages"]))


def asking(raw, kind=Dialect.MESSAGES):
    return call(body=Body(raw), dialect=kind, model="m")


def after(first, second, kind=Dialect.MESSAGES, terms=TERMS, usage=None):
    """The prediction for the second body, once the first was sent."""
    predictions = Predictions()
    predictions.settle(asking(first, kind), terms, usage, 0.0, 0.0)
    return predictions.predict(asking(second, kind), terms, 10.0)


@given(docs, docs)
def test_it_is_the_first_block_in_which_two_conversations_differ(first, second):
    (one, raw_one), (two, raw_two) = first, second
    blocks = list(zip(flat(one), flat(two), strict=False))
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], blocks))
    found = after(raw_one, raw_two)
    if shared == min(len(list(flat(one))), len(list(flat(two)))):
        assert found.difference is None
        return
    place, index, value = list(flat(two))[shared]
    difference = found.difference
    assert (difference.place, difference.index) == (place, index)
    assert difference.kind in (("changed", "inserted", "removed") if shared else ("new",))
    assert json.loads(raw_two[slice(*difference.here)]) == value
    assert json.loads(raw_one[slice(*difference.there)]) == list(flat(one))[shared][2]


def said(*contents, **more):
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


NAMES = [f"{name} " * (20 + size) for size, name in enumerate("abcdefghij")]


def test_messages_that_were_dropped_are_told_from_ones_that_changed():
    found = after(said(*NAMES), said(NAMES[0], *NAMES[3:]), Dialect.CHAT).difference
    assert (found.kind, found.place, found.index) == ("removed", "message", 1)
    found = after(said(NAMES[0], *NAMES[3:]), said(*NAMES), Dialect.CHAT).difference
    assert (found.kind, found.index) == ("inserted", 1)
    found = after(said(*NAMES), said(NAMES[0], "x", *NAMES[2:]), Dialect.CHAT).difference
    assert (found.kind, found.index) == ("changed", 1)
    found = after(said("a", "b", "c", "d"), said("a", "c", "d"), Dialect.CHAT).difference
    assert found.kind == "changed"  # so short that their sizes say nothing


def test_a_parameter_that_sets_equal_prompts_apart_is_named():
    one, two = said("a", reasoning_effort="low"), said("a", reasoning_effort="high")
    found = after(one, two, Dialect.CHAT)
    assert found.cached == 0
    assert found.difference.kind == "parameter"
    assert found.difference.name == "reasoning_effort"
    assert two[slice(*found.difference.here)] == b'"high"'
    assert one[slice(*found.difference.there)] == b'"low"'
    absent = after(said("a"), two, Dialect.CHAT).difference
    assert (absent.name, absent.there) == ("reasoning_effort", None)
    assert after(said("a"), said("a", temperature=1), Dialect.CHAT).difference is None


def test_of_parameters_and_prompts_the_closer_prompt_counts():
    predictions = Predictions()
    for raw in (said("a", "b", "c", verbosity="low"), said("a", "x")):
        predictions.settle(asking(raw, Dialect.CHAT), TERMS, None, 0, 0)
    again = predictions.predict(asking(said("a", "b", "c"), Dialect.CHAT), TERMS, 1)
    assert again.difference.name == "verbosity"
    assert 0 < again.cached < again.shared
    other = predictions.predict(asking(said("a", "x", "y"), Dialect.CHAT), TERMS, 1)
    assert other.difference is None


def test_the_format_of_an_answer_is_named_as_what_it_is():
    one = said("a", response_format={"type": "text"})
    two = said("a", response_format={"type": "json_object"})
    found = after(one, two, Dialect.CHAT)
    assert found.difference.name == "response_format"
    assert "response_format is the first that is new (here bytes " in why_missed(found)


# the words


def test_nothing_is_said_of_a_conversation_that_went_on():
    found = after(said("a"), said("a", "b", "c"), Dialect.CHAT)
    assert why_missed(found) == ""
    assert why_missed(found, Usage(uncached=9, read=found.cached)) == ""


def test_the_place_and_both_ranges_are_told():
    one, two = said("a", "b", "c"), said("a", "other", "c")
    start = two.index(b'{"role": "assistant"')
    found = after(one, two, Dialect.CHAT)
    last = b', {"role": "user", "content": "c"'
    end_two, end_one = two.index(last), one.index(last)
    assert why_missed(found) == (
        f"message 1 differs (here bytes {start}-{end_two}, before bytes {start}-{end_one})"
    )


def test_a_first_request_is_new():
    found = Predictions().predict(asking(said("a"), Dialect.CHAT), TERMS, 0)
    assert why_missed(found).startswith("message 0 is the first that is new (here bytes ")
    assert "before" not in why_missed(found)


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ("expired", "the lifetime is over"),
        ("unready", "had not begun"),
        ("unwritten", "without a cache mark"),
        ("short", "too few"),
    ],
)
def test_what_was_shared_and_not_cached_has_a_reason(lacks, words):
    found = Prediction(0, 5000, 4000, 128, lacks, 70.0, None)
    assert words in why_missed(found)
    assert why_missed(found).startswith("4,000 tokens were sent before, 70 s ago")
    assert why_missed(found, Usage(uncached=1000, read=4000)) == ""


def test_a_provider_that_read_less_than_predicted_is_told():
    found = Prediction(4000, 5000, 4000, 128, "", 70.0, None)
    less = "the provider read 0 tokens, 4,000 were predicted"
    assert why_missed(found, Usage(uncached=5000)) == less
    assert why_missed(found, Usage(uncached=1100, read=3900)) == ""
    assert why_missed(found, Usage(uncached=5000, estimated=True)) == ""


def test_no_text_of_a_prompt_is_told():
    secret = "quite-secret"
    found = after(said("x", secret, tools=[]), said("x", secret + "2"), Dialect.CHAT)
    assert secret not in why_missed(found)
    assert secret not in repr(found)
