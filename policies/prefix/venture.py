"""Where to set marks, as far as the balance so far allows what they may lose."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.base.terms import Terms
from policies.base.usage import Usage
from policies.prefix.account import Account, Bill, unwritten_risk, written_risk
from policies.prefix.placing import Placement, Point, beside, place, place_breakpoints
from policies.prefix.traffic import Traffic, Visit

_SLOTS = 4  # marks that Anthropic takes
_SURE = 1.1  # times the minimum: an estimate of so many tokens is not below it


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A request as it went: `cached` are the boundaries that were to be kept, by number."""

    visit: Visit
    cached: frozenset[int]
    implicit: bool
    terms: Terms


class Venture(msgspec.Struct, frozen=True, gc=False):
    """The marks to set, and what they may `risk` in tokens at the price of uncached input.

    `guess`: it is the tenant's one venture on what others' traffic has taught.
    """

    placed: Placement
    risk: float = 0.0
    guess: bool = False


class Books(msgspec.Struct, frozen=True, gc=False):
    """The account of one tenant's traffic to one model, and that of all."""

    own: Account
    all: Account

    def open(self, venture: Venture) -> None:
        """A request is sent."""
        self.own.venture(venture.risk, guess=venture.guess)
        self.all.venture(venture.risk)

    def close(self, venture: Venture) -> None:
        """It has been answered, or has failed."""
        self.own.close(venture.risk, guess=venture.guess)
        self.all.close(venture.risk)

    def book(self, sent: Sent, venture: Venture, usage: Usage | None, lifetime: float) -> None:
        """A request was answered, of a cache that keeps what it reads for `lifetime` seconds."""
        direct, paid = booked(sent, usage)
        if venture.guess:
            self.own.spend()
        for account in (self.own, self.all):
            if sent.implicit or sent.terms.rule != "openai_breakpoints":
                account.book(direct, paid)
            else:
                account.save(direct, paid, sent.visit.now, lifetime)


class Weigher:
    """Decides for one request, by what its `visit` of the `traffic` found."""

    def __init__(
        self, traffic: Traffic, points: Sequence[Point], visit: Visit, terms: Terms, gain: float
    ) -> None:
        """`gain`: see `pays`."""
        self._traffic = traffic
        self._points = points
        self._visit = visit
        self._terms = terms
        self._gain = gain

    def decide(self, books: Books) -> Venture:
        """Marks for a rule that is told by them."""
        if self._terms.rule == "openai_breakpoints":
            return self._breakpoints(books)
        return self._marks(books)

    def _marks(self, books: Books) -> Venture:
        """Where nothing is cached without a mark, going direct costs each token once."""
        terms, now = self._terms, self._visit.now
        marks, risk = self._placed(self._points)
        shown = self._visit.seen * (2.0 - terms.read - terms.write)
        if risk <= 0.0 or books.own.covers(risk, now, shown):
            return Venture(Placement(marks), max(0.0, risk))
        if not books.own.ventured:
            # Once for each tenant, and if it has others' traffic for it: up to what requests
            # have in common, or as far as a conversation has come that is under way.
            whole = self._visit.previous >= 0
            marks, risk = self._placed([p for p in self._points if whole or p.head])
            if marks and books.all.lends(risk, now):
                return Venture(Placement(marks), risk, guess=True)
        warm = max((p.block for p in self._points if p.warm), default=-1)
        marks, _ = self._placed([p for p in self._points if p.block <= warm])
        return Venture(Placement(marks))

    def _placed(self, points: Sequence[Point]) -> tuple[tuple[Point, ...], float]:
        marks = place(points, self._terms, self._gain, _SLOTS)
        return marks, written_risk(marks, points, self._terms)

    def _breakpoints(self, books: Books) -> Venture:
        """OpenAI marks the tail by itself: there it is a venture not to write."""
        points, terms = self._points, self._terms
        tail = points[self._visit.tail] if self._visit.tail >= 0 else None
        placed = place_breakpoints(points, tail, terms, self._gain)
        if placed.implicit or tail is None:
            return Venture(placed)
        risk = unwritten_risk(placed.marks, tail, terms)
        lost, reread = self._traffic.lost(self._visit)
        spared = lost * (terms.write - 1.0) - reread * (1.0 - terms.read)
        if books.own.covers(risk, self._visit.now, spared * tail.tokens):
            return Venture(placed, risk)
        return Venture(beside(points, tail, terms, self._gain))


def booked(sent: Sent, usage: Usage | None) -> tuple[float, float]:
    """What a request would have cost direct, and what it did, by its usage where reported."""
    visit, terms = sent.visit, sent.terms
    bill = _bill(sent, usage)
    total, paid = bill.uncached + bill.read + bill.write, bill.paid(terms)
    if terms.rule != "openai_breakpoints":
        return total, paid
    scale = total / visit.whole if visit.whole else 0.0
    lead = visit.lead * scale if visit.lead * scale >= terms.minimum else 0.0
    if sent.implicit:  # the same is kept, and what marks alone make readable is read, not written
        found = visit.tokens[visit.warm] if visit.warm >= 0 else 0.0
        more = max(0.0, bill.read - lead) if found > visit.lead else 0.0
        return paid + more * (terms.write - terms.read), paid
    tail = visit.tokens[visit.tail] * scale
    if tail < _SURE * terms.minimum:
        return paid, paid
    return total - tail + terms.read * lead + terms.write * (tail - lead), paid


def _bill(sent: Sent, usage: Usage | None) -> Bill:
    if usage is not None and not usage.estimated and usage.input:
        return Bill(usage.uncached, usage.read, usage.write)
    visit = sent.visit
    read = visit.tokens[visit.warm] if visit.warm >= 0 else 0.0
    kept = visit.tokens[max(sent.cached)] if sent.cached else 0.0
    write = max(0.0, kept - read)
    return Bill(max(0.0, visit.whole - read - write), read, write)
