"""What caching has cost a tenant against going direct, and how much it may venture on a guess."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec

from policies.base.terms import Terms
from policies.prefix.placing import Point

_SHARE = 0.005  # of what going direct would have cost: may be lost in the long run, and only
_FLOOR = 4.0  # on losses of this many requests, where traffic shows what would have paid
_STEPS = 16  # in which savings of a lifetime come to count
LOAN = 4096.0  # that one request may lose before anything is known, in the whole process


class Account:
    """All amounts in tokens at the price of uncached input.

    `gained`: what going direct would have cost, less what was paid. A write that is not read
    again makes it smaller. What is ventured must be covered by it or, within limits, by what
    the traffic itself has just shown. So losses are bounded, whatever guesses are worth.
    """

    __slots__ = ("_direct", "_guesses", "_open", "_under_way", "_unripe", "_ventured", "gained")

    def __init__(self) -> None:
        self.gained = 0.0
        self._ventured = False  # on a guess from others' traffic: once
        self._guesses = 0  # such requests under way
        self._direct = 0.0
        self._under_way = 0  # requests that risk something and have not been answered
        self._open = 0.0  # what they risk
        self._unripe: list[tuple[float, float]] = []  # when, and how much

    @property
    def ventured(self) -> bool:
        """Whether the one venture on what others' traffic has taught is made, or under way."""
        return self._ventured or self._guesses > 0

    def covers(self, risk: float, now: float, shown: float = 0.0) -> bool:
        """Whether so much may be lost. `shown`: what the same guess would have saved lately."""
        left = self._left(now)
        if left >= risk:
            return True
        return shown - self._open >= risk and left + _SHARE * self._direct >= -_FLOOR * risk

    def lends(self, risk: float, now: float) -> bool:
        """Whether nothing is owed, so that a little, or what is covered, may be lost on a guess."""
        left = self._left(now)
        return left >= risk or (left >= 0.0 and risk <= LOAN)

    def _left(self, now: float) -> float:
        while self._unripe and self._unripe[0][0] <= now:
            self.gained += self._unripe.pop(0)[1]
        return self.gained - self._open

    def venture(self, risk: float, *, guess: bool = False) -> None:
        """A request is sent that may lose so much; `guess`: it is the one venture."""
        if risk:
            self._open += risk
            self._under_way += 1
            self._guesses += guess

    def close(self, risk: float, *, guess: bool = False) -> None:
        """It has been answered, or has failed."""
        if risk and self._under_way:
            self._under_way -= 1
            self._guesses -= guess
            # Sums of fractions need not come back to the nought that loans ask for.
            self._open = self._open - risk if self._under_way else 0.0

    def spend(self) -> None:
        """The one venture was answered."""
        self._ventured = True

    def book(self, direct: float, paid: float) -> None:
        """What a request would have cost, and what it did."""
        self._direct += direct
        self.gained += direct - paid

    def save(self, direct: float, paid: float, now: float, lifetime: float) -> None:
        """As `book`, of what may have to be paid after all until a lifetime has passed."""
        if paid >= direct:
            self.book(direct, paid)
            return
        self._direct += direct
        step = lifetime / _STEPS
        ripe = step * ceil((now + lifetime) / step)
        if self._unripe and self._unripe[-1][0] >= ripe:
            ripe, more = self._unripe.pop()
            self._unripe.append((ripe, more + direct - paid))
        else:
            self._unripe.append((ripe, direct - paid))


class Bill(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one request by price, as reported or as expected."""

    uncached: float
    read: float
    write: float

    def paid(self, terms: Terms) -> float:
        """In tokens at the price of uncached input."""
        return self.uncached + terms.read * self.read + terms.write * self.write


def written_risk(marks: Sequence[Point], points: Sequence[Point], terms: Terms) -> float:
    """What these marks lose if nothing that they write is ever read; below 0: nothing."""
    if not marks:
        return 0.0
    last = marks[-1]
    read = max((p.tokens for p in points if p.warm and p.block <= last.block), default=0.0)
    return (last.tokens - read) * (terms.write - 1.0) - read * (1.0 - terms.read)


def unwritten_risk(marks: Sequence[Point], tail: Point, terms: Terms) -> float:
    """What it loses to leave the tail unwritten, if the next request goes on from there."""
    kept = marks[-1].tokens if marks else 0.0
    return max(0.0, tail.tokens - kept) * (1.0 - terms.read)
