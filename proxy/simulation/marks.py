"""Anthropic: what stands before a `cache_control` mark is written, and read by later marks.

At most four marks; each looks for an entry at its own block and the 19 before it. An entry is
renewed by a hit, lives 5 minutes or 1 hour, and can be read only once the reply of the request
that wrote it has begun.
"""

from __future__ import annotations

from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge, bill
from proxy.simulation.shelf import Shelf

MARKS = 4
_LOOK_BACK = 20  # blocks, the marked one counted
_LONG = 300.0  # a lifetime beyond this pays the higher write price


class Marks:
    """`lifetime` (seconds) is that of marks that name none."""

    def __init__(self, minimum: int, lifetime: float, capacity: int) -> None:
        self._minimum = minimum
        self._lifetime = lifetime
        self._shelf = Shelf(capacity)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        ends = prompt.ends()
        marked = [i for i, s in enumerate(prompt.segments) if s.cache_control is not None][-MARKS:]
        near = sorted({b for i in marked for b in range(max(0, i - _LOOK_BACK + 1), i + 1)})
        digests = dict(zip(near, prompt.digests(ends[block] for block in near), strict=True))
        held = [
            block
            for block in near
            if ends[block] >= self._minimum and self._shelf.holds(digests[block], now)
        ]
        read = ends[held[-1]] if held else 0
        for block in held:
            self._shelf.touch(digests[block], now)
        spans = []
        for block in marked:
            if ends[block] < self._minimum:
                continue
            lifetime = prompt.segments[block].cache_control or self._lifetime
            self._shelf.keep(digests[block], now, delay, lifetime)
            spans.append((ends[block], lifetime > _LONG))
        return bill(prompt.total, read, spans)
