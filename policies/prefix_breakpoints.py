"""Mark a prompt where its provider's cache should keep it, and send it to where it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect, Headers
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Store, View
from policies.base.prompt import Block, Fields, blocks, fields, reading
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Size
from policies.prefix.acceptance import Accepted, accepted
from policies.prefix.affinity import cache_key, cache_salt, session_id
from policies.prefix.boundaries import boundaries
from policies.prefix.instructions import as_item
from policies.prefix.keys import Asked, Keys, started
from policies.prefix.marking import CannotPlace, Marking, inserted
from policies.prefix.memory import Memory
from policies.prefix.placing import Placement, Point
from policies.prefix.refused import Refused
from policies.prefix.traffic import Visit
from policies.prefix.venture import Sent, Venture, Weigher

_MARKS = {
    "cache_control": b'"cache_control":{"type":"ephemeral"}',
    "prompt_cache_breakpoint": b'"prompt_cache_breakpoint":{"mode":"explicit"}',
}
_EXPLICIT = "prompt_cache_options", b'{"mode":"explicit"}'
_GONE = 499  # the client has hung up: what it asked for may be written, and is paid for
_SHORT_WAIT = 1.0  # seconds: who waits less long cannot count on another's reply


class _Memo(msgspec.Struct, frozen=True, gc=False):
    """From planning to settling. `writes`: what many prompts have in common, too."""

    sent: Sent
    venture: Venture
    writes: bool


class _Prompt(msgspec.Struct, frozen=True, gc=False):
    """What is known of a request: its fields, its blocks, and those where prompts may part."""

    top: Fields
    found: Sequence[Block]
    points: Sequence[Point]
    visit: Visit


@policy("prefix.breakpoints")
class Breakpoints(Base):
    """Sets cache marks, keys and affinity headers where the client has set none of them.

    Learns from the traffic of each (tenant, route, model), of which it keeps digests only,
    what is read again within the cache's lifetime. Nothing that the model sees changes: a text
    that may carry a mark goes as the one part of a list, in every request alike.
    """

    effect: ClassVar = Effect.EXACT

    class Settings(Strict):
        """`memory`: for all that is learnt. `min_gain`: what a mark must save, of its tokens."""

        memory: Size = 64_000_000
        min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __init__(self, settings: Settings) -> None:
        self._gain = settings.min_gain
        self._memory = Memory(settings.memory)
        self._keys = Keys()
        self._refused = Refused()

    def idle(self, call: Call, terms: Terms) -> str:
        """What is too short to be cached needs no mark and no key."""
        return "too short to be cached" if terms.too_short(len(call.body.raw)) else ""

    def reads(self, call: Call, terms: Terms) -> bool:
        """Not where a key is all that the upstream takes."""
        takes = accepted(call.dialect, terms)
        return takes != Accepted() and bool(takes.mark or not takes.key)

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` with what the upstream takes of marks, keys and headers; else `Skip`."""
        terms = view.terms(call)
        takes = accepted(call.dialect, terms)
        if takes == Accepted():
            return Skip("no cache fields for this upstream")
        if takes.key and not takes.mark:
            return await self._keyed(call, takes, view)
        why = _closed(call)
        if why:
            return Skip(why)
        takes = takes.without(await self._refused.fields(call, view.store, view.now))
        if takes.mark:
            return self._followed(call, takes, terms, view.now)
        if takes.key:
            return await self._keyed(call, takes, view)
        return _named(call, takes, blocks(call) or ())

    async def _keyed(self, call: Call, takes: Accepted, view: View) -> Step:
        """A key is all that the upstream takes: the prompt need not be read to its end."""
        if not call.doc().keys().isdisjoint(_OWN):
            return Skip("set by the client")
        start = started(call)
        if start is None:
            return Skip("unknown shape")
        if takes.key in await self._refused.fields(call, view.store, view.now):
            return Skip("refused by the upstream")
        asked = self._keys.asked(call, start, view.now)
        key = self._keys.of(asked, start)
        body = inserted(call.body.raw, (), {takes.key: f'"{key}"'.encode()})
        return Edit(body, Effect.EXACT, "affinity", memo=asked, revocable=takes.fields)

    def _followed(self, asked: Call, takes: Accepted, terms: Terms, now: float) -> Step:
        """What depends on the traffic that the request is part of."""
        call = as_item(asked, terms) if takes.mark == "prompt_cache_breakpoint" else asked
        top, found = fields(call), blocks(call)
        if top is None or found is None:
            return Skip("unknown shape")
        traffic, books = self._memory.look(call, terms)
        at = boundaries(found, turns=terms.rule != "anthropic_marks", read=reading(call))
        points, visit = traffic.survey(found, at, now, waits=_waits(call))
        prompt = _Prompt(top, found, points, visit)
        venture = Weigher(traffic, points, visit, terms, self._gain).decide(books)
        placed = venture.placed
        if not (placed.implicit or takes.options):
            placed = Placement(placed.marks[-3:])  # the fourth is OpenAI's own
        try:
            body = _written(call, takes, prompt, placed)
        except CannotPlace:
            return Skip("cannot be marked with certainty")
        cached = _cached(takes, prompt, placed)
        writes = bool(cached) and max(cached) >= visit.head
        memo = _Memo(Sent(visit, cached, placed.implicit, terms), venture, writes)
        if body is None and call is asked:
            return Skip("nothing to mark", memo)
        why = f"{len(placed.marks)} marks"
        return Edit(body or call.body, Effect.EXACT, why, memo=memo, revocable=takes.fields)

    def depart(self, call: Call, step: Step) -> None:
        """Others count on what this request writes, and not on what it may lose."""
        memo = step.memo
        if isinstance(memo, _Memo):
            traffic = self._memory.traffic(call, memo.sent.terms)
            traffic.depart(memo.sent.visit, writes=memo.writes)
            self._memory.books(call).open(memo.venture)

    def land(self, call: Call, step: Step) -> None:
        """They do so no longer."""
        memo = step.memo
        if isinstance(memo, _Memo):
            self._memory.traffic(call, memo.sent.terms).land(memo.sent.visit)
            self._memory.books(call).close(memo.venture)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Learn what was visited and what was cached, or that the upstream rejects the fields."""
        memo = step.memo
        if isinstance(memo, _Memo):
            self._learn(call, memo, outcome)
        elif isinstance(memo, Asked) and not outcome.revoked:
            self._keys.count(memo)
        if outcome.revoked:
            await self._refused.add(call, outcome.revoked, store)

    def _learn(self, call: Call, memo: _Memo, outcome: Outcome) -> None:
        """What came of a request that was followed."""
        answered = 200 <= outcome.status < 300
        if outcome.revoked or outcome.collapsed or not (answered or outcome.status == _GONE):
            return
        sent = memo.sent
        traffic = self._memory.traffic(call, sent.terms)
        if answered:
            traffic.learn(sent.visit, sent.cached, outcome.usage)
        if outcome.applied:
            self._memory.books(call).book(sent, memo.venture, outcome.usage, traffic.lifetime)


def _waits(call: Call) -> bool:
    """Whether the request may be held while another writes what it would read."""
    controls = call.controls
    if controls.urgent or controls.bypasses("batch"):
        return False
    return controls.max_wait is None or controls.max_wait >= _SHORT_WAIT


def _closed(call: Call) -> str:
    """Why nothing of ours is added: the client sees to its caching itself, if only in part."""
    top, found = fields(call), blocks(call)
    if top is None or found is None:
        return "unknown shape"
    own = any(map(top.has, _OWN)) or any(block.marked for block in found)
    return "set by the client" if own else ""


_OWN = (
    *("cache_control", "cache_salt", "prompt_cache_key", "prompt_cache_options"),
    "prompt_cache_retention",
)


def _named(call: Call, takes: Accepted, found: Sequence[Block]) -> Step:
    """What needs no knowledge of traffic: a salt, or a session's name."""
    if takes == Accepted():
        return Skip("refused by the upstream")
    more = {takes.salt: f'"{cache_salt(call.tenant)}"'.encode()} if takes.salt else {}
    body = inserted(call.body.raw, (), more) if more else call.body
    headers = _headers(call, takes, found)
    return Edit(body, Effect.EXACT, "affinity", headers=headers, revocable=takes.fields)


def _written(call: Call, takes: Accepted, prompt: _Prompt, placed: Placement) -> Body | None:
    """The body with marks and fields, None where it stays. May raise `CannotPlace`."""
    raw, visit = call.body.raw, prompt.visit
    more: dict[str, bytes] = {}
    if takes.key:
        conversation = _conversation(call, prompt.found)
        head = visit.keys[visit.head] if visit.head >= 0 else conversation
        key = cache_key((call.tenant, call.model), head, conversation, visit.shards)
        more[takes.key] = f'"{key}"'.encode()
    if not placed.implicit:
        more[_EXPLICIT[0]] = _EXPLICIT[1]
    if takes.mark and any(block.markable for block in prompt.found):
        kind = "input_text" if call.dialect is Dialect.RESPONSES else "text"
        numbers = [point.block for point in placed.marks]
        marking = Marking(kind, _MARKS[takes.mark], numbers)
        return inserted(raw, marking.inserts(raw, prompt.top, prompt.found, reading(call)), more)
    return inserted(raw, (), more) if more else None


def _cached(takes: Accepted, prompt: _Prompt, placed: Placement) -> frozenset[int]:
    """The boundaries up to which the provider should keep the prompt, by their numbers."""
    marked = {point.block for point in placed.marks}
    kept = {number for number, point in enumerate(prompt.points) if point.block in marked}
    if takes.mark == "prompt_cache_breakpoint" and placed.implicit and prompt.visit.tail >= 0:
        kept.add(prompt.visit.tail)
    return frozenset(kept)


def _headers(call: Call, takes: Accepted, found: Sequence[Block]) -> Headers:
    if not takes.header:
        return ()
    session = session_id(call.tenant, _conversation(call, found))
    return ((takes.header, session.encode()),)


def _conversation(call: Call, found: Sequence[Block]) -> bytes:
    """What stays the same for all turns of a conversation: its session, or how it opens."""
    if call.controls.session:
        return call.controls.session.encode()
    opening = next((block for block in found if block.place == "message"), None)
    return opening.chain if opening is not None else b""
