import asyncio
import json
import random

import pytest
from backends import SSE, Pieces, Scripted, call, whole

from policies.base.call import Controls, Dialect
from policies.base.prompt import blocks
from policies.base.reply import Reply
from policies.base.terms import Terms
from proxy.backends.simulated import Simulated
from proxy.backends.wrap.gate import Gate, GateSettings
from proxy.errors import ConnectFailed

TERMS = Terms(rule="anthropic_marks", minimum=1024, lifetime=300.0)
MARK = {"cache_control": {"type": "ephemeral"}}
LONG = "word " * 2000


def asked(question="q", text=LONG, marks=MARK, **fields):
    """An Anthropic request: a long marked system prompt and a short question."""
    doc = {
        "max_tokens": 8,
        "system": [{"type": "text", "text": text} | marks],
        "messages": [{"role": "user", "content": question}],
    }
    return call(doc, **({"dialect": Dialect.MESSAGES, "path": "messages"} | fields))


def read(one):
    """As a policy leaves it that has looked at the prompt."""
    assert blocks(one)
    return one


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def gate(inner, terms=TERMS, clock=None, **settings):
    return Gate(inner, lambda _: terms, GateSettings(**settings), clock or Clock())


def held(count):
    """Replies that the test lets go one by one."""
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


def started(backend, *calls):
    return [asyncio.create_task(backend.send(one)) for one in calls]


async def turns(count=8):
    for _ in range(count):
        await asyncio.sleep(0)


async def sent(inner, count):
    """Wait until so many calls have got through; time decides."""
    async with asyncio.timeout(5):
        while len(inner.calls) < count:  # noqa: ASYNC110 - nothing tells of a call that goes on
            await asyncio.sleep(0.005)


async def finished(tasks, replies):
    for reply in replies:
        if not reply.done():
            reply.set_result(whole())
    return await asyncio.wait_for(asyncio.gather(*tasks), 5)


def idle(backend):
    return not backend._crowds


async def test_the_first_goes_and_the_others_follow_its_first_byte():
    replies = held(10)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, *[asked(str(n)) for n in range(10)])
    await turns()
    assert len(inner.calls) == 1
    replies[0].set_result(Reply(200, SSE, Pieces(), "a"))  # a stream that has only begun
    await turns()
    assert len(inner.calls) == 10
    await finished(tasks, replies)
    assert idle(backend)


@pytest.mark.parametrize(
    "other",
    [
        asked("o", text="another " * 1000),
        asked("o", tenant="another"),
        asked("o", model="another"),
        asked("o", marks={}),
        asked("o", text="short"),
        asked("o", controls=Controls(priority="High")),
        asked("o", controls=Controls(priority="critical")),
        asked("o", controls=Controls(bypass=frozenset({"prefix"}))),
        asked("o", controls=Controls(bypass=frozenset({"all"}))),
        asked("o", controls=Controls(max_wait=0.0)),
        asked("o", dialect=Dialect.OPAQUE),
    ],
    ids=[
        *("prefix", "tenant", "model", "unmarked", "short", "high", "critical", "bypass", "all"),
        *("max-wait", "opaque"),
    ],
)
async def test_calls_that_gain_nothing_by_waiting_go_at_once(other):
    replies = held(2)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, asked(), other)
    await turns()
    assert len(inner.calls) == 2
    await finished(tasks, replies)
    assert idle(backend)


@pytest.mark.parametrize("rule", ["none", "openai_steps", "vllm_blocks", "gemini_implicit"])
async def test_rules_that_bill_no_writes_are_not_gated(rule):
    replies = held(2)
    inner = Scripted(*replies)
    tasks = started(gate(inner, Terms(rule=rule, minimum=16)), asked("a"), asked("b"))
    await turns()
    assert len(inner.calls) == 2
    await finished(tasks, replies)


def chat(question, mark):
    part = {"type": "text", "text": LONG} | mark
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": question}]
    return call({"messages": messages})


async def test_openai_reads_at_breakpoints_only():
    terms = Terms(rule="openai_breakpoints", minimum=1024, lifetime=1800.0)
    for mark, sent in (({"prompt_cache_breakpoint": {"mode": "explicit"}}, 1), ({}, 2)):
        replies = held(2)
        inner = Scripted(*replies)
        tasks = started(gate(inner, terms), chat("a", mark), chat("b", mark))
        await turns()
        assert len(inner.calls) == sent
        replies[0].set_result(whole())
        await turns()
        await finished(tasks, replies)


async def test_what_is_urgent_does_not_wait_but_is_waited_for():
    replies = held(2)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, asked("a", controls=Controls(priority="high")), asked("b"))
    await turns()
    assert len(inner.calls) == 1
    await finished(tasks, replies)


async def test_what_is_warm_never_waits_within_its_lifetime():
    clock = Clock()
    inner = Scripted(*[whole() for _ in range(2)])
    backend = gate(inner, clock=clock)
    await backend.send(read(asked("a")))
    for later, sent in ((299.0, 2), (301.0, 1)):
        clock.now = 1000.0 + later
        replies = held(2)
        inner.replies, inner.calls = list(replies), []
        calls = [asked("c"), asked("d")]
        tasks = started(backend, *calls)
        await turns()
        assert len(inner.calls) == sent
        for reply in replies:
            reply.set_result(whole(status=500))
        await asyncio.gather(*tasks)


async def test_one_call_alone_is_not_read_unless_somebody_has_already():
    inner = Scripted(whole(), whole())
    backend = gate(inner)
    one = asked("a")
    await backend.send(one)
    assert one.body.blocks is None
    assert not backend._warm
    await backend.send(read(one))
    assert len(backend._warm) == 1


async def test_a_little_more_than_what_is_warm_is_not_worth_a_wait():
    def more(question):
        """The same system prompt, and a short marked message after it."""
        doc = asked().doc()
        part = {"type": "text", "text": "a short note", **MARK}
        content = [part, {"type": "text", "text": question}]
        return call(
            doc | {"messages": [{"role": "user", "content": content}]}, dialect=Dialect.MESSAGES
        )

    inner = Scripted(whole(), whole())
    backend = gate(inner)
    await backend.send(read(asked("a")))
    replies = held(2)
    inner.replies, inner.calls = list(replies), []
    tasks = started(backend, more("c"), more("d"))
    await turns()
    assert len(inner.calls) == 2
    await finished(tasks, replies)


@pytest.mark.parametrize(
    "failure",
    [ConnectFailed("no"), whole(status=429), whole(status=500)],
    ids=["no connection", "429", "500"],  # of a reply, `repr` is another one in each process
)
async def test_when_the_first_fails_the_next_one_goes_first(failure):
    replies = held(4)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, *[asked(str(n)) for n in range(4)])
    await turns()
    if isinstance(failure, Exception):
        replies[0].set_exception(failure)
    else:
        replies[0].set_result(failure)
    await turns()
    assert len(inner.calls) == 2
    replies[1].set_result(whole())
    await turns()
    assert len(inner.calls) == 4
    for reply in replies[2:]:
        reply.set_result(whole())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] is failure
    assert [reply.status for reply in results[1:]] == [200] * 3
    assert idle(backend)


async def test_when_the_first_is_cancelled_the_next_one_goes_first():
    replies = held(3)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, *[asked(str(n)) for n in range(3)])
    await turns()
    tasks[0].cancel()
    await turns()
    assert len(inner.calls) == 2
    await finished(tasks[1:], replies[1:])
    assert idle(backend)


async def test_one_that_is_cancelled_while_it_waits_is_never_sent():
    replies = held(2)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, *[asked(str(n)) for n in range(3)])
    await turns()
    tasks[1].cancel()
    await finished([tasks[0], tasks[2]], replies)
    assert [one.doc()["messages"][0]["content"] for one in inner.calls] == ["0", "2"]
    assert idle(backend)


async def test_nobody_waits_longer_than_the_limit():
    replies = held(3)
    inner = Scripted(*replies)
    backend = gate(inner, wait=0.02)
    tasks = started(backend, *[asked(str(n)) for n in range(3)])
    await turns()
    assert len(inner.calls) == 1
    await sent(inner, 3)
    await finished(tasks, replies)
    assert idle(backend)


async def test_a_callers_own_limit_counts_where_it_is_shorter():
    replies = held(2)
    inner = Scripted(*replies)
    backend = gate(inner, wait=3600)
    tasks = started(backend, asked("a"), asked("b", controls=Controls(max_wait=0.01)))
    await sent(inner, 2)  # which is long before an hour has passed
    await finished(tasks, replies)
    assert idle(backend)


async def test_no_more_wait_for_one_than_the_limit():
    replies = held(5)
    inner = Scripted(*replies)
    backend = gate(inner, waiters=2)
    tasks = started(backend, *[asked(str(n)) for n in range(5)])
    await turns()
    assert len(inner.calls) == 3
    await finished(tasks, replies)
    assert idle(backend)


async def test_one_that_waits_no_longer_makes_room():
    replies = held(3)
    inner = Scripted(*replies)
    backend = gate(inner, waiters=1)
    tasks = started(backend, asked("a"), asked("b"))
    await turns()
    tasks[1].cancel()
    await turns()
    tasks += started(backend, asked("c"))
    await turns()
    assert len(inner.calls) == 1
    await finished([tasks[0], tasks[2]], replies)


async def test_a_longer_prefix_is_waited_for_after_a_shorter_one():
    """A, then B and C which share more with each other than with A."""

    def longer(question):
        doc = asked().doc()
        content = [{"type": "text", "text": "more " * 2000, **MARK}]
        content.append({"type": "text", "text": question})
        return call(
            doc | {"messages": [{"role": "user", "content": content}]}, dialect=Dialect.MESSAGES
        )

    replies = held(3)
    inner = Scripted(*replies)
    backend = gate(inner)
    tasks = started(backend, asked("a"), longer("b"), longer("c"))
    await turns()
    assert len(inner.calls) == 1
    replies[0].set_result(whole())
    await turns()
    assert len(inner.calls) == 2
    replies[1].set_result(whole())
    await turns()
    assert len(inner.calls) == 3
    await finished(tasks, replies)


async def test_what_is_remembered_as_warm_is_bounded(monkeypatch):
    monkeypatch.setattr("proxy.backends.wrap.gate._REMEMBERED", 3)
    inner = Scripted(*[whole() for _ in range(20)])
    backend = gate(inner)
    for number in range(10):
        await backend.send(read(asked(text=f"{number} {LONG}")))
    assert len(backend._warm) == 3


def usage(reply):
    return json.loads(reply.whole)["usage"]


async def burst(backend, count):
    replies = await asyncio.gather(*started(backend, *[asked(str(n)) for n in range(count)]))
    found = [usage(reply) for reply in replies]
    wrote = sum(each["cache_creation_input_tokens"] > 0 for each in found)
    read = sum(each["cache_read_input_tokens"] > 0 for each in found)
    return wrote, read


async def test_of_parallel_calls_to_a_simulated_provider_one_writes_and_the_others_read():
    settings = Simulated.Settings(rule="anthropic_marks", latency=0.3)
    assert await burst(Simulated("a", settings), 12) == (12, 0)
    assert await burst(Gate(Simulated("a", settings), lambda _: TERMS), 12) == (1, 11)


async def test_it_closes_what_it_wraps():
    closed = []

    class Inner(Scripted):
        async def aclose(self):
            closed.append(self.name)

    backend = gate(Inner(name="b"))
    assert backend.name == "b"
    await backend.aclose()
    assert closed == ["b"]


async def test_any_order_of_arrivals_failures_and_cancellations_ends():
    for seed in range(30):
        chance = random.Random(seed)
        replies = held(12)
        backend = gate(Scripted(*replies), wait=3600)
        tasks = started(backend, *[asked(str(n)) for n in range(12)])
        for reply in replies:
            await turns(chance.randrange(4))
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
            if not reply.done():
                failed = chance.choice([ConnectFailed("no"), None, None])
                answer = whole(status=chance.choice([200, 503]))
                reply.set_exception(failed) if failed else reply.set_result(answer)
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert len(done) == 12
        assert idle(backend)
        [reply.exception() for reply in replies if not reply.cancelled()]
