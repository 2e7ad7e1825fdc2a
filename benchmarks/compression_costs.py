"""What compression does to whole conversations: cost, prefixes, and the time of a warm plan."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from compression_sets import Count, rows
from prefix_scenes import MINISWE, SWE, TAU, Replayer

from policies.base.body import Body
from policies.base.call import Call, Controls, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.step import Edit
from policies.compress_lossless import Lossless
from proxy.config.load import loads
from proxy.pipeline import Pipeline
from proxy.prices import Prices
from proxy.replay.run import pipeline_of
from proxy.replay.store import Clock, Shelves

MODELS = ("gpt-6-sol", "claude-sonnet-5")
TRACES = (TAU, SWE, MINISWE)
_MESSAGES, _BODY = 60, 100_000  # of the conversation whose warm plan is timed
_GROWN = 100_000  # tokens of results of the conversation that grows
_ROUNDS = 400
_CONFIG = """
version: 1
pipelines:
  without: [{{use: cache.exact}}, {{use: prefix.canonical}}, {{use: prefix.breakpoints}}]
  with:
    - {{use: cache.exact}}
    - {{use: prefix.canonical}}
    - {{use: compress.lossless, budget: 1h, pasted: {pasted}}}
    - {{use: prefix.breakpoints}}
"""


async def _pipelines(*, pasted: bool) -> list[Pipeline]:
    """Without and with compression; a replay is not timed, so that there is time for all."""
    config = loads(_CONFIG.format(pasted=str(pasted).lower()), "benchmark", {})
    return [await pipeline_of(config.pipelines[name]) for name in ("without", "with")]


async def costs(data: Path) -> dict[str, float]:
    """Input cost with compression over that without, by model."""
    docs = rows(data / f"traces/{TAU}.jsonl.gz")
    found = {}
    for model in MODELS:
        replayer = Replayer(model, Prices.load().of(model))
        both = await replayer.run(docs, await _pipelines(pasted=False))
        found[model] = both["with"].paid / both["without"].paid
    return found


async def violations(data: Path) -> int:
    """Turns that do not begin as the one before, over all traces, users' texts included."""
    total = 0
    for trace in TRACES:
        docs = rows(data / f"traces/{trace}.jsonl.gz")
        for model in MODELS:
            replayer = Replayer(model, Prices.load().of(model))
            both = await replayer.run(docs, await _pipelines(pasted=True))
            total += both["with"].violations + both["with"].drifted
    return total


def conversation(texts: Sequence[str]) -> bytes:
    """A chat of 60 messages and 100 KB in which tools have answered with these texts."""
    messages: list[Any] = [
        {"role": "system", "content": "Be exact. " * 100},
        {"role": "user", "content": "?"},
    ]
    while len(messages) < _MESSAGES:
        number = len(messages)
        messages += exchange(number, texts[number % len(texts)])
    missing = _BODY - len(json.dumps(messages))
    for message in messages[2::2]:
        message["content"] = "x" * max(0, 2 * missing // _MESSAGES)
    return json.dumps({"model": "gpt-5", "messages": messages}).encode()


def before(raw: bytes) -> bytes:
    """The turn before: without the last call and its result."""
    doc = json.loads(raw)
    return json.dumps(doc | {"messages": doc["messages"][:-2]}).encode()


async def warm(texts: Sequence[str], count: Count) -> float:
    """The shortest of many plans of a turn that goes on, all of whose texts are known, in ms."""
    raw = conversation(texts)
    earlier = before(raw)
    policy = Lossless(Lossless.Settings(budget=60.0))
    store = Shelves(Clock(0.0)).bind("compress", "t")
    view = View(store, 0.0, counter=lambda _: count)
    best = float("inf")
    for _ in range(_ROUNDS):
        await policy.plan(call(Body(earlier)), view)
        one = call(Body(bytes(bytearray(raw))))
        begun = time.perf_counter()
        step = await policy.plan(one, view)
        best = min(best, time.perf_counter() - begun)
        assert isinstance(step, Edit)
        await policy.settle(one, step, Outcome(200), store)
    await policy.aclose()
    return best * 1000


async def growing(texts: Sequence[str], count: Count) -> float:
    """Of all requests of a conversation, each with a new result, until it has 100,000 tokens.

    The milliseconds of the plan in the middle.
    """
    policy = Lossless(Lossless.Settings())
    store = Shelves(Clock(0.0)).bind("compress", "t")
    view = View(store, 0.0, counter=lambda _: count)
    messages: list[object] = [{"role": "user", "content": "?"}]
    tokens, times = 0, []
    for number, text in enumerate(texts):
        messages += exchange(number, text)
        tokens += count(text)
        one = call(Body(json.dumps({"model": "gpt-5", "messages": messages}).encode()))
        begun = time.perf_counter()
        step = await policy.plan(one, view)
        times.append(time.perf_counter() - begun)
        await policy.settle(one, step, Outcome(200), store)
        if tokens >= _GROWN:
            break
    await policy.aclose()
    return median(times) * 1000


async def resumed(texts: Sequence[str], count: Count) -> float:
    """The milliseconds per 100,000 tokens of a request all of whose many results are new.

    As of a conversation that comes from elsewhere. Of five plans the one in the middle.
    """
    messages: list[object] = [{"role": "user", "content": "?"}]
    for number, text in enumerate(texts):
        messages += exchange(number, text)
    doc = {"model": "gpt-5", "messages": messages}
    raw = json.dumps(doc, separators=(",", ":"), ensure_ascii=False).encode()
    times = []
    for _ in range(5):
        policy = Lossless(Lossless.Settings(budget=60.0))
        store = Shelves(Clock(0.0)).bind("compress", "t")
        one = call(Body(bytes(bytearray(raw))))
        begun = time.process_time()
        step = await policy.plan(one, View(store, 0.0, counter=lambda _: count))
        times.append(time.process_time() - begun)
        assert isinstance(step, Edit)
        await policy.aclose()
    return 1000 * median(times) * _GROWN / sum(map(count, texts))


def exchange(number: int, text: str) -> list[object]:
    """A call of a tool and its result."""
    made = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [made | {"id": str(number)}]},
        {"role": "tool", "tool_call_id": str(number), "content": text},
    ]


def call(body: Body) -> Call:
    """A request to GPT-5 with this body."""
    return Call(
        id="1",
        dialect=Dialect.CHAT,
        method="POST",
        path="chat/completions",
        headers=(),
        body=body,
        tenant="t",
        credential=(),
        model="gpt-5",
        stream=False,
        route="1:*",
        backends=("openai",),
        effects=frozenset(Effect),
        controls=Controls(),
    )


def measured(data: Path) -> tuple[dict[str, float], int]:
    """Costs and violations."""

    async def together() -> tuple[dict[str, float], int]:
        return await costs(data), await violations(data)

    return asyncio.run(together())
