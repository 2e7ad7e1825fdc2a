"""A route on which Penstock makes input dearer is switched to shadow by itself.

What an input token costs, its cache mix included, is compared between the conversations that
are edited and those that the hold-out leaves alone. Conversations are dealt into groups and
the groups compared, since the requests of one conversation are anything but independent.

The test may be looked at after every request: it is a mixture sequential test (Robbins 1970;
Waudby-Smith et al. 2021 for estimated variances) whose chance to accuse a route wrongly, ever,
is bounded. Its sums begin anew every so often, so that a route that turns bad late is judged
by what it does now; each new beginning has a smaller share of that chance.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from zlib import crc32

import msgspec

from policies.base.terms import Terms
from policies.base.usage import Usage

log = logging.getLogger("penstock.rollback")

GROUPS = 64
_ERROR = 0.01  # chance that a route which is not dearer is ever switched
_MARGIN = 0.02  # dearer by less is not worth a switch
_EXPECTED = 0.1  # the difference that is found fastest; others are found too
_FEWEST = 50  # requests of each side before anything is said
_EVEN = 16.0  # groups of each side that must carry weight, so that no giant decides alone
_EPOCH = 50_000  # requests after which the sums begin anew

Key = tuple[str, str]  # route and pipeline


class Side(msgspec.Struct, frozen=True, gc=False):
    """What one side was billed. `usd`: of input, at the prices that are known."""

    requests: int
    input: int
    read: int
    usd: float


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Why a route was switched. `dearer`: 0.1 where an input token cost 10 % more."""

    route: str
    pipeline: str
    dearer: float
    edited: Side
    heldout: Side


class Rollback:
    """Compares both sides of each route, and remembers which were switched until a reload.

    `switched` is told once of each. One per generation of the configuration.
    """

    def __init__(self, switched: Callable[[Finding], object] = lambda _: None) -> None:
        self._switched = switched
        self._trials: dict[Key, _Trial] = {}
        self._shadowed: set[Key] = set()

    def shadowed(self, route: str, pipeline: str) -> bool:
        """Whether edits on this route are to be planned only."""
        return (route, pipeline) in self._shadowed

    def observe(self, key: Key, observed: Observed, *, holdout: bool) -> None:
        """Add a finished request; one whose usage was not reported says nothing."""
        if observed.usage.estimated or not observed.usage.input or key in self._shadowed:
            return
        trial = self._trials.get(key)
        if trial is None:
            trial = self._trials[key] = _Trial()
        dearer = trial.add(observed, holdout=holdout)
        if dearer is None:
            return
        self._shadowed.add(key)
        del self._trials[key]
        finding = Finding(*key, dearer, trial.edited.side(), trial.heldout.side())
        log.warning(
            "route %s, pipeline %s: input costs %.0f%% more with edits than without; "
            "they are planned only (shadow) until the configuration is reloaded",
            *(*key, 100 * dearer),
        )
        self._switched(finding)

    def sides(self, route: str, pipeline: str) -> tuple[Side, Side] | None:
        """Edited and held out, since the sums last began; None where nothing was seen."""
        trial = self._trials.get((route, pipeline))
        return None if trial is None else (trial.edited.side(), trial.heldout.side())


class Observed(msgspec.Struct, frozen=True, gc=False):
    """A finished request. `unit`: what the hold-out draws by, any bytes of a conversation.

    `removed`: tokens that edits took away. They count as input that cost nothing: otherwise
    whoever removes what is cheap would look dear.
    """

    unit: bytes
    usage: Usage
    terms: Terms
    removed: int = 0


class _Trial:
    """Both sides of one route."""

    def __init__(self) -> None:
        self.edited = _Sums()
        self.heldout = _Sums()
        self._epoch = 1

    def add(self, observed: Observed, *, holdout: bool) -> float | None:
        """How much dearer the edited side is, once that is certain."""
        (self.heldout if holdout else self.edited).add(observed)
        found = self._dearer()
        if found is None and self.edited.requests + self.heldout.requests >= _EPOCH:
            self.edited, self.heldout = _Sums(), _Sums()
            self._epoch += 1
        return found

    def _dearer(self) -> float | None:
        if not (self.edited.enough() and self.heldout.enough()):
            return None
        usual, usual_spread = self.heldout.price()
        price, spread = self.edited.price()
        bound = usual * (1 + _MARGIN)
        excess = price - bound
        if excess <= 0:
            return None
        variance = spread + (1 + _MARGIN) ** 2 * usual_spread
        # Shares of 1/n(n+1) sum to 1 over all epochs.
        error = _ERROR / (self._epoch * (self._epoch + 1))
        if _evidence(excess, variance, _EXPECTED * price) < -math.log(error):
            return None
        return price / usual - 1 if usual else math.inf


class _Sums:
    """Prices and tokens by group, with what a ratio estimate and its variance need."""

    def __init__(self) -> None:
        self.requests = 0
        self._paid = [0.0] * GROUPS
        self._tokens = [0.0] * GROUPS
        self._pp = self._pt = self._tt = 0.0  # sums of squares and products over groups
        self._input = self._read = 0
        self._usd = 0.0

    def add(self, observed: Observed) -> None:
        usage, terms = observed.usage, observed.terms
        paid = usage.uncached + terms.read * usage.read + terms.write * usage.write
        tokens = usage.input + observed.removed
        group = crc32(observed.unit) % GROUPS
        had, of = self._paid[group], self._tokens[group]
        self._pp += paid * (2 * had + paid)
        self._tt += tokens * (2 * of + tokens)
        self._pt += had * tokens + of * paid + paid * tokens
        self._paid[group] = had + paid
        self._tokens[group] = of + tokens
        self.requests += 1
        self._input += usage.input
        self._read += usage.read
        self._usd += paid * (terms.input or 0.0)

    def enough(self) -> bool:
        """Whether an estimate can be trusted to be near normal."""
        return self.requests >= _FEWEST and sum(self._tokens) ** 2 >= _EVEN * self._tt

    def price(self) -> tuple[float, float]:
        """Paid per token, relative to the input price, and the variance of that."""
        paid, tokens = sum(self._paid), sum(self._tokens)
        ratio = paid / tokens
        scatter = self._pp - 2 * ratio * self._pt + ratio**2 * self._tt
        return ratio, max(scatter, 0.0) * GROUPS / (GROUPS - 1) / tokens**2

    def side(self) -> Side:
        return Side(self.requests, self._input, self._read, self._usd)


def _evidence(excess: float, variance: float, scale: float) -> float:
    """The logarithm of the likelihood ratio, mixed over excesses of about `scale`."""
    if variance <= 0:
        return math.inf
    prior = scale**2
    total = variance + prior
    drawn = excess**2 * prior / (variance * total)
    above = 1 + math.erf(math.sqrt(drawn / 2))  # the mixture has no half below zero
    return 0.5 * (math.log(variance / total) + drawn) + math.log(above)
