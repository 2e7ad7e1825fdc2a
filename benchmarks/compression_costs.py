"""What compression does to whole conversations: cost, prefixes, and the time of a warm plan."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

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


async def costs(data: Path, work: Path) -> dict[str, float]:
    """Input cost with compression over that without, by model."""
    docs = rows(data / f"traces/{TAU}.jsonl.gz")
    found = {}
    for model in MODELS:
        replayer = Replayer(model, Prices.load().of(model), work)
        both = await replayer.run(docs, await _pipelines(pasted=False))
        found[model] = both["with"].paid / both["without"].paid
    return found


async def violations(data: Path, work: Path) -> int:
    """Turns that do not begin as the one before, over all traces, users' texts included."""
    total = 0
    for trace in TRACES:
        docs = rows(data / f"traces/{trace}.jsonl.gz")
        for model in MODELS:
            replayer = Replayer(model, Prices.load().of(model), work)
            both = await replayer.run(docs, await _pipelines(pasted=True))
            total += both["with"].violations + both["with"].drifted
    return total


def conversation(texts: Sequence[str]) -> bytes:
    """A chat of 60 messages and 100 KB in which tools have answered with these texts."""
    call = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [{"role": "system", "content": "Be exact. " * 100}, {"role": "user", "content": "?"}]
    while len(messages) < _MESSAGES:
        number = len(messages)
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call | {"id": str(number)}]},
            {"role": "tool", "tool_call_id": str(number), "content": texts[number % len(texts)]},
        ]
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


def measured(
    data: Path, work: Path, texts: Sequence[str], count: Count
) -> tuple[dict[str, float], int, float]:
    """All of it: costs, violations, milliseconds."""

    async def together() -> tuple[dict[str, float], int, float]:
        fast = await warm(texts, count)
        return await costs(data, work), await violations(data, work), fast

    return asyncio.run(together())
