"""The prompt-cache rules by the names that configuration and prices use."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Literal

import msgspec

from proxy.simulation.blocks import Blocks
from proxy.simulation.breakpoints import Breakpoints
from proxy.simulation.marks import Marks
from proxy.simulation.prefix_steps import PrefixSteps
from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge, Rule
from proxy.simulation.units import Units

RuleName = Literal[
    "openai_steps",
    "openai_breakpoints",
    "anthropic_marks",
    "deepseek_units",
    "vllm_blocks",
    "gemini_implicit",
    "none",
]


class Limits(msgspec.Struct, frozen=True):
    """What a model sets of its rule; None is the rule's own value.

    `minimum`: tokens below which nothing is cached. `lifetime`: seconds. `capacity`:
    entries kept over all scopes (blocks, for vLLM).
    """

    minimum: int | None = None
    lifetime: float | None = None
    capacity: int = 65_536

    def least(self, default: int) -> int:
        """The minimum, in tokens."""
        return default if self.minimum is None else self.minimum

    def life(self, default: float) -> float:
        """The lifetime, in seconds."""
        return default if self.lifetime is None else self.lifetime


class Uncached:
    """No prompt cache at all."""

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:  # noqa: ARG002 - `Rule`'s signature
        """See `Rule.account`."""
        return Charge(uncached=prompt.total)


_rules: dict[str, Callable[[Limits], Rule]] = {
    "openai_steps": lambda own: PrefixSteps(own.least(1024), 128, own.life(600), own.capacity),
    "openai_breakpoints": lambda own: Breakpoints(own.least(1024), own.life(1800), own.capacity),
    "anthropic_marks": lambda own: Marks(own.least(1024), own.life(300), own.capacity),
    "deepseek_units": lambda own: Units(own.least(0), own.life(3600), own.capacity),
    "vllm_blocks": lambda own: Blocks(own.capacity, 16, own.least(0), own.life(inf)),
    "gemini_implicit": lambda own: PrefixSteps(own.least(4096), 128, own.life(300), own.capacity),
    "none": lambda _: Uncached(),
}


def build(name: RuleName, limits: Limits) -> Rule:
    """A fresh rule with nothing cached."""
    return _rules[name](limits)
