"""What the ledger adds up to: by policy, model, tenant, day or side of the hold-out."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec

from proxy.ledger import VERSION

if TYPE_CHECKING:  # only `penstock report` draws tables
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

WIDE = 160  # columns
By = Literal["policy", "model", "tenant", "day", "holdout"]


class Line(msgspec.Struct, frozen=True):
    """Sums over requests. Tokens are those billed upstream; `cached` are part of `tokens_in`.

    `predicted`: what the providers' caches should have read, as far as that could be said.
    `usd_direct` is what the same requests would have cost without Penstock. Requests whose
    price is unknown count as `unpriced` and add nothing to any dollar sum.
    """

    name: str
    requests: int
    hits: int
    tokens_in: int
    cached: int
    predicted: int
    tokens_out: int
    tokens_saved: int
    usd: float
    usd_direct: float
    unpriced: int

    @property
    def usd_saved(self) -> float:
        """USD less than direct."""
        return self.usd_direct - self.usd

    @property
    def saved(self) -> float:
        """Share of the direct cost that was saved, in percent."""
        return 100.0 * self.usd_saved / self.usd_direct if self.usd_direct else 0.0


class PolicyLine(msgspec.Struct, frozen=True):
    """One policy's decisions and what they saved; `would_save` in shadow mode and the like.

    `p50_ms` is the median time that a decision took.
    """

    name: str
    applied: int
    skipped: int
    tokens_saved: int
    usd_saved: float
    tokens_would_save: int
    usd_would_save: float
    p50_ms: float


class Report(msgspec.Struct, frozen=True):
    """`lines` are `PolicyLine`s when it is by policy. `note` says why there are none."""

    by: By
    since: float
    total: Line
    lines: tuple[Line | PolicyLine, ...]
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same for `json.dumps`."""
        return {
            "by": self.by,
            "since": self.since,
            "total": _plain(self.total),
            "lines": [_plain(line) for line in self.lines],
            "note": self.note,
        }


def _plain(line: Line | PolicyLine) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(line)
    if isinstance(line, Line):
        found |= {"usd_saved": line.usd_saved, "saved_percent": line.saved}
    return found


_PRICED = "usd IS NOT NULL AND usd_direct IS NOT NULL"
_SUMS = f"""
  count(*),
  count(*) FILTER (WHERE cache IN ('HIT', 'SEMANTIC_HIT')),
  total(uncached + read + write), total(read), total(predicted_read), total(output),
  total(tokens_before - tokens_after),
  total(usd) FILTER (WHERE {_PRICED}), total(usd_direct) FILTER (WHERE {_PRICED}),
  count(*) FILTER (WHERE NOT ({_PRICED}))
FROM requests WHERE time >= ?
"""
_KEYS = {
    "model": "model",
    "tenant": "tenant",
    "day": "date(time, 'unixepoch')",
    "holdout": "route || ', ' || pipeline || iif(holdout, ': held out', ': with policies')",
}
_POLICIES = """
WITH found AS MATERIALIZED (
  SELECT policy, decision, mode, applied, seconds,
    tokens_before - tokens_after AS tokens, usd_before - usd_after AS usd,
    row_number() OVER (PARTITION BY policy ORDER BY seconds) AS place,
    count(*) OVER (PARTITION BY policy) AS many
  FROM steps WHERE request IN (SELECT n FROM requests WHERE time >= ?)
)
SELECT policy, total(applied), count(*) FILTER (WHERE decision = 'skip'),
  total(tokens) FILTER (WHERE applied), total(usd) FILTER (WHERE applied),
  total(tokens) FILTER (WHERE NOT applied), total(usd) FILTER (WHERE NOT applied),
  1000.0 * max(seconds) FILTER (WHERE place = (many + 1) / 2)
FROM found GROUP BY policy ORDER BY 5 DESC, policy
"""


def report(path: Path, by: By = "policy", since: float = 0.0) -> Report:
    """Add up all requests begun since a Unix time; days are of UTC.

    Reads beside a running server. A ledger that is missing or empty gives a report with a
    note; raises `ValueError` for a file that is not one of ours.
    """
    nothing = Report(by, since, _line("total", (0,) * 10), ())
    if not path.exists():
        note = f"There is no ledger at {path} yet: it begins with the first request served."
        return msgspec.structs.replace(nothing, note=note)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                return msgspec.structs.replace(nothing, note=f"The ledger {path} is empty.")
            if version != VERSION:
                raise ValueError(f"the ledger {path} is of version {version}, not {VERSION}")
            db.execute("BEGIN")  # one state for all sums
            return _sums(db, path, by, since)
    except sqlite3.Error as error:
        raise ValueError(f"the ledger {path} cannot be read: {error}") from None


def _sums(db: sqlite3.Connection, path: Path, by: By, since: float) -> Report:
    total = _line("total", db.execute(f"SELECT {_SUMS}", (since,)).fetchone())
    if by == "policy":
        lines: tuple[Line | PolicyLine, ...] = tuple(
            PolicyLine(
                name, int(applied), skipped, int(tokens), usd, int(would), usd_would, p50 or 0.0
            )
            for name, applied, skipped, tokens, usd, would, usd_would, p50 in db.execute(
                _POLICIES, (since,)
            )
        )
    else:
        query = f"SELECT {_KEYS[by]}, {_SUMS} GROUP BY 1 ORDER BY 2 DESC, 1"
        lines = tuple(_line(name, sums) for name, *sums in db.execute(query, (since,)))
    note = "" if total.requests else f"The ledger {path} has no request in this time."
    return Report(by, since, total, lines, note)


def _line(name: str, sums: Any) -> Line:
    names = [each for each in Line.__struct_fields__ if each != "name"]
    values = dict(zip(names, sums, strict=True))
    counted = {key: int(it) for key, it in values.items() if not key.startswith("usd")}
    return Line(name=name, **(values | counted))


def show(found: Report, console: Console | None = None) -> None:
    """Print tables to the terminal, or to `console`."""
    from rich.console import Console  # noqa: PLC0415 - only `penstock report` needs it

    # A file or a pipe has no width that numbers would have to be cut to.
    console = console or Console(width=None if sys.stdout.isatty() else WIDE)
    if found.note:
        console.print(found.note, markup=False)
        return
    lines = [line for line in found.lines if isinstance(line, Line)]
    title = "Requests" if found.by == "policy" else f"Requests by {found.by}"
    heads = [
        "",
        "requests",
        "hits",
        "tokens in",
        "cached",
        "predicted",
        "tokens out",
        "tokens saved",
    ]
    table = _table(title, [*heads, "USD", "direct", "saved", "%"])
    for line in [*lines, found.total]:
        table.add_row(_safe(line.name), *_cells(line))
    console.print(table)
    if found.by == "policy":
        heads = ["", "applied", "skipped", "tokens saved", "USD saved", "would save", "p50 ms"]
        policies = _table("By policy", heads)
        for policy in found.lines:
            if isinstance(policy, PolicyLine):
                policies.add_row(_safe(policy.name), *_policy_cells(policy))
        console.print(policies)
    if found.total.unpriced:
        console.print(f"{found.total.unpriced:,} requests have no known price and no dollars here.")


def _table(title: str, heads: list[str]) -> Table:
    """An empty table that folds long cells: a number cut short would be another number."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only `penstock report` needs it
    from rich.table import Table  # noqa: PLC0415 - same

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right" if head else "left", overflow="fold")
    return table


def _cells(line: Line) -> list[str]:
    counts = [line.requests, line.hits, line.tokens_in, line.cached, line.predicted]
    counts += [line.tokens_out, line.tokens_saved]
    dollars = [line.usd, line.usd_direct, line.usd_saved]
    return [
        *(f"{count:,}" for count in counts),
        *(f"{usd:,.4f}" for usd in dollars),
        f"{line.saved:.1f}",
    ]


def _policy_cells(line: PolicyLine) -> list[str]:
    return [
        f"{line.applied:,}",
        f"{line.skipped:,}",
        f"{line.tokens_saved:,}",
        f"{line.usd_saved:,.4f}",
        f"{line.usd_would_save:,.4f}",
        f"{line.p50_ms:.3f}",
    ]


def _safe(name: str) -> Text:
    """A name from a client, fit for a terminal and not read as markup."""
    from rich.text import Text  # noqa: PLC0415 - only `penstock report` needs it

    return Text(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    )
