"""vLLM: full blocks, chained hashes, least recently used out first and tails before heads.

Blocks of the output are kept as well. The last token of a prompt is always computed.
"""

from __future__ import annotations

from math import inf

from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge
from proxy.simulation.shelf import Shelf
from proxy.simulation.tokens import count


class Blocks:
    """`capacity` blocks of `size` tokens; `lifetime` (seconds) is endless in vLLM itself."""

    def __init__(
        self, capacity: int, size: int = 16, minimum: int = 0, lifetime: float = inf
    ) -> None:
        self._size = size
        self._minimum = minimum
        self._lifetime = lifetime
        self._shelf = Shelf(capacity)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        total = prompt.total
        filled = total + count(prompt.answer)
        digests = prompt.digests(range(self._size, filled + 1, self._size))
        most = max(0, total - 1) // self._size
        read = self._shelf.chain(digests[:most], now) * self._size
        for digest in reversed(digests):
            self._shelf.keep(digest, now, delay, self._lifetime)
        read = read if read >= self._minimum else 0
        return Charge(uncached=total - read, read=read)
