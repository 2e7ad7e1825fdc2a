"""Tool results in fewer tokens, with nothing lost, and in the same bytes every turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from policies.base.call import Call, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import policy
from policies.base.ports import Count, Store, View
from policies.base.step import Skip, Step
from policies.compress.backref_again import Again
from policies.compress.freeze import FreezeSettings, Frozen, There
from policies.compress.freeze_form import Form, Rules
from policies.compress.freeze_places import Message, Spot, signs, spots
from policies.compress.freeze_sent import Sent
from policies.compress.lossless_forms import VERSION, form

_KEPT_ELSEWHERE = ("previous_response_id", "conversation")  # name messages that come before


@policy("compress.lossless")
class Lossless(Frozen):
    """Rewrites tool results, each once: the same text has the same form in every turn.

    `lossless`: JSON without white space or as tables, logs as templates, repeats by reference,
    all read back and compared before use; of terminal output what it shows. A form depends on
    the text, the model and the settings. Where it is not there in time, the original goes, and
    goes on being sent in this conversation.
    """

    effect: ClassVar = Effect.LOSSLESS

    class Settings(FreezeSettings):
        """`min_tokens` of a text, `min_gain` the share of them that must go.

        `pasted`: also texts of users that are JSON or logs throughout. `budget`: for texts that
        are new. `memory`: bytes kept at hand; `ttl`: how long a form is stored.
        """

        pasted: bool = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _Recipe(settings))
        self._again = Again(settings)

    async def forms(
        self, call: Call, view: View, there: There, until: float
    ) -> tuple[list[tuple[Message, Sent]], object]:
        """The forms of texts, and in these what stands in an earlier message already."""
        found, learnt = await super().forms(call, view, there, until)
        listed, messages = there.listed, there.messages
        if len(messages) < 2 or not _numbered(call):
            return found, learnt and (learnt, None)
        both = {message.number: (message, sent) for message, sent in found}
        sending = list(listed.raws)
        for message, sent in found:
            sending[message.number] = sent.raw or message.raw
        results = [Message(sending[number], start, number) for _, start, number in messages]
        so = there._replace(listed=listed._replace(raws=sending), messages=results)
        again, more = await self._again.forms(call, view, so, until)
        for message, sent in again:
            number = message.number
            whole = Message(listed.raws[number], listed.starts[number], number)
            both[number] = (whole, _after(both[number][1], sent) if number in both else sent)
        return list(both.values()), (learnt, more) if learnt or more else None

    async def doubt(self, call: Call) -> None:
        """Look at all of a conversation again."""
        await super().doubt(call)
        await self._again.doubt(call)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Store what was learnt, for restarts and other workers."""
        learnt, more = step.memo if isinstance(step.memo, tuple) else (None, None)
        await super().settle(call, Skip("", learnt), outcome, store)
        await self._again.settle(call, Skip("", more), outcome, store)

    async def aclose(self) -> None:
        """End the threads."""
        await super().aclose()
        await self._again.aclose()


def _numbered(call: Call) -> bool:
    """Whether a reference may name a message by its number: the model reads these and no others.

    Rounds with a tool of ours are put between them, and what a provider keeps before them.
    """
    if call.local is not None:
        return False
    return call.dialect is not Dialect.RESPONSES or not any(map(call.body.field, _KEPT_ELSEWHERE))


def _after(first: Sent, second: Sent) -> Sent:
    """A message with another form, in which something refers to an earlier one."""
    return second._replace(
        results=max(first.results, second.results),
        before=first.before + second.before,
        after=first.after + second.after,
    )


class _Recipe:
    """Results of tools, and what users paste where `pasted`."""

    piece = ""
    contextual = False

    def __init__(self, settings: Lossless.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self.version: tuple[object, ...] = ("lossless", VERSION)
        self._pasted = settings.pasted

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=self._pasted)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:  # noqa: ARG002 - a form has nothing to do with what was said before
        found = spots(dialect, raw, users=self._pasted)
        return [spot._replace(about=("pasted",)) if spot.pasted else spot for spot in found]

    def form(self, spot: Spot, count: Count) -> Form:
        return form(spot.text, count, self.rules, pasted=spot.pasted)
