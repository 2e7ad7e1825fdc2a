"""A deadline is for who works for too long, not for who is kept from going on."""

import asyncio
import time

import pytest

from proxy.deadline import within


async def run(seconds, work):
    return await within(seconds, work, work.send(None))


async def test_who_still_waits_is_stopped():
    stopped = []

    async def wait():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    with pytest.raises(TimeoutError):
        await run(0.01, wait())
    assert stopped


async def test_who_could_not_go_on_since_the_loop_stood_still_is_not():
    async def wait():
        try:
            await asyncio.wait_for(asyncio.sleep(60), 0.04)
        except TimeoutError:
            await asyncio.to_thread(int)
            return "what is there"

    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.1)
    assert await run(0.05, wait()) == "what is there"


async def test_who_waits_for_ever_is_stopped_though_the_loop_stood_still():
    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.05)
    with pytest.raises(TimeoutError):
        await run(0.02, asyncio.sleep(60))


async def test_who_is_cancelled_is():
    task = asyncio.create_task(run(60, asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
