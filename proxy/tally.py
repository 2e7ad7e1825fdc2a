"""Counts in plain numbers, handed to Prometheus now and then.

`Histogram.observe` and `Counter.inc` cost up to 2 µs each, and a request needs twenty of
them. Adding to a number costs a twentieth of that; what has gathered is handed over before a
scrape and twice a second.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from policies.base.usage import Usage
from proxy.prices import Price

DURATION = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
OVERHEAD = (0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.002, 0.003, 0.005, 0.01, 0.1)
FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2, 3, 5, 10, 20, 60)
TOKEN = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 5)
SPEED = (1, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 5000)
PLANNING = (0.00001, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class Tally:
    """Observations sorted into buckets; `bounds` are inclusive upper ones, ascending."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def drain(self, histogram: Any) -> None:
        """Move all to a child of a `prometheus_client.Histogram` with the same bounds.

        The library offers no way to observe many at once, so this reaches for the two
        fields that its own `observe` adds to.
        """
        for bucket, count in zip(histogram._buckets, self.counts, strict=True):  # noqa: SLF001 - see above
            if count:
                bucket.inc(count)
        histogram._sum.inc(self.total)  # noqa: SLF001 - see above
        self.counts = [0] * len(self.counts)
        self.total = 0.0


class Traffic:
    """What requests of one endpoint, route, backend, model and status add up to."""

    __slots__ = ("coalesced", "duration", "overhead", "requests", "spent", "stream", "usd")

    def __init__(self) -> None:
        self.requests = self.coalesced = 0
        self.duration = Tally(DURATION)
        self.overhead = Tally(OVERHEAD)
        self.stream: Stream | None = None
        self.spent = [0, 0, 0, 0]  # tokens: uncached, read, write, output
        self.usd = [0.0, 0.0, 0.0, 0.0]

    def bill(self, usage: Usage, price: Price) -> None:
        """Add what was paid for upstream."""
        spent, usd = self.spent, self.usd
        spent[0] += usage.uncached
        spent[1] += usage.read
        spent[2] += usage.write
        spent[3] += usage.output
        parts = price.cost_parts(usage)
        if parts is not None:
            usd[0] += parts[0]
            usd[1] += parts[1]
            usd[2] += parts[2]
            usd[3] += parts[3]


class Stream:
    """Latencies of the streams among them."""

    __slots__ = ("first", "gaps", "per_token", "speed")

    def __init__(self) -> None:
        self.first = Tally(FIRST)
        self.gaps = Tally(TOKEN)
        self.per_token = Tally(TOKEN)
        self.speed = Tally(SPEED)

    def add(self, first: float, rest: float, gaps: tuple[float, ...], output: int) -> None:
        """Count one stream: seconds to its first byte and from there on; tokens of output."""
        self.first.add(first)
        for gap in gaps:
            self.gaps.add(gap)
        if output > 1 and rest > 0:
            self.per_token.add(rest / (output - 1))
            self.speed.add(output / rest)


class Decisions:
    """What one policy's decisions add up to."""

    __slots__ = ("planning", "results", "saved")

    def __init__(self) -> None:
        self.planning = Tally(PLANNING)
        self.results: dict[str, int] = {}  # of a cache
        self.saved = 0  # tokens
