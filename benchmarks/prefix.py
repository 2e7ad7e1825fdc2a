"""Prefix caching under Penstock: every bar of its issue, measured on real traces, peers beside it.

Traces are replayed offline, as by `penstock replay`, under the cache rules and prices of two
models: one that matches at breakpoints (gpt-6-sol) and one with marks (claude-sonnet-5), both with
reads at 0.1 and writes at 1.25 of the input price. `scripts/bench-peers` installs the peers.
Exit code 0: done and every bar met; 1: a bar was missed or the measurement failed; 2: no data.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import tree  # noqa: F401 - which tree is measured
from msgspec.structs import replace
from overhead_process import BenchError
from prefix_bars import Bar, table
from prefix_costs import ALL, megabytes, milliseconds
from prefix_peers import HEADROOM, LITELLM, headroom, litellm
from prefix_placements import PLACEMENTS, placements
from prefix_scenes import (
    GAP,
    MINISWE,
    SWE,
    TAU,
    TOOL,
    Doc,
    Replayer,
    as_it_is,
    log_of,
    policies_of,
    preset_of,
    questions,
    rows,
    shuffled,
    with_header,
)
from rich.console import Console

from proxy.config import PRESETS
from proxy.pipeline import Pipeline
from proxy.prices import Prices
from proxy.replay.schedule import Pace
from proxy.replay.tally import Tally

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
OURS = "penstock"
GPT, CLAUDE, LOCAL = "gpt-6-sol", "claude-sonnet-5", "vllm/any"
RATES = (0.2, 1.0, 10.0)  # conversations a minute
PARTS = ("oracle", "rates", "once", "header", "tools", "vllm", "stable", "peers", "time", "memory")
_SHORT, _FULL = 100_000, 1_000_000  # distinct prompts
_BOUND = 64.0  # MB
_LATE = Pace(rate=1.0, gap=400.0)
_FEW = 5
_TIE = 1.001  # marks set by rote and by learning can come to the same


class Bench:
    """Measures part by part. `data` holds the traces, `work` is for what is written."""

    def __init__(self, data: Path, work: Path, *, full: bool) -> None:
        self._traces = {
            name: rows(data / f"traces/{name}.jsonl.gz") for name in (TAU, SWE, MINISWE)
        }
        self._data = data
        self._work = work
        self._full = full

    def _replayer(self, model: str, lifetime: float | None = None) -> Replayer:
        price = Prices.load().of(model)
        price = price if lifetime is None else replace(price, lifetime=lifetime)
        return Replayer(model, price)

    async def oracle(self) -> AsyncIterator[Bar]:
        """Close to the best that marks could do."""
        for name in (TAU, SWE):
            for model in (GPT, CLAUDE):
                found = await self._replayer(model).run(self._traces[name], [await _ours()])
                ratio = found[OURS].paid / found["oracle"].paid
                yield Bar(f"{name}, {model}: input cost over the oracle's", ratio, "<=", 1.02, "x")

    async def rates(self) -> AsyncIterator[Bar]:
        """Never dearer than direct, nor much than the best fixed placement."""
        for model in (CLAUDE, GPT):
            for rate in RATES:
                replayer = self._replayer(model, 300.0)
                pace = Pace(rate=rate, gap=GAP)
                pipelines = [await _ours(), *placements()]
                found = await replayer.run(self._traces[TAU], pipelines, pace)
                ours, where = found[OURS].paid, f"{model}, 5 min, {rate:g}/min: input cost over"
                best = min(PLACEMENTS, key=lambda name: found[name].paid)
                yield Bar(f"{where} direct's", ours / found["direct"].paid, "<=", 1.0, "x")
                yield Bar(f"{where} '{best}', the best", ours / found[best].paid, "<=", 1.05, "x")

            replayer = self._replayer(model, 300.0)
            found = await replayer.run(self._traces[TAU], [await _ours()], _LATE)
            ratio = found[OURS].paid / found["direct"].paid
            yield Bar(
                f"{model}, each turn after the lifetime: over direct's", ratio, "<=", 1.0, "x"
            )

    async def once(self) -> AsyncIterator[Bar]:
        """Questions that never recur."""
        docs = list(questions(self._data / "qa/nq_open_oracle.jsonl.gz"))
        for model in (GPT, CLAUDE):
            found = await self._replayer(model).run(docs, [await _ours()])
            ratio = found[OURS].paid / found["direct"].paid
            yield Bar(f"questions asked once, {model}: cost over direct's", ratio, "<=", 1.01, "x")
            for most in (_FEW, len(docs)):  # as agents look that have only begun, 20 a second
                asked = [doc | {"tools": [TOOL]} for doc in docs[:most]]
                found = await self._replayer(model).run(asked, [await _ours()], Pace(gap=0.05))
                ratio = found[OURS].paid / found["direct"].paid
                what = f"the first {most} with a tool, {model}: cost over direct's"
                yield Bar(what, ratio, "<=", 1.01, "x")

    async def header(self) -> AsyncIterator[Bar]:
        """A line that changes with every request."""
        steps = ("prefix.canonical", "prefix.volatile", "prefix.breakpoints")
        for name in (TAU, SWE):
            for model in (GPT, CLAUDE):
                pipelines = [await policies_of(OURS, *steps)]
                spoilt = await self._with(
                    model, list(log_of(self._traces[name], with_header)), pipelines
                )
                pipelines = [await policies_of(OURS, *steps)]
                plain = await self._with(
                    model, list(log_of(self._traces[name], as_it_is)), pipelines
                )
                share = 100 * _reuse(spoilt) / _reuse(plain)
                yield Bar(f"volatile line, {name}, {model}: reuse kept", share, ">=", 95, "%")

    async def tools(self) -> AsyncIterator[Bar]:
        """Tools in another order in each request."""
        for model in (GPT, CLAUDE):
            mixed = await self._with(
                model, list(log_of(self._traces[TAU], shuffled)), [await _ours()]
            )
            plain = await self._with(
                model, list(log_of(self._traces[TAU], as_it_is)), [await _ours()]
            )
            share = 100 * _reuse(mixed) / _reuse(plain)
            yield Bar(f"tools shuffled, {model}: reuse kept", share, ">=", 99, "%")

    async def vllm(self) -> AsyncIterator[Bar]:
        """An engine that caches by itself."""
        pipelines = [await policies_of(OURS, *ALL)]
        found = await self._replayer(LOCAL).run(self._traces[MINISWE], pipelines)
        share = 100 * _reuse(found[OURS]) / _reuse(found["direct"])
        yield Bar(f"{MINISWE}, blocks of 16: reuse of direct's", share, ">=", 99, "%")

    async def stable(self) -> AsyncIterator[Bar]:
        """What is forwarded extends what was forwarded before."""
        total = rejected = 0
        for docs in self._traces.values():
            for model in (GPT, CLAUDE, LOCAL):
                pipelines = [await preset_of(preset) for preset in PRESETS]
                pipelines.append(await policies_of("all", *ALL))
                found = await self._replayer(model).run(docs, pipelines)
                total += sum(one.violations for one in found.values())
                rejected += sum(one.rejected for one in found.values())
        yield Bar("prefix violations, all traces and presets", total, "<=", 0, "")
        yield Bar("edits that a provider would refuse", rejected, "<=", 0, "")

    async def peers(self) -> AsyncIterator[Bar]:
        """The same conversations as the peers forward them."""
        for model in (GPT, CLAUDE):
            replayer = self._replayer(model)
            with ExitStack() as stack:
                others = [
                    stack.enter_context(litellm()),
                    stack.enter_context(headroom(replayer.price, self._work)),
                ]
                # What is on by default, as with them; and without what else that saves.
                ours = [await _ours(), await preset_of("safe")]
                found = await replayer.run(self._traces[TAU], [*ours, *others])
            for peer in (LITELLM, HEADROOM):
                alone, default = (found[each.name].paid / found[peer].paid for each in ours)
                where = f"{TAU}, {model}: input cost over {peer}'s"
                yield Bar(where, default, "<", 1.0, "x")
                yield Bar(f"{where}, marks alone", alone, "<=", _TIE, "x")

    async def time(self) -> AsyncIterator[Bar]:
        """Planning."""
        for name, taken in (await asyncio.to_thread(milliseconds)).items():
            yield Bar(f"{name}, 100 KB body, warm, p50", taken, "<=", 0.3, "ms")

    async def memory(self) -> AsyncIterator[Bar]:
        """The trees after many prompts."""
        count = _FULL if self._full else _SHORT
        grown = await asyncio.to_thread(megabytes, count)
        yield Bar(f"memory after {count:,} distinct prompts", grown, "<=", _BOUND, "MB")

    async def _with(self, model: str, docs: list[Doc], pipelines: list[Pipeline]) -> Tally:
        return (await self._replayer(model).run(docs, pipelines))[OURS]


def _reuse(found: Tally) -> float:
    """The share of the input that was read from the cache."""
    return found.read / found.input


async def _ours() -> Pipeline:
    return await policies_of(OURS, "prefix.canonical", "prefix.breakpoints")


async def measure(bench: Bench, parts: list[str], console: Console) -> list[Bar]:
    """All bars of these parts. A part that cannot be measured raises `BenchError`."""
    found: list[Bar] = []
    for part in parts:
        with console.status(part):
            found += [bar async for bar in getattr(bench, part)()]
    return found


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PENSTOCK_DATA") or DATA)
    parser.add_argument("--part", action="append", choices=PARTS, help="this only; repeatable")
    parser.add_argument("--full", action="store_true", help="a million prompts, not a tenth of it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if not (Path(options.data) / "traces").is_dir():
        print(f"there are no traces in {options.data}: name them with --data", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="prefix-") as work:
            bench = Bench(Path(options.data), Path(work), full=options.full)
            parts = options.part or list(PARTS)
            bars = asyncio.run(measure(bench, parts, Console(stderr=True)))
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"prefix: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([bar.as_dict() for bar in bars], indent=2))
    else:
        console = Console()
        (console if console.is_terminal else Console(width=160)).print(table(bars))
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
