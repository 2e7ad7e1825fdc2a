"""Long tool results by an extract; the model may ask for the original, and gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter, time
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import policy
from policies.base.ports import Count, Store, View
from policies.base.prompt_memo import Memo
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms as Caching
from policies.base.units import Duration
from policies.compress.freeze import FreezeSettings, Frozen, There
from policies.compress.freeze_form import Form, Rules, Short, shortened
from policies.compress.freeze_places import Message, Spot, signs, spots
from policies.compress.freeze_sent import Sent
from policies.compress.freeze_sight import NEVER
from policies.compress.stash_extract import extract
from policies.compress.stash_offer import definitions, offer, with_tool
from policies.compress.stash_original import (
    Original,
    Terms,
    key_of,
    marker,
    name_of,
    results,
)
from policies.compress.text_protected import looks_like_code_or_diff

_VERSION = 6  # of extracts and markers: what an older one has sent is sent no more
_CHARACTERS = 4  # of a token, by estimate
_LARGEST = 500_000  # characters of a text that is looked at for what it tells
_INLINE = 512 * 1024  # bytes of a request that may be looked through on the event loop
_REMEMBERED = 16_384  # messages whose originals are known to be stored
T = TypeVar("T")


@policy("compress.stash")
class Stash(Frozen):
    """Replaces long tool results, each once, and offers the model a tool to read them whole.

    `lossy`, since the model reads less unless it asks. The original is stored for the tenant
    for `ttl` without use. The tool is offered from the first turn on, wherever the client has
    tools; `proxy.backends.wrap.rounds` answers it.
    """

    effect: ClassVar = Effect.LOSSY
    local_tools: ClassVar = True

    class Settings(FreezeSettings):
        """`min_tokens` of a text, `min_gain` the share of them that must go.

        `extract` and `page` in tokens: of what stays in the message, and of what one call of
        the `tool` is given at most. `names`: also which values stand in what is left out.
        `rounds`: calls answered within one request. `budget`: for texts that are new. `memory`:
        bytes kept at hand; `ttl`: how long an original is kept after its last use.
        """

        min_tokens: Annotated[int, Field(ge=1)] = 1500
        min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.5
        ttl: Annotated[Duration, Field(gt=0)] = 7 * 86400.0
        extract: Annotated[int, Field(ge=0)] = 300
        names: bool = True
        page: Annotated[int, Field(ge=100)] = 20_000
        rounds: Annotated[int, Field(ge=1, le=32)] = 4
        tool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "read_original"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _Recipe(settings))
        page = settings.page * _CHARACTERS
        self._terms = Terms(settings.tool, settings.rounds, page, settings.ttl)
        self._definitions = definitions(settings.tool)
        self._stored: Memo[tuple[str, int, int], float] = Memo(_REMEMBERED)  # until when

    def idle(self, call: Call, terms: Caching) -> str:  # noqa: ARG002 - the contract's
        """The tool is offered also where there is nothing to shorten yet."""
        return ""

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` wherever the tool can be offered, texts or no texts."""
        raw = call.body.raw
        offered = await _apart(len(raw), partial(offer, call, self._terms.name))
        if offered.why:
            return Skip(offered.why)
        # Where the model cannot ask in this turn, what is new goes whole, now and later.
        until = perf_counter() + self.settings.budget if offered.free else NEVER
        step = await self.look(call, view, until)
        shorter = step if isinstance(step, Edit) else None
        definition = self._definitions[call.dialect]
        cost = -(-len(definition) // _CHARACTERS)
        shown = shorter.body.raw if shorter else raw
        body = Body(await _apart(len(shown), partial(with_tool, shown, definition)))
        why = f"{shorter.why}, with a tool to read them" if shorter else "a tool is offered"
        before = (shorter.tokens_before or 0) if shorter else 0
        after = cost + ((shorter.tokens_after or 0) if shorter else 0)
        local = Original(self._terms, call.dialect, raw)
        return Edit(body, Effect.LOSSY, why, before, after, step.memo, local=local)

    async def forms(
        self, call: Call, view: View, there: There, until: float
    ) -> tuple[list[tuple[Message, Sent]], object]:
        """What is to be stored are forms, and of the messages that go otherwise the originals."""
        found, learnt = await super().forms(call, view, there, until)
        return found, (learnt, [message.raw for message, _ in found])

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Store what was learnt, and the originals of what was sent as an extract."""
        if not isinstance(step, Edit) or not isinstance(step.memo, tuple):
            return
        learnt, changed = step.memo
        await super().settle(call, Skip("", learnt), outcome, store)
        if not outcome.applied:
            return
        now, ttl = time(), self.settings.ttl
        for raw in changed:
            name = (call.tenant, hash(raw), len(raw))
            if (self._stored.get(name) or 0.0) > now + ttl / 2:
                continue
            least = self.settings.min_tokens  # a token has a byte at least
            for key, value in await asyncio.to_thread(_originals, call.dialect, raw, least):
                await store.put(key, value, ttl, call.model)
            self._stored.put(name, now + ttl)


async def _apart(size: int, work: Callable[[], T]) -> T:
    """The result of `work` on `size` bytes, in a thread where that takes a millisecond."""
    return work() if size <= _INLINE else await asyncio.to_thread(work)


def _originals(dialect: Dialect, raw: bytes, least: int) -> list[tuple[bytes, bytes]]:
    """The texts of a message that may have been replaced, of so many bytes, with their keys."""
    texts = [(text, text.encode("utf-8", "surrogatepass")) for text in results(dialect, raw)]
    return [(key_of(name_of(text)), value) for text, value in texts if len(value) >= least]


class _Recipe:
    """Results of tools that are neither code nor a diff."""

    piece = "part"
    contextual = False

    def __init__(self, settings: Stash.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        kind = (settings.extract, settings.names, settings.tool)
        self.version: tuple[object, ...] = ("stash", _VERSION, *kind)
        self._size = settings.extract * _CHARACTERS
        self._names = settings.names
        self._tool = settings.tool

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=False)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:  # noqa: ARG002 - a form has nothing to do with what was said before
        return spots(dialect, raw, users=False)

    def form(self, spot: Spot, count: Count) -> Form:
        def make() -> Short | None:
            text = spot.text
            if len(text) > _LARGEST or looks_like_code_or_diff(text):
                return None
            told, shown, of = extract(text, self._size, names=self._names)
            return Short(marker(name_of(text), self._tool, shown, of) + told, of - shown)

        return shortened(spot.text, count, self.rules, make)
