"""Penstock's own ledger as a trace: it has token counts and no text, so it can only be priced.

Direct is what the ledger says the same requests would have cost without Penstock. Under another
model's price, what was saved is taken at the average price of an input token, as the ledger's
own books do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from policies.base.usage import Usage
from proxy.ledger import VERSION
from proxy.prices import Price
from proxy.replay.tally import Tally

_REQUESTS = """
SELECT uncached, read, write, output, cache, usd, usd_direct, tokens_before, tokens_after
FROM requests ORDER BY n
"""
_REMOVED = """
SELECT policy, count(*), sum(tokens_before - tokens_after) FROM steps
WHERE applied AND decision = 'edit' GROUP BY policy ORDER BY policy
"""
_TIERS = {"HIT": "exact", "SEMANTIC_HIT": "semantic", "COALESCED": "coalesced"}


class Happened(msgspec.Struct, frozen=True):
    """What a ledger tells. `tokens` and `usd` without Penstock, and `run` as it was.

    Dollars are None where some request has no known price.
    """

    tokens: int
    usd: float | None
    run: Tally

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        run = self.run.as_dict()
        del run["paid"]  # without the price of each model, unknown
        direct = {"requests": self.run.requests, "tokens": self.tokens, "usd": self.usd}
        return {"ledger": True, "schemes": {"direct": direct, "as run": run}}


def happened(path: Path, price: Price | None) -> Happened:
    """Add up a ledger, at `price` or else at what its requests cost. Raises `ValueError`."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if not 0 < version <= VERSION:
                raise ValueError(f"{path} is no ledger of this version of Penstock")
            return _added_up(db, price)
    except sqlite3.Error as error:
        raise ValueError(f"the ledger {path} cannot be read: {error}") from None


def _added_up(db: sqlite3.Connection, price: Price | None) -> Happened:
    run = Tally("as run")
    tokens = 0
    dollars: float | None = 0.0
    for uncached, read, write, output, cache, usd, direct, before, after in db.execute(_REQUESTS):
        usage = Usage(uncached, read, write, output)
        run.requests += 1
        if cache in _TIERS:
            run.hits[_TIERS[cache]] += 1
            run.spared += before - after
        tokens += before
        spent, without = usd, direct
        if price is not None:
            each = price.input_token(usage)
            spent = price.cost(usage)
            without = None if spent is None or each is None else spent + (before - after) * each
        run.add(usage)
        run.usd = _plus(run.usd, spent)
        dollars = _plus(dollars, without)
    for policy, edits, gone in db.execute(_REMOVED):
        run.edits[policy], run.removed[policy] = edits, gone
    return Happened(tokens, dollars, run)


def _plus(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more
