"""OpenAI from gpt-5.6 on: prefixes match at breakpoints only, and writing is billed.

A breakpoint is a `prompt_cache_breakpoint` on a content part or, unless the request's mode is
`explicit`, the end of a user or tool message. A request writes at most four: the latest
explicit ones, less one for the implicit breakpoint at the latest user or tool message. It
matches against the latest 80. Positions are not rounded. That a match renews the lifetime is
taken from the other providers; OpenAI promises only a minimum.
"""

from __future__ import annotations

from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge, bill
from proxy.simulation.shelf import Shelf

_MATCHED = 80
_WRITTEN = 4
_LONG = 1800.0  # a lifetime beyond this pays the higher write price


class Breakpoints:
    """`lifetime` (seconds) is that of breakpoints that name none."""

    def __init__(self, minimum: int, lifetime: float, capacity: int) -> None:
        self._minimum = minimum
        self._lifetime = lifetime
        self._shelf = Shelf(capacity)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        written, matched = self._positions(prompt)
        positions = sorted({*written, *matched})
        digests = dict(zip(positions, prompt.digests(positions), strict=True))
        read = max((p for p in matched if self._shelf.holds(digests[p], now)), default=0)
        if read:
            self._shelf.touch(digests[read], now)
        for position, lifetime in written.items():
            self._shelf.keep(digests[position], now, delay, lifetime)
        spans = [(position, life > _LONG) for position, life in sorted(written.items())]
        return bill(prompt.total, read, spans)

    def _positions(self, prompt: Prompt) -> tuple[dict[int, float], list[int]]:
        """`{written position: lifetime}` and the positions that may match."""
        default = prompt.lifetime or self._lifetime
        explicit: dict[int, float] = {}
        turns: list[int] = []
        for segment, end in zip(prompt.segments, prompt.ends(), strict=True):
            if end < self._minimum:
                continue
            if segment.breakpoint is not None:
                explicit[end] = segment.breakpoint or default
            if segment.turn_end and prompt.implicit:
                turns.append(end)
        latest = [] if not turns else [turns[-1]]
        kept = sorted(explicit)[-(_WRITTEN - len(latest)) :]
        written = {position: explicit[position] for position in kept}
        for position in latest:
            written[position] = max(written.get(position, 0.0), default)
        return written, sorted({*explicit, *turns})[-_MATCHED:]
