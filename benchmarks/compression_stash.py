"""What `compress.stash` leaves of long payloads, and how much of what must not be missed.

    .venv/bin/python benchmarks/compression_stash.py [--data FOLDER]

Recall is of values and failures that the model sees without asking, each counted once a text: see
`compression_recall.py`, where that of `compress.history` comes from too. `history` misses that
bar: naming what is left out would leave 0.43 of its tokens, where `compress.lossless` leaves
0.54 with nothing left out.

Last comes the time of a turn that goes on from one that is known, as the proxy has read it: what
is the same as in the turn before is not read again.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import tree  # noqa: F401 - which tree is measured
from compression_costs import before, call, conversation
from compression_recall import bars
from compression_sets import TAU, Count, rows, sets, system_logs, timed
from prefix_bars import Bar
from prefix_bars import table as report
from rich.console import Console

from policies.base.body import Body
from policies.base.fingerprint import FORM
from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.step import Edit
from policies.compress.freeze_form import Form
from policies.compress.freeze_places import Spot
from policies.compress_stash import Stash, _Recipe
from proxy.replay.store import Clock, Shelves
from proxy.tokens import Tokens

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MOST = 0.2  # milliseconds of a turn
TOOLS = 20


def main() -> int:
    """Prints one row a set, and the bars; 1 if one of them is missed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, default=DATA)
    options = asked.parse_args()
    found = sets(options.data, system_logs()) | {"observations of agents": observed(options.data)}
    count = Tokens().counter("gpt-4o")
    table(found, count)
    made = bars([text for texts in found.values() for text in texts], options.data, count)
    tools = rows(options.data / "traces/tau_airline.jsonl.gz")[0]["tools"]
    best = asyncio.run(turn(found[TAU], tools, count))
    made.append(Bar("100 KB, 60 messages, 20 tools, memoised", best, "<=", MOST, "ms"))
    shown = report(made)
    shown.title = "compress.stash and compress.history"
    Console(width=100).print(shown)
    return int(not all(bar.met for bar in made))


async def turn(texts: list[str], tools: list[object], count: Count) -> float:
    """The shortest of many plans of a turn that goes on, in milliseconds."""
    raw = conversation(sorted(texts, key=len)[-20:])
    raw = raw[:-1] + b', "tools": ' + json.dumps((tools * TOOLS)[:TOOLS]).encode() + b"}"
    policy = Stash(Stash.Settings(budget=60.0))
    store = Shelves(Clock(0.0)).bind("compress", "t")
    view = View(store, 0.0, counter=lambda _: count)
    first = Body(earlier := before(raw))
    first.digest(FORM)
    assert first.reading is not None
    opening = next(first.reading.openings(earlier))
    best = float("inf")
    for _ in range(400):
        await policy.plan(call(Body(earlier)), view)
        body = Body(bytes(bytearray(raw)))
        body.read_on(opening)
        body.digest(FORM)
        begun = time.perf_counter()
        step = await policy.plan(one := call(body), view)
        best = min(best, time.perf_counter() - begun)
        assert isinstance(step, Edit)
        await policy.settle(one, step, Outcome(200), store)
    await policy.aclose()
    return best * 1000


def observed(data: Path) -> list[str]:
    """What agents for software were shown: output of tests and programs, much of it code."""
    talks = [row["messages"] for row in rows(data / "traces/swe_agent.jsonl.gz")]
    shown = [row["input"] for row in rows(data / "traces/miniswe.jsonl.gz")]
    shown += [it["content"] for talk in talks for it in talk if it["role"] in ("tool", "user")]
    return [text for text in shown if isinstance(text, str)]


def table(found: dict[str, list[str]], count: Count) -> None:
    """Tokens that are left, with and without names, and the speed at first sight."""
    head = f"{'set':28}{'long':>6}{'extracts':>9}{'left':>7}{'without names':>20}{'MB/s':>7}"
    print(f"{head}{'ms/100k':>9}")
    named, short = Stash.Settings(), Stash.Settings(names=False)
    for name, texts in found.items():
        long = [text for text in texts if count(text) >= named.min_tokens]
        before = sum(map(count, long))
        if not long:
            continue
        took = timed(long, lambda text: _forms([text], named, count), count)
        forms = _forms(long, named, count)
        shorts = _forms(long, short, count)
        row = f"{name:28}{len(long):6}{sum(form.text is not None for form in forms):9}"
        row += f"{_left(long, forms, count) / before:7.2f}"
        row += f"{sum(form.text is not None for form in shorts):13}"
        print(f"{row}{_left(long, shorts, count) / before:7.2f}{took.speed:7.1f}{took.pace:9.1f}")


def _forms(texts: list[str], settings: Stash.Settings, count: Count) -> list[Form]:
    recipe = _Recipe(settings)
    return [recipe.form(Spot((), text, False), count) for text in texts]


def _left(texts: list[str], forms: list[Form], count: Count) -> int:
    pairs = zip(texts, forms, strict=True)
    return sum(count(text) if form.text is None else form.after for text, form in pairs)


if __name__ == "__main__":
    sys.exit(main())
