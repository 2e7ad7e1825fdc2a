"""A replay's findings as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.replay.ledger import Happened
from proxy.replay.run import Comparison
from proxy.replay.tally import Tally

_HEADS = ("", "requests", "uncached", "read", "written", "out", "USD", "input cost", "hits")


def as_dict(found: Comparison) -> dict[str, Any]:
    """For JSON. `input_cost` is relative to sending everything uncached."""
    return {
        "model": found.model,
        "rule": found.price.rule,
        "price": {"source": found.price.source, "date": found.price.date},
        "malformed": {"count": found.malformed, "first": list(found.problems)},
        "schemes": {
            one.name: {**one.as_dict(), "input_cost": _share(one, found.schemes[0])}
            for one in found.schemes
        },
    }


def table(found: Comparison) -> RenderableType:
    """One line a scheme, and below it what policies did, where they did anything."""
    title = f"{found.model}: cache rule {found.price.rule}, read {found.price.read:g}x"
    made = Table(
        title=f"{title}, write {found.price.write:g}x the input price",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for head in (*_HEADS, "violations"):
        made.add_column(head, justify="right" if head else "left", overflow="fold")
    for one in found.schemes:
        made.add_row(*_cells(one, found.schemes[0]))
    notes = [Text(f"{one.name}: {note}") for one in found.schemes if (note := _note(one))]
    return Group(made, *notes)


def show(found: Comparison) -> None:
    """Print the table."""
    _console().print(table(found))


def show_ledger(found: Happened) -> None:
    """Print what a ledger tells."""
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("", "requests", "tokens", "uncached", "read", "written", "out", "USD", "hits"):
        made.add_column(head, justify="right" if head else "left", overflow="fold")
    run = found.run
    counts = [run.uncached, run.read, run.write, run.output]
    direct = ["direct", f"{run.requests:,}", f"{found.tokens:,}", *[""] * 4, _usd(found.usd), ""]
    made.add_row(*direct)
    cells = [f"{count:,}" for count in (run.requests, run.input + run.output, *counts)]
    made.add_row("as run", *cells, _usd(run.usd), _counted(run.hits) or "0")
    _console().print(Group(made, Text(_note(run))))


def _console() -> Console:
    """On no terminal, wide enough for every number."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def _usd(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:,.4f}"


def _cells(one: Tally, direct: Tally) -> list[str]:
    counts = [one.requests, one.uncached, one.read, one.write, one.output]
    share = _share(one, direct)
    return [
        one.name,
        *(f"{count:,}" for count in counts),
        _usd(one.usd),
        "" if share is None else f"{share:.4f}",
        _counted(one.hits) or "0",
        f"{one.violations:,}",
    ]


def _share(one: Tally, direct: Tally) -> float | None:
    return one.paid / direct.input if direct.input else None


def _note(one: Tally) -> str:
    """What the policies of a scheme did, in words; empty where they did nothing."""
    told = {
        "edited": one.edits,
        "tokens removed": one.removed,
        "failed": one.failed,
    }
    parts = [f"{word} by {_counted(counter)}" for word, counter in told.items() if counter]
    if one.spared:
        parts.append(f"{one.spared:,} tokens spared by hits")
    if one.rewritten:
        parts.append(f"{one.rewritten:,} times it paid to change what had been sent before")
    if one.rejected:
        parts.append(f"{one.rejected:,} edits the provider would refuse")
    if one.refused:
        parts.append(f"{one.refused:,} requests refused by policy")
    return "; ".join(parts)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counter.items()))
