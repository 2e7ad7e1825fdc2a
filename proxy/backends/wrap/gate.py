"""The first of many calls with one long prefix goes ahead; the others read what it wrote.

Where an entry can be read only once the first reply has begun, N calls that arrive together
all pay for writing the same prefix. Anthropic says so of its marks; OpenAI bills writes from
gpt-5.6 on. Providers that bill no writes are not worth a wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import Field

from policies.base.call import OPAQUE, Call, Dialect
from policies.base.policy import Strict
from policies.base.ports import Backend
from policies.base.reply import Reply
from policies.base.terms import Terms
from policies.base.units import Duration
from proxy.backends.wrap.entries import BYTES_PER_TOKEN, Prefix, matched, written

RULES = frozenset({"anthropic_marks", "openai_breakpoints"})

_UNPUBLISHED = 300.0  # seconds that an entry is kept where the provider names no time
_REMEMBERED = 16_384  # prefixes known to be warm

_Scope = tuple[str, str]  # tenant and model: they share no entries with others


class GateSettings(Strict):
    """`wait`: the longest that a call is held; `waiters`: how many one call may hold up."""

    wait: Duration = 2.0
    waiters: int = Field(default=1000, ge=0)


class Gate:
    """Sends at once what shares no cold prefix with a call whose reply has not begun.

    `clock` gives seconds, for the lifetimes of entries.
    """

    def __init__(
        self,
        inner: Backend,
        terms: Callable[[Call], Terms],
        settings: GateSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._terms = terms
        self._settings = settings or GateSettings()
        self._clock = clock
        self._crowds: dict[_Scope, _Crowd] = {}
        self._warm: OrderedDict[tuple[_Scope, bytes], float] = OrderedDict()  # until when

    def send(self, call: Call) -> Coroutine[Any, Any, Reply]:
        """The reply, perhaps after another call's has begun."""
        terms = self._terms(call)
        if terms.rule not in RULES or not _concerns(call, terms):
            return self._inner.send(call)
        return self._in_turn(call, terms)

    async def _in_turn(self, call: Call, terms: Terms) -> Reply:
        scope = (call.tenant, call.model)
        if scope in self._crowds and _may_wait(call):
            await self._wait(call, terms, scope)
        crowd = self._crowds.get(scope)  # another one, perhaps, than before the wait
        if crowd is None:
            crowd = self._crowds[scope] = _Crowd()
        flight = _Flight(call, terms)
        crowd.join(flight)
        try:
            reply = await self._inner.send(call)
            if reply.status < 300:
                self._note(scope, flight)
            return reply
        finally:  # the head is there, or there will be none: the others look again
            crowd.leave(flight)
            if not crowd.size:
                del self._crowds[scope]

    async def _wait(self, call: Call, terms: Terms, scope: _Scope) -> None:
        """Wait while another call writes what this one could read; not beyond the limit.

        When the first has failed, those who wait run one after the other: one of them finds
        nobody ahead and is the first by the time that the next one looks.
        """
        settings, controls = self._settings, call.controls
        patience = settings.wait if controls.max_wait is None else controls.max_wait
        loop = asyncio.get_running_loop()
        until = loop.time() + min(settings.wait, patience)
        wanted = matched(call, terms)
        while (ahead := self._ahead(wanted, terms, scope)) is not None:
            if loop.time() >= until or len(ahead.waiters) >= settings.waiters:
                return
            waiter = loop.create_future()
            ahead.waiters.add(waiter)
            try:
                async with asyncio.timeout_at(until):
                    await waiter
            except TimeoutError:
                return
            finally:
                ahead.waiters.discard(waiter)

    def _ahead(self, wanted: list[Prefix], terms: Terms, scope: _Scope) -> _Flight | None:
        """The call that writes the longest of these prefixes, if that is worth a wait."""
        crowd = self._crowds.get(scope)
        if crowd is None:
            return None
        warm = self._warmth(wanted, scope)
        for chain, tokens in reversed(wanted):
            if tokens - warm < max(terms.minimum, 1):
                return None
            writer = crowd.writers().get(chain)
            if writer is not None:
                return writer
        return None

    def _warmth(self, wanted: list[Prefix], scope: _Scope) -> float:
        """How many tokens can be read already."""
        now = self._clock()
        for chain, tokens in reversed(wanted):
            if self._warm.get((scope, chain), 0.0) > now:
                return tokens
        return 0.0

    def _note(self, scope: _Scope, flight: _Flight) -> None:
        """What the call wrote is warm now, if it is known without reading the body for it."""
        if flight.prefixes is None and flight.call.body.blocks is None:
            return
        terms = flight.terms
        until = self._clock() + (_UNPUBLISHED if terms.lifetime is None else terms.lifetime)
        for chain, _ in flight.written():
            self._warm[scope, chain] = until
            self._warm.move_to_end((scope, chain))
        while len(self._warm) > _REMEMBERED:
            self._warm.popitem(last=False)

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()


class _Flight:
    """A call whose reply has not begun, and those who wait for that."""

    __slots__ = ("call", "prefixes", "terms", "waiters")

    def __init__(self, call: Call, terms: Terms) -> None:
        self.call = call
        self.terms = terms
        self.waiters: set[asyncio.Future[None]] = set()
        self.prefixes: list[Prefix] | None = None

    def written(self) -> list[Prefix]:
        if self.prefixes is None:
            self.prefixes = written(self.call, self.terms)
        return self.prefixes


class _Crowd:
    """The flights of one tenant to one model. While one is alone, its body is not read."""

    __slots__ = ("_unread", "_writers", "size")

    def __init__(self) -> None:
        self.size = 0
        self._unread: list[_Flight] = []
        self._writers: dict[bytes, _Flight] = {}

    def join(self, flight: _Flight) -> None:
        self.size += 1
        self._unread.append(flight)

    def writers(self) -> dict[bytes, _Flight]:
        """Who writes a prefix, by its chain; the first who does."""
        for flight in self._unread:
            for chain, _ in flight.written():
                self._writers.setdefault(chain, flight)
        self._unread.clear()
        return self._writers

    def leave(self, flight: _Flight) -> None:
        self.size -= 1
        if flight in self._unread:
            self._unread.remove(flight)
        else:
            for chain, _ in flight.written():
                if self._writers.get(chain) is flight:
                    del self._writers[chain]
        for waiter in flight.waiters:
            if not waiter.done():
                waiter.set_result(None)


def _concerns(call: Call, terms: Terms) -> bool:
    """Whether the call can write an entry that is worth a wait."""
    long = len(call.body.raw) >= terms.minimum * BYTES_PER_TOKEN
    return long and call.dialect not in (OPAQUE, Dialect.EMBEDDINGS)


def _may_wait(call: Call) -> bool:
    controls = call.controls
    if controls.bypasses("prefix") or controls.bypasses("batch"):
        return False
    return not controls.urgent
