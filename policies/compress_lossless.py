"""Tool results in fewer tokens, with nothing lost, and in the same bytes every turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Annotated, ClassVar

from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Store, View
from policies.base.step import Edit, Skip, Step
from policies.base.units import Duration, Size
from policies.compress.lossless_forms import Rules
from policies.compress.lossless_memory import Generations
from policies.compress.lossless_places import (
    Listing,
    Message,
    conversation,
    has,
    listing,
    signs,
)
from policies.compress.lossless_sight import DISPUTED, FirstSight, Learnt, Sent

_INLINE = 1 << 20  # bytes of a request whose messages are found on the event loop, in a millisecond

_Key = tuple[object, ...]


@policy("compress.lossless")
class Lossless(Base):
    """Rewrites tool results, each once: the same text has the same form in every turn.

    `lossless`: JSON without white space or as tables, logs as templates, repeats by reference,
    all read back and compared before use; of terminal output what it shows. A form depends on
    the text, the model and the settings. Where it is not there in time, the original goes, and
    goes on being sent in this conversation.
    """

    effect: ClassVar = Effect.LOSSLESS

    class Settings(Strict):
        """`min_tokens` of a text, `min_gain` the share of them that must go.

        `pasted`: also texts of users that are JSON or logs throughout. `budget`: for texts that
        are new. `memory`: bytes kept at hand; `ttl`: how long a form is stored.
        """

        min_tokens: Annotated[int, Field(ge=1)] = 100
        min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.05
        pasted: bool = False
        budget: Annotated[Duration, Field(gt=0)] = 0.04
        memory: Size = 32_000_000
        ttl: Annotated[Duration, Field(gt=0)] = 30 * 86400.0

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        rules = Rules(settings.min_tokens, settings.min_gain)
        half = settings.memory // 2
        self._signs = {each: signs(each, pasted=settings.pasted) for each in Dialect}
        self._sent: Generations[_Key, Sent] = Generations(half)
        self._sight = FirstSight(rules, half, settings.ttl, pasted=settings.pasted)

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where texts of the prompt have shorter forms."""
        until = perf_counter() + self.settings.budget
        raw = call.body.raw
        wanted = self._signs[call.dialect]
        if not has(raw, wanted):
            return Skip("no tool results")
        if len(raw) <= _INLINE:
            listed = listing(call.dialect, raw)
        else:
            listed = await asyncio.to_thread(listing, call.dialect, raw)
        if listed is None:
            return Skip("a shape to leave alone")
        found, fresh = self._known(call, listed)
        learnt: Learnt | None = None
        if fresh:
            here = conversation(listed)
            made, learnt = await self._sight.look(call, view, fresh, here, until)
            for message, sent in zip(fresh, made, strict=True):
                self._remember(_scope(call), message.raw, here, sent)
                if sent.raw is not None:
                    found.append((message, sent))
        return self._step(raw, found, learnt)

    def _known(
        self, call: Call, listed: Listing
    ) -> tuple[list[tuple[Message, Sent]], list[Message]]:
        """The messages that are sent otherwise than they came, and those that are new."""
        scope = _scope(call)
        found: list[tuple[Message, Sent]] = []
        fresh: list[Message] = []
        for message in listed.holding(self._signs[call.dialect]):
            text = message.raw
            known = self._sent.get((scope, hash(text), len(text)))
            if known is DISPUTED:
                known = self._sent.get((scope, hash(text), conversation(listed)))
            if known is None:
                fresh.append(message)
            elif known.raw is not None:
                found.append((message, known))
        return found, fresh

    def _remember(self, scope: _Key, text: bytes, here: bytes, sent: Sent) -> None:
        """By Python's hash, which is keyed by a secret of the process and 64 bits wide."""
        key = (scope, hash(text), here if sent.disputed else len(text))
        self._sent.put(key, sent, len(sent.raw or b""))
        if sent.disputed:
            self._sent.put((scope, hash(text), len(text)), DISPUTED, 0)

    def _step(
        self, raw: bytes, found: Sequence[tuple[Message, Sent]], learnt: Learnt | None
    ) -> Step:
        if not found:
            return Skip("nothing to gain", learnt)
        parts: list[bytes] = []
        at = results = before = after = 0
        for message, sent in sorted(found, key=lambda pair: pair[0].start):
            parts += (raw[at : message.start], sent.raw or b"")
            at = message.start + len(message.raw)
            results += sent.results
            before += sent.before
            after += sent.after
        body = Body(b"".join((*parts, raw[at:])))
        noun = "text" if results == 1 else "texts"
        why = f"{results} {noun}, {before - after:,} tokens fewer"
        return Edit(body, self.effect, why, before, after, learnt)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:  # noqa: ARG002 - the forms count, not the reply
        """Store what was learnt, for restarts and other workers."""
        if isinstance(step.memo, Learnt):
            await self._sight.store(call, step.memo, store)

    async def aclose(self) -> None:
        """End the threads."""
        self._sight.close()


def _scope(call: Call) -> _Key:
    return (call.tenant, call.model, call.dialect)
