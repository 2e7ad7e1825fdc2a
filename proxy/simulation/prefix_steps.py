"""Any shared prefix is read, in steps, from a minimum on; writing costs nothing extra.

OpenAI up to gpt-5.5: 1,024 tokens, then steps of 128. Gemini's implicit caching does the same
from 2,048 (2.5) or 4,096 (3 and later); its step is not published, 128 is taken.
"""

from __future__ import annotations

from proxy.simulation.prompt import Prompt
from proxy.simulation.rule import Charge
from proxy.simulation.shelf import Shelf


class PrefixSteps:
    """`lifetime` (seconds) runs from the last use."""

    def __init__(self, minimum: int, step: int, lifetime: float, capacity: int) -> None:
        self._minimum = minimum
        self._step = step
        self._lifetime = lifetime
        self._shelf = Shelf(capacity)

    def account(self, prompt: Prompt, now: float, delay: float = 0.0) -> Charge:
        """See `Rule.account`."""
        total = prompt.total
        first = -(-max(self._minimum, 1) // self._step) * self._step
        steps = range(first, total + 1, self._step)
        digests = prompt.digests(steps)
        hit = self._shelf.chain(digests, now)
        for digest in reversed(digests):  # so that the tail is dropped before the head
            self._shelf.keep(digest, now, delay, self._lifetime)
        read = steps[hit - 1] if hit else 0
        return Charge(uncached=total - read, read=read)
