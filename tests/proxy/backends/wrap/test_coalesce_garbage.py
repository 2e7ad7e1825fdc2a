"""What has been shared is gone with the last who read it, and waits for no collector."""

import asyncio
import gc
import weakref

import pytest
from backends import SSE, Pieces, Scripted, call

from policies.base.reply import Reply
from proxy.backends.wrap.coalesce import Coalesce


async def read(backend):
    reply = await backend.send(call())
    async for _ in reply.chunks:
        await asyncio.sleep(0)
    await reply.chunks.aclose()


@pytest.mark.parametrize("clients", [1, 3])
async def test_a_stream_leaves_nothing_for_the_collector(clients):
    body = Pieces()
    body.put(b"a", b"b", b"c", None)
    seen = weakref.ref(body)
    backend = Coalesce(Scripted(Reply(200, SSE, body, "a")), sampled=False, limit=1000)
    gc.collect()
    gc.disable()
    try:
        del body
        await asyncio.gather(*[read(backend) for _ in range(clients)])
        backend._inner.calls.clear()
        await asyncio.sleep(0.01)
        assert seen() is None
    finally:
        gc.enable()
