"""Compression under Penstock: tokens and time by kind of content, Headroom beside it.

    python benchmarks/compression.py [--llmlingua FOLDER] [LOG…]

Tokens are o200k. Logs are those named, else those of this machine with 1,000 lines or more; of each
the first 1,000 are taken. Seconds are of a process's own time, at the first sight of each payload,
with all counting of tokens, after the payloads of the other sets. `scripts/bench-peers` installs
Headroom. With the folder of a model, `compress.llmlingua` is measured on prose and the package
itself on everything, by the clock. Exit code 0: every bar met; 1: a bar was missed or the
measurement failed; 2: no data.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import tree  # noqa: F401 - which tree is measured
from compression_costs import growing, measured, resumed, warm
from compression_llmlingua import PROSE, Prose, ours
from compression_peers import MODES, headroom, llmlingua
from compression_recall import bars as recall_bars
from compression_select import selection
from compression_sets import (
    HOOKS,
    LOGS,
    REPOS,
    TAU,
    Count,
    Result,
    pace_bars,
    penstock,
    projection,
    sets,
    system_logs,
)
from overhead_process import BenchError
from prefix_bars import Bar, table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from policies.compress import native
from proxy.serve import collect_rarely
from proxy.tokens import Tokens

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OURS = "penstock"
SHARES = {TAU: 0.76, REPOS: 0.66, HOOKS: 0.85}
PEER = "LLMLingua-2 at 0.5"
Found = dict[str, dict[str, Result]]


class Room(NamedTuple):
    """Where the data is, a folder for what is made, and what counts tokens."""

    data: Path
    folder: Path
    count: Count


def contents(texts: dict[str, list[str]], count: Count, folder: Path) -> Found:
    """What becomes of each set, by who did it."""
    found: Found = {}
    for name, payloads in texts.items():
        others = [text for other in texts if other != name for text in texts[other]]
        found[name] = {OURS: penstock(payloads, count, others)}
        for peer, mode in MODES.items():
            try:
                found[name][peer] = headroom(payloads, mode, count, folder)
            except BenchError as error:
                print(f"compression: {error}", file=sys.stderr)
    return found


def lossy(found: Found, texts: dict[str, list[str]], room: Room, model: Path) -> list[Bar]:
    """Add what LLMLingua-2 leaves: the package of everything, `compress.llmlingua` of prose."""
    prose = Prose(room.data)
    texts = {**texts, PROSE: prose.texts}
    mine, shorts = ours(prose.texts, model, room.count)
    found[PROSE] = {OURS: mine}
    for name, payloads in texts.items():
        found[name][PEER], left = llmlingua(payloads, model, room.count, room.folder)
    return [
        Bar(f"{PROSE}: answers kept", prose.kept(shorts), ">=", prose.kept(left), ""),
        Bar(f"{PROSE}: must-keep recall", prose.recall(shorts), ">=", 0.99, ""),
        Bar(f"{PROSE}: must-keep recall of llmlingua itself", prose.recall(left), ">=", 0, ""),
    ]


def content_bars(found: Found) -> list[Bar]:
    """Tokens, inverses and speed."""
    ours = {name: by[OURS] for name, by in found.items()}
    bars = [
        Bar(f"{name}: tokens left", ours[name].share, "<=", SHARES[name], "x") for name in SHARES
    ]
    if LOGS in ours:
        bars.append(Bar("system logs, median: tokens left", ours[LOGS].median, "<=", 0.60, "x"))
    broken = sum(result.broken for result in ours.values())
    bars.append(Bar("payloads that do not come back", broken, "<=", 0, ""))
    for name, result in ours.items():
        bars += pace_bars(name, [result])
    return bars


def conversation_bars(texts: dict[str, list[str]], room: Room) -> list[Bar]:
    """Cost, prefixes and the time of plans."""
    costs, violations = measured(room.data)
    grown = asyncio.run(growing(texts[TAU] + texts[HOOKS], room.count))
    whole = asyncio.run(resumed(texts[TAU], room.count))
    known = asyncio.run(warm(texts[TAU], room.count))
    bars = [
        Bar(f"tau_airline, {model}: input cost over that without", cost, "<=", 0.96, "x")
        for model, cost in costs.items()
    ]
    bars.append(Bar("prefix violations, all traces", violations, "<=", 0, ""))
    bars.append(Bar("100 KB, 60 messages, memoised", known, "<=", 0.2, "ms"))
    bars.append(Bar("requests until 100k tokens, a new result each, p50", grown, "<=", 10, "ms"))
    bars.append(Bar("a request of many new results, 100k tokens", whole, "<=", 40, "ms"))
    return bars


def shown(found: Found) -> Table:
    """One line for each set and who did it."""
    how = "natively" if native.built else "in Python"
    made = Table(title=f"By content, compressed {how}", title_justify="left", box=SIMPLE_HEAD)
    for head in ("payloads", "n", "by", "tokens", "left", "median", "MB/s"):
        made.add_column(head, justify="left" if head in ("payloads", "by") else "right")
    for name, by in found.items():
        for who, result in by.items():
            cells = (f"{sum(result.before):,}", f"{result.share:.3f}", f"{result.median:.3f}")
            made.add_row(name, str(len(result.before)), who, *cells, f"{result.speed:.2f}")
    return made


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PENSTOCK_DATA") or DATA)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--llmlingua", type=Path, metavar="FOLDER", help="of a model, to compare")
    parser.add_argument("logs", nargs="*", type=Path, help="logs to take")
    options = parser.parse_args()
    data = Path(options.data)
    if not (data / "traces").is_dir():
        print(f"there are no traces in {data}: name them with --data", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="compression-") as work:
            folder = Path(work)
            tokens = Tokens()
            tokens.counter("gpt-4o")("")  # loads the vocabulary
            count = tokens.counter("gpt-4o")
            texts = sets(data, options.logs or system_logs())
            collect_rarely()  # as the server does
            found = contents(texts, count, folder)
            bars = content_bars(found)
            bars += pace_bars("project, slowest set", projection(texts, count))
            bars += conversation_bars(texts, Room(data, folder, count))
            chosen, answers = selection(data, count)
            bars += chosen
            every = [text for payloads in texts.values() for text in payloads]
            bars += recall_bars(every, data, count)
            if options.llmlingua:
                bars += lossy(found, texts, Room(data, folder, count), options.llmlingua)
    except (BenchError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"compression: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([bar.as_dict() for bar in bars], indent=2))
    else:
        console = Console() if sys.stdout.isatty() else Console(width=140)
        console.print(shown(found))
        console.print(answers)
        titled = table(bars)
        titled.title = "Compression"
        console.print(titled)
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
