"""What is remembered of prompts: bounded, without their text, the longest ago forgotten."""

import gc
import json
import tracemalloc

from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base import prompt, prompt_chain
from policies.base.body import Body
from policies.base.terms import Terms
from proxy.prediction.predictions import Predictions

TERMS = Terms("openai_steps", minimum=0, granularity=1, lifetime=300.0)
BREAKS = Terms("openai_breakpoints", minimum=0, lifetime=300.0)


def asking(*contents, **fields):
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]
    raw = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    return call(body=Body(raw), model="m")


def send(predictions, one, now=0.0, terms=TERMS):
    return predictions.settle(one, terms, None, now, now)


def held(predictions):
    return list(predictions._memory._held)


def test_memory_stays_within_its_limit():
    limit = 200_000
    predictions = Predictions(limit)
    bare = Predictions(0)
    tracemalloc.start()
    try:
        for number in range(500):
            talk = [f"{number} {turn} " * 100 for turn in range(1 + number % 40)]
            send(predictions, asking(*talk))
        prompt_chain._memo.__init__(1)  # not ours
        prompt._latest.__init__()
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
        predictions._memory.__init__(limit)
        gc.collect()
        used -= tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.2 * limit < used < limit
    send(bare, asking("a"))
    assert held(bare) == []


def test_nothing_of_the_text_is_kept():
    predictions = Predictions()
    send(predictions, asking("quite-secret", verbosity="quite-secret-too"))
    [sent] = held(predictions)
    kept = repr([*sent.blocks, sent.partition.parameters, sent.layout.values, sent.layout.lists])
    assert "secret" not in kept
    assert not any(isinstance(it, Body) for it in gc.get_referents(predictions, sent))


def test_a_conversation_is_held_once():
    predictions = Predictions()
    talk = [f"turn {number}" for number in range(30)]
    for end in range(1, 30):
        send(predictions, asking(*talk[:end]))
    [sent] = held(predictions)
    assert len(sent.blocks) == 29
    send(predictions, asking(*talk[:10], "other"))
    assert len(held(predictions)) == 2


def test_the_prompts_sent_longest_ago_are_forgotten_first():
    predictions = Predictions(30_000)
    for name in "abcdefghijklmnopqrstuvwxyz":
        send(predictions, asking(name, "x", name))
    shared = [
        predictions.predict(asking(name, "x", name), TERMS, 1).shared > 0
        for name in "abcdefghijklmnopqrstuvwxyz"
    ]
    assert shared == sorted(shared)
    assert 0 < sum(shared) < 26


def test_of_a_tenant_without_prompts_nothing_is_left():
    predictions = Predictions(10_000)
    for number in range(500):
        one = asking(str(number))
        send(predictions, call(body=one.body, tenant=f"t{number}"), terms=BREAKS)
    memory = predictions._memory
    assert len(memory._scopes) == len(memory._held) < 10


operations = st.lists(
    st.tuples(
        st.lists(st.sampled_from("ab"), min_size=1, max_size=5),
        st.sampled_from([{}, {"verbosity": "low"}]),
        st.sampled_from([TERMS, BREAKS]),
    ),
    max_size=40,
)


@given(operations, st.sampled_from([3000, 9000, 10**6]))
def test_what_begins_a_remembered_prompt_is_remembered(found, limit):
    predictions = Predictions(limit)
    memory = predictions._memory
    for now, (contents, fields, terms) in enumerate(found):
        send(predictions, asking(*contents, **fields), float(now), terms)
        assert memory._size == sum(sent.size for sent in memory._held) <= limit
        assert len(memory._scopes) <= 1
        for scope in memory._scopes.values():
            for partition in scope.partitions.values():
                assert partition.entries.keys() <= partition.latest.keys()
                assert partition.latest
                for sent in set(partition.latest.values()):
                    assert sent in memory._held
                    assert {block.chain for block in sent.blocks} <= partition.latest.keys()
    if limit == 10**6:
        for contents, fields, _ in found:
            one = asking(*contents, **fields)
            again = predictions.predict(one, TERMS, 1e6)
            assert again.shared > 0
            assert again.difference is None
