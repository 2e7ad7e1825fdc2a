"""How many upstream calls a crowd of identical, simultaneous requests costs."""

import asyncio
import json
import secrets

import aiohttp
from overhead_events import EVENTS
from overhead_load import chat
from overhead_process import CHAT, BenchError, Running

_HOLD = {"x-bench-hold": "2"}  # long enough for everyone to arrive before the reply begins
_SLOW = {"x-bench-hold": "0.5", "x-bench-gap": "0.01"}  # 2 s of events: most join in the middle


def upstream_calls(target: Running, upstream: Running, crowd: int, *, stream: bool) -> int:
    """Send one request `crowd` times at once; returns how many calls reached the upstream.

    Raises BenchError if any answer is not 200 or not the same as the others.
    """
    before = _calls(upstream)
    body = chat(1024, secrets.token_hex(12), **({"stream": True} if stream else {}))
    answers = asyncio.run(_crowd(target, body, crowd, _SLOW if stream else _HOLD))
    kinds = {status for status, _ in answers}
    texts = {text for _, text in answers}
    if kinds != {200} or len(texts) != 1:
        raise BenchError(f"{target.name} gave statuses {kinds} and {len(texts)} different answers")
    if stream and texts.pop().count(b"sent_ns") != EVENTS:
        raise BenchError(f"{target.name} lost events of a shared stream")
    return _calls(upstream) - before


async def _crowd(
    target: Running, body: bytes, crowd: int, headers: dict[str, str]
) -> list[tuple[int, bytes]]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    headers |= {"content-type": "application/json", "authorization": "Bearer sk-bench"}
    url = f"http://127.0.0.1:{target.program.port}{CHAT}"

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one() -> tuple[int, bytes]:
            async with session.post(url, data=body, headers=headers) as reply:
                return reply.status, await reply.read()

        return await asyncio.gather(*(one() for _ in range(crowd)))


def _calls(upstream: Running) -> int:
    calls: int = json.loads(upstream.get("/calls"))["calls"]
    return calls
