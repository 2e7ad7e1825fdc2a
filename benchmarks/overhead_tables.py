"""A report as tables: for a terminal, as Markdown, as JSON."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

from overhead_bars import Bar, Report, bars
from overhead_peers import HERE, PENSTOCK
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_PACKAGES = ("aiohttp", "httptools", "penstock", "uvicorn", "uvloop")


@dataclass(frozen=True)
class Grid:
    """A table of text: its title, its heads and its rows."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def setting(rounds: int, seconds: float, pinned: bool) -> dict[str, object]:
    """The circumstances that figures depend on, without naming the machine."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    pins = (HERE / "peers.txt").read_text().splitlines()
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "nginx": nginx.strip().rpartition("/")[2],
        "packages": {one.name: one.version for one in distributions() if one.name in _PACKAGES},
        "peers": [pin for pin in pins if not pin.startswith("#")],
        "rounds": rounds,
        "seconds": seconds,
        "pinned": pinned,
        "workers": 1,
        "load average": round(os.getloadavg()[2], 1),
    }


def grids(report: Report) -> list[Grid]:
    """The report's tables, those without figures left out."""
    made = [_loads(report), _streams(report), _memory(report), _bars(bars(report))]
    return [grid for grid in made if grid.rows]


def show(report: Report) -> None:
    """Print the tables on the terminal."""
    console = Console()
    for grid in grids(report):
        table = Table(title=grid.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, head in enumerate(grid.heads):
            figure = number and grid.rows[0][number][:1].isdigit()
            table.add_column(head, justify="right" if figure else "left")
        for row in grid.rows:
            style = "red" if row[-1] == "MISSED" else "bold" if row[1] == PENSTOCK else ""
            table.add_row(*row, style=style)
        console.print(table)


def markdown(report: Report, circumstances: dict[str, object]) -> str:
    """The tables as Markdown, the circumstances on top."""
    told = "; ".join(f"{name}: {_plain(value)}" for name, value in circumstances.items())
    lines = ["# Overhead", "", f"`python benchmarks/overhead.py` — {told}.", ""]
    for grid in grids(report):
        lines += [f"## {grid.title}", "", _line(grid.heads), _line(("---",) * len(grid.heads))]
        lines += [*(_line(row) for row in grid.rows), ""]
    return "\n".join(lines)


def as_json(report: Report, circumstances: dict[str, object]) -> str:
    """Every sample and every bar, with the circumstances, as JSON."""
    loads = [
        {"load": str(scene), "target": name, "rounds": [asdict(sample) for sample in samples]}
        for scene, targets in report.loads.items()
        for name, samples in targets.items()
    ]
    content = {
        "circumstances": circumstances,
        "loads": loads,
        "streams": {name: asdict(seen) for name, seen in report.streams.items()},
        "upstream_calls": report.flights,
        "idle_mb": report.idle,
        "start_seconds": report.start,
        "soak": report.soak,
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars(report)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _loads(report: Report) -> Grid:
    rows = []
    for scene, targets in report.loads.items():
        for name in targets:
            rate, p50, p99, cpu, resident = (
                report.typical(scene, name, figure) or 0.0
                for figure in ("rate", "p50", "p99", "cpu", "resident")
            )
            ratio = report.ratio(scene, name) if name != PENSTOCK else None
            rows.append(
                (
                    *(str(scene), name, f"{rate:,.0f}", f"{p50 / 1e3:.4g}", f"{p99 / 1e3:.4g}"),
                    *(f"{cpu:,.0f}", f"{resident:,.0f}", f"{ratio:,.2f}x" if ratio else ""),
                )
            )
    heads = ("load", "target", "req/s", "p50 ms", "p99 ms", "CPU µs", "MB", f"{PENSTOCK} over it")
    return Grid("Throughput, latency, CPU time of the target per request, memory", heads, rows)


def _streams(report: Report) -> Grid:
    rows = [
        ("200 events", name, *(f"{figure:,.1f}" for figure in asdict(seen).values()))
        for name, seen in report.streams.items()
    ]
    heads = ("burst, per chunk", "paced, delay per chunk", "first chunk", "CPU per paced chunk")
    return Grid("Streams, µs", ("load", "target", *heads), rows)


def _memory(report: Report) -> Grid:
    rows = [("idle", name, f"{size:,.0f}") for name, size in report.idle.items()]
    return Grid("Memory of the process tree, MB", ("when", "target", "resident"), rows)


def _bars(held: list[Bar]) -> Grid:
    rows = [
        (
            *(("aim" if bar.aim else "bar"), bar.what, f"{bar.value:,.3g} {bar.unit}".strip()),
            *(f"{bar.sign} {bar.bound:g} {bar.unit}".strip(), _verdict(bar)),
        )
        for bar in held
    ]
    return Grid("Bars", ("kind", "what", "measured", "wanted", "verdict"), rows)


def _verdict(bar: Bar) -> str:
    if bar.met:
        return "met"
    return "not reached" if bar.aim else "MISSED"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
