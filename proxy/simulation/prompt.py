"""A rendered prompt, as a provider's cache sees it: tokens in segments, some with marks."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate

import msgspec

from proxy.simulation.tokens import WIDTH, count


class Segment(msgspec.Struct, frozen=True):
    """One block: a tool, a content part, a tool call. Marks stand at its end.

    A mark's value is the lifetime it asks for in seconds, 0 for the rule's own.
    `turn_end`: the last block of a user or tool message.
    """

    tokens: bytes
    cache_control: float | None = None
    breakpoint: float | None = None
    turn_end: bool = False


class Prompt(msgspec.Struct, frozen=True):
    """What one request asks a model to read, and what the model then adds.

    `scope` (at most 64 bytes) names the cache partition: equal prompts of different scopes
    share nothing. `answer` is the reply as it would stand in the next prompt. `implicit`
    and `lifetime` (seconds) are OpenAI's `prompt_cache_options`.
    """

    segments: tuple[Segment, ...]
    scope: bytes = b""
    answer: bytes = b""
    implicit: bool = True
    lifetime: float | None = None

    @property
    def total(self) -> int:
        """Tokens to read."""
        return sum(count(segment.tokens) for segment in self.segments)

    def ends(self) -> list[int]:
        """Where each segment ends, in tokens from the start."""
        return list(accumulate(count(segment.tokens) for segment in self.segments))

    def digests(self, positions: Iterable[int]) -> list[bytes]:
        """A digest of the prefix up to each position (tokens, ascending), answer included."""
        text = memoryview(b"".join([*(segment.tokens for segment in self.segments), self.answer]))
        running = blake2b(digest_size=16, key=self.scope)
        found = []
        at = 0
        for position in positions:
            running.update(text[at : (at := position * WIDTH)])
            found.append(running.copy().digest())
        return found
