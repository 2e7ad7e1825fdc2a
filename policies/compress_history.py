"""Old results of tools are left out of long conversations, many at once and seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

import msgspec
from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Count, Store, View
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Duration, Size
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Message, has, signs
from policies.compress.freeze_turns import Turn, turn
from policies.compress.history_epochs import Begun, Epochs, Group, answered
from policies.compress.history_stubs import VERSION, Asked, Stub, Stubs, asked

_AT_ONCE = 8 * 1024  # bytes of new results that are read on the event loop
_BYTES_PER_TOKEN = 4  # of a request, by estimate
_UNPUBLISHED = 300.0  # seconds that a prompt is kept where the provider names no time
_MARGIN = 1.1  # lifetimes are not kept to the second


class _Memo(NamedTuple):
    """What `settle` is to do: note when a conversation was `seen`, and what epoch has `begun`.

    `count` the tokens of what is `uncounted`, which has been put off; `asked`: whose stubs.
    """

    seen: bytes
    now: float
    begun: Begun | None
    count: Count
    asked: Asked
    uncounted: Sequence[Message] = ()


@policy("compress.history")
class History(Base):
    """Replaces results of tools older than the last ones by a line that says so.

    `lossy`. In epochs: nothing changes until the request is over `above` tokens, or has lain
    idle so long that the provider has forgotten it; then all that is old goes at once, if the
    engine finds that this pays for reading anew what follows. Until the next epoch each turn
    begins with the bytes of the one before.
    """

    effect: ClassVar = Effect.LOSSY

    class Settings(Strict):
        """`keep`: the latest messages with results that stay; as many at least go at a time.

        `above`: tokens of a request, by estimate. `min_tokens`: shorter results stay.
        `names`: but for lines that tell of failures, and with the values and negations of the rest
        by name; results that hold little else stay.
        `memory`: bytes kept at hand; `ttl`: how long it is stored what was left out.
        """

        keep: Annotated[int, Field(ge=1)] = 10
        above: Annotated[int, Field(ge=0)] = 32_000
        min_tokens: Annotated[int, Field(ge=1)] = 100
        names: bool = True
        memory: Size = 16_000_000
        ttl: Annotated[Duration, Field(gt=0)] = 30 * 86400.0

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        version = ("history", VERSION, settings.keep, settings.min_tokens, settings.names)
        self._signs = {each: signs(each, users=False) for each in Dialect}
        self._epochs = Epochs(version, settings.memory // 4, settings.ttl)
        self._stubs = Stubs(settings.min_tokens, settings.memory // 2, names=settings.names)
        self._seen: Generations[tuple[str, bytes], float] = Generations(settings.memory // 4)

    def reads(self, call: Call, terms: Terms) -> bool:  # noqa: ARG002 - the contract's
        """Which results were left out is known by what stands before them."""
        return has(call.body.raw, self._signs[call.dialect])

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where earlier results are left out; `instead` goes on as the turn before did."""
        wanted = self._signs[call.dialect]
        if not has(call.body.raw, wanted):
            return Skip("no results of tools")
        here = await turn(call)
        groups = here and self._groups(call, here, wanted)
        if groups is None:
            return Skip("a shape to leave alone")
        if not groups:
            return Skip("few results")
        numbers, begun = await self._epochs.masked(call, groups, view.store, view.now)
        known = numbers[-1]
        memo = _Memo(groups[0].key, view.now, None, view.counter(call.model), asked(call))
        going_on: Edit | Skip = Skip("nothing is left out yet", memo)
        for number in numbers:
            # What was sent without may have been another conversation that begins as this one:
            # the engine knows how the turn before was sent, and goes on from that.
            told = memo._replace(begun=begun if number == known else None)
            step = await self._masked(call, groups[number - 1 : number], told)
            if isinstance(step, Edit):
                going_on = msgspec.structs.replace(step, instead=going_on, known=True)
        if known == len(groups) or not self._due(call, view, groups[0].key):
            return going_on
        memo = memo._replace(begun=Begun(groups[-1].key))
        anew = await self._masked(call, groups[-1:], memo)
        if isinstance(anew, Edit) and anew.body.raw != _raw(call, going_on):
            return msgspec.structs.replace(anew, instead=going_on)
        return going_on

    def _groups(self, call: Call, here: Turn, wanted: Sequence[bytes]) -> Sequence[Group] | None:
        """What may be masked: nothing that the model has not read yet."""
        results, keep = here.holding(wanted), self.settings.keep
        if len(results) < 2 * keep:
            return ()
        read = answered(call.dialect, here.listed.raws)
        return self._epochs.groups(call, results, keep, read)

    def _due(self, call: Call, view: View, seen: bytes) -> bool:
        """Whether the request is long, or its conversation so old that no cache has it."""
        if len(call.body.raw) > self.settings.above * _BYTES_PER_TOKEN:
            return True
        last = self._seen.get((call.tenant, seen))
        life = view.terms(call).lifetime
        kept = _MARGIN * (_UNPUBLISHED if life is None else life)
        return last is not None and view.now - last > kept

    async def _masked(self, call: Call, groups: Sequence[Group], memo: _Memo) -> Edit | Skip:
        """The request without the results of a group, if there is one."""
        messages = groups[0].messages if groups else ()
        if self._stubs.new(memo.asked, messages) <= _AT_ONCE:
            stubs = self._stubs.of(memo.asked, messages)
        else:
            stubs = await asyncio.to_thread(self._stubs.of, memo.asked, messages)
        return self._step(call, list(zip(messages, stubs, strict=True)), memo)

    def _step(self, call: Call, masked: Sequence[tuple[Message, Stub]], memo: _Memo) -> Edit | Skip:
        raw, parts = call.body.raw, list[bytes]()
        memo = memo._replace(uncounted=[one for one, stub in masked if not stub.counted])
        at = results = before = after = 0
        for message, stub in masked:
            if stub.raw is None:
                continue
            parts += (raw[at : message.start], stub.raw)
            at = message.start + len(message.raw)
            results += stub.results
            before += stub.before
            after += stub.after
        if not parts:
            return Skip("nothing is left out yet", memo)
        body = Body(b"".join((*parts, raw[at:])))
        noun = "result" if results == 1 else "results"
        why = f"{results:,} {noun} left out, {before - after:,} tokens fewer"
        return Edit(body, self.effect, why, before, after, memo)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Remember when a conversation was seen, and what is left out of it from now on."""
        memo = step.memo if isinstance(step, Edit | Skip) else None
        if not isinstance(memo, _Memo) or not (outcome.applied or outcome.supposed):
            return
        self._seen.put((call.tenant, memo.seen), memo.now, len(memo.seen))
        if memo.begun is not None and isinstance(step, Edit) and outcome.status < 300:
            if outcome.applied:
                await self._epochs.begin(call, memo.begun, store)
            else:
                self._epochs.suppose(call, memo.begun)
        if memo.uncounted:
            await asyncio.to_thread(self._stubs.count, memo.asked, memo.uncounted, memo.count)


def _raw(call: Call, step: Edit | Skip) -> bytes:
    return step.body.raw if isinstance(step, Edit) else call.body.raw
