"""DeepSeek: a hit must cover a complete stored unit, never part of one.

Units are: an earlier input, an earlier input with its output, every `interval` tokens of a long
input, and a prefix that two inputs were found to share (A+B, then A+C, then A+D reads A). The
interval is not published. Shared prefixes are found in steps of 64 tokens, DeepSeek's storage
grain, to which an end inside a text is rounded down as well.
"""

from __future__ import annotations

from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge
from proxy.simulation.shelf import Shelf
from proxy.simulation.tokens import count

_GRAIN = 64
_INTERVAL = 4096


class Units:
    """`lifetime` (seconds) runs from the last use."""

    def __init__(self, minimum: int, lifetime: float, capacity: int) -> None:
        self._minimum = max(minimum, 1)
        self._lifetime = lifetime
        self._units = Shelf(capacity)
        self._seen = Shelf(capacity)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        total = prompt.total
        full = total + count(prompt.answer)
        grid = range(_GRAIN, full + 1, _GRAIN)
        positions = sorted({*grid, *prompt.ends(), full} - {0})
        digests = dict(zip(positions, prompt.digests(positions), strict=True))
        readable = (p for p in positions if self._minimum <= p <= total)
        read = max((p for p in readable if self._units.holds(digests[p], now)), default=0)
        shared = self._seen.chain([digests[p] for p in grid if p <= total], now) * _GRAIN
        for position in reversed(grid):
            self._seen.keep(digests[position], now, delay, self._lifetime)
        stored = {read, shared, total, total // _GRAIN * _GRAIN, full, full // _GRAIN * _GRAIN}
        for position in sorted({*stored, *range(_INTERVAL, total, _INTERVAL)} - {0}, reverse=True):
            self._units.keep(digests[position], now, delay, self._lifetime)
        return Charge(uncached=total - read, read=read)
