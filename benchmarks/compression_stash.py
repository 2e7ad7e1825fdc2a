"""What `compress.stash` leaves of long payloads, and how much of what went wrong it keeps.

    .venv/bin/python benchmarks/compression_stash.py [--data FOLDER]

Recall is of failures, exit statuses and return codes, each with ten characters around it, in
payloads that became an extract. It is looked for with a pattern of its own.

Last comes the time of a turn that goes on from one that is known, as the proxy has read it: what
is the same as in the turn before is not read again.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from pathlib import Path

import tree  # noqa: F401 - which tree is measured
from compression_costs import call, conversation
from compression_sets import TAU, Count, rows, sets, system_logs

from policies.base.body import Body
from policies.base.fingerprint import FORM
from policies.base.plan import Outcome
from policies.base.ports import View
from policies.base.step import Edit
from policies.compress.freeze_places import Spot
from policies.compress_stash import Stash, _Recipe
from proxy.replay.store import Clock, Shelves
from proxy.tokens import Tokens

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIGNS = re.compile(
    r".{0,10}\b(?:errors?|\w*Exception|Traceback|FATAL|failed|failure|denied|timed out"
    r"|exit (?:code|status) \d+|returned \d+ error)\b.{0,10}",
    re.IGNORECASE,
)
NOTHING = re.compile(r'(?i)error"?: ?(?:null|""|false|0)|\b(?:0|no) (?:errors|failed)')


MOST = 0.2  # milliseconds of a turn
TOOL = {"type": "function", "function": {"name": "look", "description": "d" * 400}}


def main() -> int:
    """Prints one row a set; 1 if recall is below 99 % or a turn takes too long."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, default=DATA)
    options = asked.parse_args()
    found = sets(options.data, system_logs()) | {"observations of agents": observed(options.data)}
    count = Tokens().counter("gpt-4o")
    missed = table(found, count)
    best = asyncio.run(turn(found[TAU], count))
    print(f"100 KB, 60 messages, 20 tools, memoised: {best:.3f} ms (at most {MOST})")
    return int(missed or best > MOST)


async def turn(texts: list[str], count: Count) -> float:
    """The shortest of many plans of a turn that goes on, in milliseconds."""
    raw = conversation(sorted(texts, key=len)[-20:])
    raw = raw[:-1] + b', "tools": ' + json.dumps([TOOL] * 20).encode() + b"}"
    policy = Stash(Stash.Settings(budget=60.0))
    store = Shelves(Clock(0.0)).bind("compress", "t")
    view = View(store, 0.0, counter=lambda _: count)
    first = Body(raw)
    first.digest(FORM)
    assert first.reading is not None
    opening = next(first.reading.openings(raw))
    best = float("inf")
    for _ in range(400):
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


def table(found: dict[str, list[str]], count: Count) -> int:
    """See `main`."""
    recipe = _Recipe(Stash.Settings())
    print(f"{'set':28}{'long':>6}{'extracts':>9}{'left':>7}{'recall':>9}{'MB/s':>7}")
    kept = wanted = 0
    for name, texts in found.items():
        row = [0, 0, 0, 0, 0, 0]
        size = seconds = 0.0
        for text in texts:
            if count(text) < recipe.rules.min_tokens:
                continue
            started = time.perf_counter()
            form = recipe.form(Spot((), text, False), count)
            seconds += time.perf_counter() - started
            size += len(text.encode())
            row[0] += 1
            before = count(text)
            row[1] += form.text is not None
            row[2] += before
            row[3] += before if form.text is None else form.after
            if form.text is not None:
                signs = {each for each in SIGNS.findall(text) if not NOTHING.search(each)}
                row[4] += len(signs)
                row[5] += sum(each in form.text for each in signs)
        if row[0]:
            recall = f"{row[5]}/{row[4]}"
            left = row[3] / row[2]
            print(f"{name:28}{row[0]:6}{row[1]:9}{left:7.2f}{recall:>9}{size / seconds / 1e6:7.1f}")
        kept, wanted = kept + row[5], wanted + row[4]
    return int(kept < 0.99 * wanted)


if __name__ == "__main__":
    sys.exit(main())
