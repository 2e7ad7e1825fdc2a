"""What Penstock costs a request, beside a bare relay and its peers, all in one run.

`scripts/bench-peers` installs the peers. Without options everything is measured: load by wrk on
every target in turns (A B C, A B C, ...), streams, coalescing, start and memory. Exit code 0: done
and every bar met; 1: a bar was missed or the measurement failed.
"""

import argparse
import contextlib
import resource
import sys
import tempfile
from pathlib import Path

from overhead_bars import HIT, HITS, MISS, MISSES, Report, Scene, bars
from overhead_flights import upstream_calls
from overhead_footprint import import_seconds, soak, start
from overhead_load import Sample, calls, chat, request, wrk
from overhead_peers import BARE, PENSTOCK, TARGETS, events, nginx, target
from overhead_process import BenchError, Program, Running, running, wait_for_answer
from overhead_streams import measure
from overhead_tables import as_json, markdown, setting, show
from rich.console import Console

PARTS = ("load", "streams", "flights", "start", "soak")
_CONSTANT = "the same every time, 10 K"


def main() -> int:
    """Measure, print, write; see the module's docstring."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16384)), hard))
    report = Report()
    failed = False
    try:
        with tempfile.TemporaryDirectory(prefix="overhead-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # nginx's worker may run as another user
            _run(options, report, folder)
    except (BenchError, OSError) as error:
        print(f"overhead: {error}", file=sys.stderr)
        failed = True
    show(report)
    circumstances = setting(options.rounds, options.seconds, bool(options.pin))
    if options.json:
        options.json.write_text(as_json(report, circumstances))
    if options.markdown:
        options.markdown.write_text(markdown(report, circumstances))
    return int(failed or any(not bar.met and not bar.aim for bar in bars(report)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=5, help="of each wrk run (5)")
    add("--rounds", type=int, default=5, help="of all targets (5)")
    add("--streams", type=int, default=40, help="streams through each target and tempo (40)")
    add("--crowd", type=int, default=1000, help="simultaneous identical requests (1000)")
    add("--starts", type=int, default=5, help="starts of Penstock (5)")
    add("--only", action="append", choices=TARGETS, help="load this target only; repeatable")
    add("--part", action="append", choices=PARTS, help="measure this part only; repeatable")
    add("--soak", action="store_true", help="20,000 and 200,000 mixed requests, not a tenth of it")
    add("--quick", action="store_true", help="one round of 3 s, few streams and starts")
    add("--pin", metavar="CORES", default="", help="run each target on these cores (as taskset)")
    add("--json", type=Path, metavar="FILE", help="write every sample")
    add("--markdown", type=Path, metavar="FILE", help="write the tables")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.streams, options.starts = 3, 1, 5, 2
    options.only = options.only or list(TARGETS)
    options.part = options.part or list(PARTS)
    return options


def _run(options: argparse.Namespace, report: Report, folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        fast = _started(stack, nginx(folder), folder)
        if "start" in options.part and PENSTOCK in options.only:
            report.start["import proxy.app"] = import_seconds(options.starts)
            begun, idle = start(fast, folder, options.starts)
            report.start["start to first answer"] = begun
            report.idle[PENSTOCK] = idle
        if "load" in options.part:
            _load(options, report, fast, folder)
        steered = _started(stack, events(), folder)
        if {"streams", "flights"} & set(options.part):
            _follow(options, report, steered, folder)
        if "soak" in options.part and PENSTOCK in options.only:
            early, late = (20_000, 200_000) if options.soak else (2_000, 20_000)
            program = target(PENSTOCK, steered.program.port, folder)
            report.soak = (*soak(program, folder, early, late), early, late)


def _started(
    stack: contextlib.ExitStack, program: Program, folder: Path, core: str = ""
) -> Running:
    started = stack.enter_context(running(program, folder, core))
    wait_for_answer(started, chat(1024))
    return started


def _load(options: argparse.Namespace, report: Report, fast: Running, folder: Path) -> None:
    """Load every target in every scene, round by round."""
    with contextlib.ExitStack() as stack:
        loaded = [fast]
        for name in TARGETS:
            if name in options.only:
                program = target(name, fast.program.port, folder)
                loaded.append(_started(stack, program, folder, options.pin))
                report.idle.setdefault(name, loaded[-1].resident_mb())
                wrk(loaded[-1], [request(loaded[-1], chat(1024))], 8, min(1, options.seconds))
        turns = [(scene, one) for scene in MISSES for one in loaded]
        turns += [(scene, one) for scene in HITS for one in loaded if one.name == PENSTOCK]
        with Console(stderr=True).status("") as status:
            for number in range(options.rounds):
                for scene, one in turns:
                    status.update(f"round {number + 1} of {options.rounds}: {scene}, {one.name}")
                    sample = _loaded(one, fast, scene, options.seconds)
                    rounds = report.loads.setdefault(scene, {}).setdefault(one.name, [])
                    rounds.append(sample)


def _loaded(one: Running, fast: Running, scene: Scene, seconds: float) -> Sample:
    """One run of wrk, checked: no failures, and misses are misses and hits are hits upstream."""
    body = chat(scene.size) if scene.kind == MISS else chat(scene.size, _CONSTANT)
    if scene.kind == HIT:
        one.post(body)
    before = calls(fast)
    sample = wrk(one, [request(one, body)], scene.connections, seconds)
    reached = calls(fast) - before - 1
    if sample.failures:
        raise BenchError(f"{one.name}, {scene}: {sample.failures} failures in {sample}")
    if scene.kind == MISS and reached < sample.requests:
        raise BenchError(
            f"{one.name}, {scene}: {sample.requests} answers, {reached} upstream calls"
        )
    # Some that reach the upstream are the peers' own health checks.
    if scene.kind == HIT and reached > sample.requests / 100:
        raise BenchError(f"{one.name}, {scene}: {reached} upstream calls, should be hits")
    return sample


def _follow(options: argparse.Namespace, report: Report, steered: Running, folder: Path) -> None:
    """Streams and coalescing, through relays that stand before the steerable upstream."""
    with contextlib.ExitStack() as stack:
        relays = [
            _started(stack, target(name, steered.program.port, folder), folder, options.pin)
            for name in (BARE, PENSTOCK)
            if name in options.only
        ]
        if "streams" in options.part:
            report.streams = measure([steered, *relays], options.streams)
        if "flights" in options.part:
            report.crowd = options.crowd
            for name, stream in (("plain requests", False), ("streams", True)):
                for relay in relays:
                    if relay.name == PENSTOCK:
                        made = upstream_calls(relay, steered, options.crowd, stream=stream)
                        report.flights[name] = made


if __name__ == "__main__":
    sys.exit(main())
