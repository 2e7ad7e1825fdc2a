"""Whatever policies do, a turn begins with what was sent for its turn before, or is untouched."""

import msgspec
from backends import call, replaced
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from proxy.guards.monotone import Monotone
from proxy.stores.bound import bind
from proxy.stores.memory import MemoryTier


def mark(messages):
    """Sets a mark at the end, which moves with every turn."""
    *rest, last = messages
    part = {"type": "text", "text": last["content"], "cache_control": {"type": "ephemeral"}}
    return [*rest, last | {"content": [part]}]


def shorten(messages):
    return [m | {"content": m["content"][:3]} if m["role"] == "user" else m for m in messages]


def count(messages):
    """Changes the past with every turn."""
    first, *rest = messages
    return [first | {"content": f"{len(messages)} {first['content']}"}, *rest]


def append(messages):
    """Adds to the latest message, and forgets it in the next turn."""
    *rest, last = messages
    return [*rest, last | {"content": last["content"] + " now"}]


def add(messages):
    return [*messages, {"role": "user", "content": "it is noon"}]


def drop(messages):
    return messages[-1:]


def keep(messages):
    return messages


EDITS = {edit.__name__: edit for edit in (mark, shorten, count, append, add, drop, keep)}

steps = st.lists(
    st.tuples(
        st.integers(0, 10),  # the request to go on from, by its age
        st.integers(0, 3),  # exchanges added; 0: the same request again
        st.sampled_from(sorted(EDITS)),
        st.integers(0, 1),  # the worker that gets it
        st.booleans(),  # a restart before
        st.floats(-1e12, 1e12),  # what its clock says
    ),
    max_size=20,
)


def asked(messages):
    return call({"messages": messages}, dialect=Dialect.MESSAGES)


def edited(one, edit):
    messages = msgspec.json.decode(one.body.raw)["messages"]
    if edit == "keep":
        return one
    body = Body(msgspec.json.encode({"model": "m", "messages": EDITS[edit](messages)}))
    return replaced(one, body=body)


def plain(one):
    """The messages without marks."""
    messages = msgspec.json.decode(one.body.raw)["messages"]
    for message in messages:
        if isinstance(message["content"], list):
            message["content"] = message["content"][0]["text"]
    return messages


class Workers:
    """Two of them, with what each turn's beginning was forwarded as."""

    def __init__(self):
        self.tier = MemoryTier(1_000_000)
        self.guards = [Monotone(), Monotone()]

    async def send(self, messages, edit, worker, now):
        original = asked(messages)
        candidate = edited(original, edit)
        guard, store = self.guards[worker], bind(self.tier, "guard", "t")
        verdict = await guard.review(original, candidate, store)
        forwarded = candidate if verdict.ok else original
        await guard.remember(original, forwarded, store, now)
        return verdict, candidate, forwarded


def begins(whole, beginning):
    return whole[: len(beginning)] == beginning


def grown(messages, number, exchanges):
    for exchange in range(exchanges):
        text = f"{number}.{exchange}"
        messages = [
            *messages,
            {"role": "assistant", "content": "answer " + text},
            {"role": "user", "content": "question " + text},
        ]
    return messages


FIRST = [{"role": "user", "content": "hello there"}]


@given(st.sampled_from(sorted(EDITS)), steps)
async def test_a_turn_begins_with_what_was_sent_for_the_turn_before_or_is_untouched(first, steps):
    workers = Workers()
    verdict, _, forwarded = await workers.send(FIRST, first, 0, 0.0)
    assert verdict.ok
    said = [(FIRST, plain(forwarded))]
    for number, (age, exchanges, edit, worker, restart, now) in enumerate(steps):
        if restart:
            workers.guards[worker] = Monotone()
        messages, before = said[-1 - age % len(said)]
        messages = grown(messages, number, max(1, exchanges))
        verdict, candidate, forwarded = await workers.send(messages, edit, worker, now)
        assert verdict.ok == begins(plain(candidate), before)
        assert verdict.ok or forwarded.body.raw == asked(messages).body.raw
        said.append((messages, plain(forwarded)))


@given(st.sampled_from(["mark", "shorten", "keep"]), steps)
async def test_a_policy_that_does_the_same_to_every_turn_never_drifts(edit, steps):
    workers = Workers()
    said = [FIRST]
    for number, (age, exchanges, _, worker, restart, now) in enumerate(steps):
        if restart:
            workers.guards[worker] = Monotone()
        messages = grown(said[-1 - age % len(said)], number, exchanges)
        verdict, _, _ = await workers.send(messages, edit, worker, now)
        assert verdict.ok
        said.append(messages)
