"""The best that marks could do: every boundary written, nothing ever forgotten."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from proxy.prices import Price
from proxy.simulation.blocks import Blocks
from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge, Rule
from proxy.simulation.rules import Limits, build
from proxy.simulation.shelf import Shelf

_MARKED = frozenset({"openai_breakpoints", "anthropic_marks"})
_ENDLESS = 2**62


class EveryBoundary:
    """Reads up to the last end of a block that was seen before, and writes all that follows.

    `writes`: whether the provider bills writes apart; nothing below `minimum` tokens is kept.
    """

    def __init__(self, minimum: int, *, writes: bool) -> None:
        self._minimum = minimum
        self._writes = writes
        self._shelf = Shelf(_ENDLESS)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        ends = sorted({end for end in prompt.ends() if end >= max(self._minimum, 1)})
        digests = prompt.digests(ends)
        pairs = zip(ends, digests, strict=True)
        read = max((end for end, one in pairs if self._shelf.holds(one, now)), default=0)
        for digest in digests:
            self._shelf.keep(digest, now, delay, inf)
        last = max(ends[-1] if ends else 0, read)
        write = last - read if self._writes else 0
        return Charge(uncached=prompt.total - read - write, read=read, write=write)


def rule_of(price: Price, capacity: int, grain: int = 0) -> Rule:
    """The price's own rule. `grain`: tokens of a block where a trace knows only blocks."""
    if grain and price.rule == "vllm_blocks":
        return Blocks(max(1, capacity * 16 // grain), grain)
    minimum = None if price.rule == "none" else price.minimum
    return build(price.rule, Limits(minimum, price.lifetime, capacity))


def oracle_of(price: Price, grain: int = 0) -> Rule:
    """What no placement of marks under the price's rule can beat."""
    if price.rule == "none":
        return build("none", Limits())
    if price.rule in _MARKED and not grain:
        return EveryBoundary(price.minimum, writes=True)
    if price.rule in _MARKED or price.rule == "deepseek_units":
        return Blocks(_ENDLESS, grain or 16, price.minimum)
    return rule_of(replace(price, lifetime=inf), _ENDLESS, grain)
