"""What a prompt-cache rule is: it reads prompts in order and says what each one pays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from policies.base.usage import Usage
from proxy.simulation.prompt import Prompt


class Charge(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one prompt by the price they pay.

    `long`: the part of `write` at the longer lifetime's price (Anthropic 1h, OpenAI 12h).
    """

    uncached: int = 0
    read: int = 0
    write: int = 0
    long: int = 0

    @property
    def total(self) -> int:
        """All tokens of the prompt."""
        return self.uncached + self.read + self.write

    def __add__(self, other: Charge) -> Charge:
        return Charge(
            self.uncached + other.uncached,
            self.read + other.read,
            self.write + other.write,
            self.long + other.long,
        )

    def usage(self, output: int) -> Usage:
        """The same in the house's four kinds."""
        return Usage(uncached=self.uncached, read=self.read, write=self.write, output=output)


class Rule(Protocol):
    """A provider's prompt cache: hashes of what was read before, never its text."""

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """Charge a prompt that arrives at `now` and remember it.

        `now` in seconds of any one clock. What the prompt writes can be read by others
        from `now + delay` on, when its own reply begins.
        """


def bill(total: int, read: int, written: Iterable[tuple[int, bool]]) -> Charge:
    """Charge writes up to each `(position, long)`, ascending, past what was read."""
    write = long = 0
    at = read
    for position, is_long in written:
        grown = max(0, position - at)
        write += grown
        long += grown if is_long else 0
        at += grown
    return Charge(uncached=total - read - write, read=read, write=write, long=long)
