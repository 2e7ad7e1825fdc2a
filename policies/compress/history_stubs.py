"""Results of tools without their text: what stands there instead, and what that spares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from policies.base.call import Dialect
from policies.base.spans import Path
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Message, replaced, spots
from policies.compress.text_measure import Count, tokens

VERSION = 1
_STUB = "[the result of this earlier call is left out; call the tool again if it is needed]"
_BYTES_PER_TOKEN = 4  # whether a text is long enough must not depend on who counts


class Stub(NamedTuple):
    """A message without its results, None where they are too short; tokens of these."""

    raw: bytes | None
    results: int = 0
    before: int = 0
    after: int = 0


class Stubs:
    """Makes stubs, and remembers them in `memory` bytes."""

    def __init__(self, min_tokens: int, memory: int) -> None:
        self._least = max(min_tokens * _BYTES_PER_TOKEN, 2 * len(_STUB))
        self._known: Generations[tuple[Dialect, str, int], Stub] = Generations(memory)

    def missing(self, dialect: Dialect, model: str, messages: Sequence[Message]) -> list[Message]:
        """Those of which there is no stub yet."""
        return [one for one in messages if self._known.get((dialect, model, hash(one.raw))) is None]

    def make(self, dialect: Dialect, model: str, messages: Sequence[Message], count: Count) -> None:
        """Make stubs, which takes long: counting does."""
        for message in messages:
            stub = self._made(dialect, message.raw, count)
            key = (dialect, model, hash(message.raw))
            self._known.put(key, stub, len(stub.raw or b""))

    def of(self, dialect: Dialect, model: str, message: Message) -> Stub | None:
        """The stub of a message, if it is made and not forgotten."""
        return self._known.get((dialect, model, hash(message.raw)))

    def _made(self, dialect: Dialect, raw: bytes, count: Count) -> Stub:
        texts: dict[Path, str] = {
            spot.path: spot.text
            for spot in spots(dialect, raw, users=False)
            if len(spot.text) >= self._least
        }
        new = replaced(raw, dict.fromkeys(texts, _STUB)) if texts else None
        if new is None:
            return Stub(None)
        before = sum(tokens(text, count) for text in texts.values())
        return Stub(new, len(texts), before, len(texts) * count(_STUB))
