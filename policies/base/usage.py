"""Token counts of one exchange, in the same four kinds for every provider."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens by the price they pay. `estimated`: counted by us, not reported upstream."""

    uncached: int = 0
    read: int = 0
    write: int = 0
    output: int = 0
    estimated: bool = False

    @property
    def input(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.uncached + self.read + self.write

    def plus(self, other: Usage) -> Usage:
        """Of two exchanges together."""
        return Usage(
            self.uncached + other.uncached,
            self.read + other.read,
            self.write + other.write,
            self.output + other.output,
            self.estimated or other.estimated,
        )
