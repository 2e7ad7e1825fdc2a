import asyncio
import gc

import pytest
from backends import SSE, Pieces, Scripted, call, whole

from policies.base.call import CacheMode, Controls, Dialect
from policies.base.reply import Reply
from proxy.backends.wrap.coalesce import Coalesce
from proxy.backends.wrap.flight import Flight
from proxy.errors import BrokenReply, ConnectFailed


def coalesce(inner, *, sampled=False, limit=1000):
    return Coalesce(inner, sampled=sampled, limit=limit)


async def read(reply):
    body = b"".join([chunk async for chunk in reply.chunks])
    await reply.chunks.aclose()
    return body


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_thousand_identical_calls_are_one():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate)
    backend = coalesce(inner)
    tasks = [asyncio.create_task(backend.send(call())) for _ in range(1000)]
    await turns()
    gate.set_result(whole(b"answer"))
    replies = await asyncio.gather(*tasks)
    assert len(inner.calls) == 1
    assert [reply.collapsed for reply in replies].count(False) == 1
    assert {await read(reply) for reply in replies} == {b"answer"}


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "u"},
        {"doc": {"seed": 1}},
        {"doc": {"stream": True}},
        {"doc": {"unknown": None}},
        {"backends": ("b",)},
        {"controls": Controls(namespace="n")},
        {"headers": ((b"anthropic-beta", b"x"),)},
        {"headers": ((b"accept-encoding", b"gzip"),)},
        {"doc": {"stream_options": {"include_usage": True}}},
    ],
)
async def test_calls_that_differ_are_not_shared(other):
    gates = [asyncio.get_running_loop().create_future() for _ in range(2)]
    inner = Scripted(*gates)
    backend = coalesce(inner)
    tasks = [asyncio.create_task(backend.send(it)) for it in (call(), call(**other))]
    await turns()
    assert len(inner.calls) == 2
    for gate in gates:
        gate.set_result(whole())
    for reply in await asyncio.gather(*tasks):
        await read(reply)


@pytest.mark.parametrize(
    "apart",
    [
        call({"temperature": 0.7}),
        call({"n": 2}),
        call(controls=Controls(cache=CacheMode.OFF)),
        call(controls=Controls(cache=CacheMode.REFRESH)),
        call(controls=Controls(bypass=frozenset({"batch"}))),
        call(controls=Controls(bypass=frozenset({"all"}))),
        call(dialect=Dialect.OPAQUE),
        call({"background": True}, dialect=Dialect.RESPONSES),
    ],
)
async def test_calls_that_must_stand_alone_do(apart):
    inner = Scripted(whole(), whole())
    backend = coalesce(inner)
    replies = [await backend.send(apart), await backend.send(apart)]
    assert len(inner.calls) == 2
    assert not any(reply.collapsed for reply in replies)


async def test_sampled_calls_are_shared_where_the_setting_says_so():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate)
    backend = coalesce(inner, sampled=True)
    tasks = [asyncio.create_task(backend.send(call({"temperature": 1}))) for _ in range(2)]
    await turns()
    gate.set_result(whole())
    assert sorted(reply.collapsed for reply in await asyncio.gather(*tasks)) == [False, True]


async def test_a_follower_in_the_middle_gets_what_has_passed_and_then_the_rest():
    pieces = Pieces()
    inner = Scripted(Reply(200, SSE, pieces, "a"))
    backend = coalesce(inner)
    leader = await backend.send(call({"stream": True}))
    pieces.put(b"one")
    assert await anext(leader.chunks) == b"one"
    follower = await backend.send(call({"stream": True}))
    assert follower.collapsed
    assert await asyncio.wait_for(anext(follower.chunks), 1) == b"one"
    pieces.put(b"two")
    assert await anext(follower.chunks) == b"two"
    assert await anext(leader.chunks) == b"two"
    pieces.put(None)
    assert [await read(leader), await read(follower)] == [b"", b""]
    assert len(inner.calls) == 1


async def test_the_leaders_end_does_not_hurt_a_follower():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    leader = await backend.send(call())
    follower = await backend.send(call())
    await leader.chunks.aclose()
    pieces.put(b"x", None)
    assert await read(follower) == b"x"


def gone(one, task):
    """The client of a call hangs up."""
    one.audience.desert(task.cancel)


async def test_a_leader_whose_client_goes_before_the_head_works_on_for_a_follower():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate)
    backend = coalesce(inner)
    first = call()
    leader = asyncio.create_task(backend.send(first))
    follower = asyncio.create_task(backend.send(call()))
    await turns()
    gone(first, leader)
    await turns()
    gate.set_result(whole(b"y"))
    assert await read(await follower) == b"y"
    assert inner.cancelled == 0


async def test_a_leader_whose_client_goes_in_the_middle_works_on_for_a_follower():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    first = call()
    leader = await backend.send(first)
    reading = asyncio.create_task(read(leader))
    follower = await backend.send(call())
    pieces.put(b"1")
    assert await anext(follower.chunks) == b"1"
    gone(first, reading)
    pieces.put(b"2", None)
    assert await read(follower) == b"2"


async def test_the_upstream_call_is_cancelled_when_all_are_gone():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate, whole())
    backend = coalesce(inner)
    calls = [call() for _ in range(3)]
    tasks = [asyncio.create_task(backend.send(one)) for one in calls]
    await turns()
    for one, task in zip(calls, tasks, strict=True):
        assert inner.cancelled == 0
        gone(one, task)
        await turns()
    assert inner.cancelled == 1
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not (await backend.send(call())).collapsed


async def test_a_leader_held_up_by_its_client_does_not_hold_up_a_follower():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    leader = await backend.send(call())
    follower = await backend.send(call())
    pieces.put(b"1", b"2")
    assert await anext(leader.chunks) == b"1"  # and now its client takes its time
    assert await asyncio.wait_for(anext(follower.chunks), 1) == b"1"
    assert await asyncio.wait_for(anext(follower.chunks), 1) == b"2"
    await follower.chunks.aclose()
    pieces.put(b"3", None)
    assert await read(leader) == b"23"
    await turns()
    assert pieces.closed


async def test_a_leader_that_leaves_after_a_task_took_over_leaves_it_to_the_follower():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    first = call()
    leader = await backend.send(first)
    follower = await backend.send(call())
    pieces.put(b"1", b"2")
    await anext(leader.chunks)
    await anext(follower.chunks)
    assert await anext(follower.chunks) == b"2"
    ended = []
    first.audience.desert(lambda: ended.append(1))
    assert ended
    await leader.chunks.aclose()
    pieces.put(b"3", None)
    assert await read(follower) == b"3"


async def test_the_upstream_body_is_closed_when_all_are_gone_in_the_middle():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    replies = [await backend.send(call()) for _ in range(2)]
    pieces.put(b"x")
    await anext(replies[0].chunks)
    for reply in replies:
        await reply.chunks.aclose()
    await turns()
    assert pieces.closed


async def test_an_error_reaches_all_and_the_next_call_tries_anew():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate, whole(b"fine"))
    backend = coalesce(inner)
    tasks = [asyncio.create_task(backend.send(call())) for _ in range(3)]
    await turns()
    gate.set_exception(ConnectFailed("no"))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectFailed] * 3
    assert await read(await backend.send(call())) == b"fine"


async def test_an_error_reply_reaches_all_and_the_next_call_tries_anew():
    gate = asyncio.get_running_loop().create_future()
    inner = Scripted(gate, whole(b"fine"))
    backend = coalesce(inner)
    tasks = [asyncio.create_task(backend.send(call())) for _ in range(3)]
    await turns()
    gate.set_result(whole(b"busy", status=429))
    assert [reply.status for reply in await asyncio.gather(*tasks)] == [429] * 3
    fresh = await backend.send(call())
    assert not fresh.collapsed
    assert await read(fresh) == b"fine"


async def test_an_error_in_the_middle_reaches_all_after_what_has_passed():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")))
    replies = [await backend.send(call()) for _ in range(2)]
    pieces.put(b"x", BrokenReply("reset"))
    for reply in replies:
        assert await anext(reply.chunks) == b"x"
        with pytest.raises(BrokenReply):
            await anext(reply.chunks)


async def test_a_finished_flight_answers_until_its_first_reader_has_settled():
    inner = Scripted(whole(b"1"), whole(b"2"))
    backend = coalesce(inner)
    leader = await backend.send(call())
    late = await backend.send(call())
    assert late.collapsed
    assert await read(leader) == b"1"
    assert await read(await backend.send(call())) == b"2"
    assert await read(late) == b"1"


async def test_memory_is_bounded_and_a_laggard_is_cut_off():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a"), whole()), limit=100)
    fast, slow = [await backend.send(call()) for _ in range(2)]
    pieces.put(*[b"x" * 50] * 10, None)
    flight = slow.chunks.flight
    got = 0
    async for chunk in fast.chunks:
        got += len(chunk)
        await turns(3)
        assert flight._size <= 150
    assert got == 500
    with pytest.raises(BrokenReply):
        await read(slow)
    assert not (await backend.send(call())).collapsed


async def test_a_single_slow_reader_holds_the_upstream_back():
    pieces = Pieces()
    backend = coalesce(Scripted(Reply(200, SSE, pieces, "a")), limit=100)
    reply = await backend.send(call())
    pieces.put(*[b"x" * 50] * 10, None)
    await turns(50)
    assert pieces.queue.qsize() >= 7
    assert len(await read(reply)) == 500


async def test_a_follower_that_leaves_does_not_end_the_sharing():
    pieces = Pieces()
    inner = Scripted(Reply(200, SSE, pieces, "a"))
    backend = coalesce(inner)
    leader = await backend.send(call())
    await (await backend.send(call())).chunks.aclose()
    third = await backend.send(call())
    assert third.collapsed
    pieces.put(b"x", None)
    assert [await read(leader), await read(third)] == [b"x", b"x"]


async def test_a_follower_that_comes_as_the_leader_is_cancelled_asks_anew():
    gate = asyncio.get_running_loop().create_future()
    backend = coalesce(Scripted(gate, whole(b"fine")))
    leader = asyncio.create_task(backend.send(call()))
    await turns()
    leader.cancel()
    follower = asyncio.create_task(backend.send(call()))
    assert await read(await follower) == b"fine"


def streamed():
    pieces = Pieces()
    pieces.put(b"a", b"b", None)
    return Reply(200, SSE, pieces, "a")


@pytest.mark.parametrize("made", [whole, streamed])
async def test_what_is_over_is_not_left_to_the_collector(made):
    """Replies are large: kept until it comes by, they would be most of the memory."""
    gc.collect()
    gc.disable()
    try:
        backend = coalesce(Scripted(made()))
        await read(await backend.send(call()))
        assert [each for each in gc.get_objects() if isinstance(each, Flight)] == []
    finally:
        gc.enable()
