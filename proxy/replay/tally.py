"""What one way of sending a trace came to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from policies.base.usage import Usage
from proxy.prices import Price
from proxy.simulation.rule import Charge

_MILLION = 1_000_000


class Tally(msgspec.Struct):
    """Sums over a replay. Tokens are those billed upstream; `usd` None: no known price.

    `paid`: input tokens weighed by the price of their kind, in uncached ones. `hits` by tier of
    the cache, `spared` the tokens (prompt and reply) that hits saved, `removed` the tokens that
    edits took away, `edits` and `failed` by policy. `violations`: see `Prefixes`. `drifted`:
    turns that the guard left untouched. `rewritten`: turns in which it paid to change what had
    been sent before, which are no violations. `rejected`: edited requests that the provider would
    have refused; they are then sent as they came.
    """

    name: str
    requests: int = 0
    uncached: int = 0
    read: int = 0
    write: int = 0
    output: int = 0
    paid: float = 0.0
    usd: float | None = 0.0
    violations: int = 0
    drifted: int = 0
    rewritten: int = 0
    rejected: int = 0
    refused: int = 0
    spared: int = 0
    hits: Counter[str] = msgspec.field(default_factory=Counter)
    removed: Counter[str] = msgspec.field(default_factory=Counter)
    edits: Counter[str] = msgspec.field(default_factory=Counter)
    failed: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def input(self) -> int:
        """Input tokens that were sent upstream."""
        return self.uncached + self.read + self.write

    def add(self, usage: Usage) -> None:
        """The tokens of one exchange."""
        self.uncached += usage.uncached
        self.read += usage.read
        self.write += usage.write
        self.output += usage.output

    def bill(self, charge: Charge, usage: Usage, price: Price) -> None:
        """One exchange, with what it costs."""
        self.add(usage)
        dearer = max(price.writes.values(), default=price.write) - price.write
        paid = usage.uncached + usage.read * price.read + usage.write * price.write
        paid += charge.long * dearer
        self.paid += paid
        rates = price.rates_for(usage.input)
        if rates is None or self.usd is None:
            self.usd = None
        else:
            self.usd += (paid * rates.input + usage.output * rates.output) / _MILLION

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return {**made, "input": self.input}
