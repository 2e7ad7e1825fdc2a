"""What every compressor is: texts get another form once, and keep it in every later turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Annotated, ClassVar, NamedTuple, cast

from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.errors import MalformedBody
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict
from policies.base.ports import Store, View
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Duration, Size
from policies.compress.freeze_form import Form
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Listing, Message
from policies.compress.freeze_sent import UNCHANGED, Sent
from policies.compress.freeze_sight import NEVER, FirstSight, Learnt, Recipe
from policies.compress.freeze_turns import Turn, turn

_Key = tuple[object, ...]
Found = Sequence[tuple[Message, Sent]]


class There(NamedTuple):
    """All messages, those that may change, notes on what they begin with, and of what `talk`."""

    listed: Listing
    messages: Sequence[Message]
    notes: dict[object, object]
    talk: bytes


class _Settled(NamedTuple):
    """What is known of `messages` will not change in this conversation: `found` are sent so."""

    scope: _Key
    messages: Sequence[Message]
    found: Found


_NOTHING = _Settled((), (), ())
_DOUBTS = 8  # of one conversation: where they do not help, they cost as much as all its turns


class FreezeSettings(Strict):
    """`min_tokens` of a text, `min_gain` the share of them that must go.

    `budget`: for texts that are new. `memory`: bytes kept at hand; `ttl`: how long a form is
    stored.
    """

    min_tokens: Annotated[int, Field(ge=1)] = 100
    min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.05
    budget: Annotated[Duration, Field(gt=0)] = 0.04
    memory: Size = 32_000_000
    ttl: Annotated[Duration, Field(gt=0)] = 30 * 86400.0


class Frozen(Base):
    """Gives texts of a prompt the forms that `recipe` makes, each at its first sight.

    A form depends on the text, what the recipe says it is about, the model and the settings.
    Where it is not there in time, the original goes, and goes on being sent in this
    conversation. `threads`: how many may make forms at a time.
    """

    every_plan: ClassVar = True  # each form is made, and each delay noted, only once

    def __init__(self, settings: FreezeSettings, recipe: Recipe, threads: int = 2) -> None:
        self.settings = settings
        half = settings.memory // 2
        self._recipe = recipe
        self._mark = object()  # by which notes are found, which may outlive the policy
        self._signs = {each: recipe.signs(each) for each in Dialect}
        self._sent: Generations[_Key, Sent] = Generations(half)
        self._doubts: Generations[_Key, int] = Generations(half // 8)  # by conversation
        self._sight = FirstSight(recipe, half, settings.ttl, threads)

    def idle(self, call: Call, terms: Terms) -> str:  # noqa: ARG002 - the contract's
        """Most requests hold no message that could be shortened, nor tools that will bring one."""
        for sign in self._signs[call.dialect]:
            if call.body.holds(sign):
                return ""
        return "" if self._unprepared(call) else "nothing to shorten"

    def _unprepared(self, call: Call) -> bool:
        """Whether results of tools will come, and their tokens cannot be counted yet."""
        if self._sight.prepared(call.model) or not self._signs[call.dialect]:
            return False
        try:
            return call.body.field("tools") is not None
        except MalformedBody:
            return False

    async def doubt(self, call: Call) -> None:
        """Look at all of a conversation again: what was late elsewhere is in the store."""
        here = await turn(call)
        if here is not None:
            *whose, doubts = self._scope(call, here.conversation())
            if cast("int", doubts) < _DOUBTS:
                self._doubts.put(tuple(whose), cast("int", doubts) + 1, 0)

    def _scope(self, call: Call, talk: bytes) -> _Key:
        """What the messages of a conversation are remembered under."""
        whose = call.tenant, call.model, call.dialect, talk
        return *whose, self._doubts.get(whose) or 0

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where texts of the prompt have shorter forms."""
        return await self.look(call, view, perf_counter() + self.settings.budget)

    async def look(self, call: Call, view: View, until: float) -> Step:
        """As `plan`; what has no form by `until`, in seconds of `perf_counter`, is late."""
        raw = call.body.raw
        wanted = tuple(sign for sign in self._signs[call.dialect] if call.body.holds(sign))
        if not wanted:
            if self._unprepared(call) and not view.trial:
                self._sight.prepare(call.model, view.counter(call.model))
            return Skip("nothing to shorten")
        here = await turn(call)
        if here is None:
            return Skip("a shape to leave alone")
        there = There(here.listed, here.holding(wanted), here.notes, here.conversation())
        _, new = self._known(call, there)
        try:
            if new and until > NEVER:  # a vocabulary takes longer to load than a text may wait
                until += await self._sight.counting(call.model, view.counter(call.model))
            found, learnt = await self.forms(call, view, there, until)
        except asyncio.CancelledError:  # the engine goes on without this policy
            for _, key in new if not view.trial else ():
                self._remember(key, UNCHANGED)
            there.notes.pop(self._mark, None)
            raise
        if not view.trial and not self._sight.prepared(call.model):  # all was known; more will come
            self._sight.prepare(call.model, view.counter(call.model))
        return self._step(raw, found, learnt)

    async def forms(
        self, call: Call, view: View, there: There, until: float
    ) -> tuple[list[tuple[Message, Sent]], object]:
        """The messages that are sent otherwise than they came, and what `settle` is to store.

        `until` in seconds of `perf_counter`.
        """
        found, fresh = self._known(call, there)
        learnt: Learnt | None = None
        if fresh:
            texts = there.listed, [message for message, _ in fresh]
            made, learnt = await self._sight.look(call, view, texts, there.talk, until)
            for (message, key), sent in zip(fresh, made, strict=True):
                if not view.trial:
                    self._remember(key, sent)
                if sent.raw is not None:
                    found.append((message, sent))
        if not view.trial:
            there.notes[self._mark] = _Settled(self._scope(call, there.talk), there.messages, found)
        return found, learnt

    def _settled(self, there: There, scope: _Key) -> _Settled:
        """What the turn before has left, if it had the same messages."""
        known = there.notes.get(self._mark)
        if isinstance(known, _Settled) and known.scope == scope:
            begun = there.messages[: len(known.messages)]
            return known if begun == known.messages else _NOTHING
        return _NOTHING

    def _known(
        self, call: Call, there: There
    ) -> tuple[list[tuple[Message, Sent]], list[tuple[Message, _Key]]]:
        """The messages that are sent otherwise, and those that are new.

        By Python's hash, which is keyed by a secret of the process and 64 bits wide: that of
        the message, and of all before it where forms depend on them.
        """
        scope = self._scope(call, there.talk)
        settled = self._settled(there, scope)
        found = [*settled.found]
        fresh: list[tuple[Message, _Key]] = []
        for message, key in self._keys(scope, there, len(settled.messages)):
            known = self._sent.get(key)
            if known is None:
                fresh.append((message, key))
            elif known.raw is not None:
                found.append((message, known))
        return found, fresh

    def _keys(self, scope: _Key, there: There, first: int = 0) -> Iterator[tuple[Message, _Key]]:
        """What is known of each of the messages from the `first` on is remembered under these."""
        messages = there.messages[first:]
        contextual = self._recipe.contextual and messages
        before = self.beginnings(there.listed, there.messages) if contextual else None
        for message in messages:
            text = message.raw
            yield message, (scope, before[message.number] if before else 0, hash(text), len(text))

    def beginnings(self, listed: Listing, messages: Sequence[Message]) -> Mapping[int, int]:  # noqa: ARG002 - others may look at `messages` only
        """For each of `messages`, by number, a hash of all that its forms may depend on."""
        found = [0]
        for raw in listed.raws:
            found.append(hash((found[-1], raw)))
        return dict(enumerate(found))

    def _remember(self, key: _Key, sent: Sent) -> None:
        self._sent.put(key, sent, len(sent.raw or b""))

    def _step(self, raw: bytes, found: Found, learnt: object) -> Step:
        if not found:
            return Skip("nothing to gain", learnt)
        parts: list[bytes] = []
        at = results = before = after = left_out = 0
        for message, sent in sorted(found, key=lambda pair: pair[0].start):
            parts += (raw[at : message.start], sent.raw or b"")
            at = message.start + len(message.raw)
            results += sent.results
            before += sent.before
            after += sent.after
            left_out += sent.left_out
        body = Body(b"".join((*parts, raw[at:])))
        why = f"{_many(results, 'text')}, {before - after:,} tokens fewer"
        if left_out:
            why += f", {_many(left_out, self._recipe.piece)} left out"
        effect = cast("Effect", self.effect)
        return Edit(body, effect, why, before, after, learnt)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Store what was learnt, for restarts and other workers.

        Where a guard had the forms left off, all was sent as it came, and goes on being sent so:
        then what comes later can be edited again.
        """
        learnt = step.memo if isinstance(step.memo, Learnt) else None
        here = await turn(call) if outcome.refused and outcome.status < 300 else None
        if here is not None:
            learnt = self._refused(call, here, {} if learnt is None else learnt.forms)
        if learnt is not None:
            await self._sight.store(call, learnt, store)

    def _refused(self, call: Call, here: Turn, forms: Mapping[bytes, Form]) -> Learnt:
        """What has not gone as it came for good yet is from now on late."""
        messages, talk = here.holding(self._signs[call.dialect]), here.conversation()
        there = There(here.listed, messages, here.notes, talk)
        late = []
        for message, key in self._keys(self._scope(call, talk), there):
            if self._sent.get(key) is not UNCHANGED:
                self._remember(key, UNCHANGED)
                late.append(message)
        here.notes.pop(self._mark, None)
        return Learnt(forms, talk, (here.listed, late))

    async def aclose(self) -> None:
        """End the threads."""
        self._sight.close()


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
