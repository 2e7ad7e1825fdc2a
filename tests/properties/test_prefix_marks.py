"""For any conversation: what is sent for a turn begins what is sent for the next, marks aside."""

import json
import re

from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.prompt import blocks
from policies.base.step import Edit
from policies.base.terms import Terms
from policies.prefix_breakpoints import Breakpoints

CLAUDE = Terms(rule="anthropic_marks", read=0.1, write=1.25, lifetime=300.0, backend="simulated")
GPT = Terms(rule="openai_breakpoints", read=0.1, write=1.25, lifetime=1800.0, backend="simulated")
MARK = re.compile(
    rb',"cache_control":\{"type":"ephemeral"\}|,"prompt_cache_breakpoint":\{"mode":"explicit"\}'
)

words = st.sampled_from(["", " ", "hi", "\n", "caf\u00e9", '"', "\\", "text", "nt"]) | st.text(
    st.characters(codec="utf-8"), max_size=8
)
texts = st.builds(lambda word: {"type": "text", "text": word}, words)
contents = words | st.lists(texts, min_size=1, max_size=3)
users = st.builds(lambda content: {"role": "user", "content": content}, contents)
systems = st.builds(lambda content: {"role": "system", "content": content}, contents)
replies = st.builds(lambda content: {"role": "assistant", "content": content}, words)
results = st.builds(
    lambda word: {"role": "tool", "tool_call_id": "1", "name": "a", "content": word}, words
)
calls = st.just(
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "a"}}],
    }
)
turns = st.lists(st.tuples(replies | calls, users | results), max_size=5)
tools = st.sampled_from([None, [{"type": "function", "function": {"name": "a"}}]])
formats = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}])
talks = st.tuples(systems, users, turns, tools)
clocks = st.lists(st.floats(-1e6, 1e10), min_size=6, max_size=6)


class Nothing:
    async def get(self, key):
        return None


def settled(coroutine):
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def sent(policy, one, terms, now):
    step = settled(policy.plan(one, View(Nothing(), now, lambda _: terms)))
    settled(policy.settle(one, step, Outcome(200, "a"), Nothing()))
    return (step.body if isinstance(step, Edit) else one.body).raw


def through_messages(raw):
    """The text up to the end of the last message, without our marks."""
    text = MARK.sub(b"", raw)
    end = text.rindex(b',"prompt_cache_options"') if b',"prompt_cache_options"' in text else None
    text = text[:end]
    if b',"prompt_cache_key"' in text:
        text = text[: text.rindex(b',"prompt_cache_key"')]
    return text.rstrip(b"} \n").removesuffix(b"]").rstrip()


@settings(max_examples=150, deadline=None)
@given(talks, formats, clocks, st.sampled_from([CLAUDE, GPT]), st.data())
def test_turns_grow_byte_by_byte(talk, form, clock, terms, data):
    system, user, later, given_tools = talk
    policy = Breakpoints(Breakpoints.Settings())
    messages = [system, user]
    before = None
    for now, (reply, answer) in zip(clock, [(None, None), *later], strict=False):
        if reply is not None:
            messages = [*messages, reply, answer]
        if data.draw(st.booleans()):
            policy = Breakpoints(Breakpoints.Settings())  # a restart, or another worker
        doc = {
            "model": "m",
            **({"tools": given_tools} if given_tools else {}),
            "messages": messages,
        }
        one = call(body=Body(json.dumps(doc, **form).encode()))
        raw = sent(policy, one, terms, now)
        after = through_messages(raw)
        assert before is None or after.startswith(before)
        assert [b.chain for b in blocks(call(body=Body(raw)))] == [b.chain for b in blocks(one)]
        assert raw.count(b'"cache_control"') <= 4
        assert raw.count(b'"prompt_cache_breakpoint"') <= 4
        before = after


@settings(max_examples=150, deadline=None)
@given(systems, users, turns, st.data())
def test_who_marks_is_left_alone(system, user, later, data):
    messages = [system, user, *(message for turn in later for message in turn)]
    parts = [part for m in messages if isinstance(m["content"], list) for part in m["content"]]
    doc = {"model": "m", "messages": messages}
    target = data.draw(st.sampled_from([*parts, doc]))
    raw = json.dumps(doc).encode()
    target["cache_control"] = {"type": "ephemeral"}
    marked = json.dumps(doc).encode()
    del target["cache_control"]
    assert marked != raw
    one = call(body=Body(marked))
    assert sent(Breakpoints(Breakpoints.Settings()), one, CLAUDE, 1e9) == marked


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | words,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["messages", "role", "content", "tools", "type", "text", "system", "user"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES, Dialect.COMPLETIONS]),
    st.sampled_from([CLAUDE, GPT]),
)
def test_foreign_bytes_pass_or_stay_the_same_prompt(raw, dialect, terms):
    one = call(body=Body(raw), dialect=dialect)
    made = sent(Breakpoints(Breakpoints.Settings()), one, terms, 1e9)
    if made != raw:
        json.loads(made)
        found = blocks(call(body=Body(made), dialect=dialect))
        assert [b.chain for b in found] == [b.chain for b in blocks(one)]
