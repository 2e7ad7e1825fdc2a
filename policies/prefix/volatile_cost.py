"""What a line that changes costs, in tokens and dollars."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base.terms import Terms
from policies.prefix.canonical_memo import Recent
from policies.prefix.volatile_lines import System

_DAY = 86400.0
_LETTERS = 4  # bytes of a token, about
_FEW = 60.0  # seconds: a rate is not told from less


class Rates:
    """How many requests a day each system prompt comes with, as seen by this process."""

    def __init__(self) -> None:
        self._counts: Recent[bytes, tuple[float, float]] = Recent(1_000_000)

    def count(self, prompt: bytes, now: float) -> None:
        """One more request, at `now`. A day after the first, older requests count half."""
        count, since = self._counts.get(prompt) or (0.0, now)
        if now - since > _DAY:
            count, since = count / 2, now - (now - since) / 2
        self._counts.put(prompt, (count + 1, min(since, now)), 100)

    def daily(self, prompt: bytes, now: float) -> float | None:
        """Requests in a day; None where too little was seen to say."""
        count, since = self._counts.get(prompt) or (0.0, now)
        return count / (now - since) * _DAY if now - since >= _FEW else None


def lost(prompt: System, index: int, answered: int) -> int:
    """Tokens, about, that stood in a cache and must be read again since line `index` changed.

    `answered`: bytes of the conversation that were sent before.
    """
    rest = 0
    for rows in prompt.rows:
        if index < len(rows):
            after = rows[max(0, index) :]
            rest += sum(map(len, after)) + len(after)
        index -= len(rows)
    return (rest + answered) // _LETTERS


def told(moved: Sequence[int], tokens: int, terms: Terms, daily: float | None) -> str:
    """Which lines change, and what it costs: numbers only, never their text."""
    numbers = [str(index + 1) for index in moved]
    lines = f"line {numbers[0]}" if len(numbers) == 1 else f"lines {', '.join(numbers)}"
    verb = "changes" if len(numbers) == 1 else "change"
    text = f"{lines} of the system prompt {verb} with every request: about {tokens} tokens/request"
    if daily is None or terms.input is None:
        return text
    return f"{text}, ${tokens * (1 - terms.read) * terms.input * daily:.2f} a day"
