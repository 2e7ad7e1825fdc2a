"""Where finished requests are written down: ledger rows and metrics, from the same entry."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter
from typing import Any

import msgspec

from policies.base.apart import apart
from policies.base.call import OPAQUE, Call
from policies.base.plan import Outcome, Plan
from policies.base.prompt import LONG, read_apart
from policies.base.reply import Recording
from policies.base.terms import SHORTEST
from policies.base.usage import Usage
from proxy.entry import LedgerEntry, Missed, entry_of
from proxy.fault import note
from proxy.guards.rollback import Finding
from proxy.ledger import Ledger
from proxy.metrics import Metrics
from proxy.prediction.predictions import Predictions
from proxy.prediction.why import why_missed
from proxy.prices import Prices
from proxy.tokens import Tokens
from proxy.wire.complete import inspect

_LINGER = 0.005  # seconds in which finished requests gather
_SHARE = 0.02  # of the loop's time that may go into predictions
_BURST = 0.02  # seconds of it that may be saved up
_TOGETHER = 32  # requests written down in one turn of the loop: below a millisecond


class Books:
    """Outlives reloads. Nothing here is ever awaited by a client, save `estimate`.

    Finished requests are written down several at once: code that has just run runs twice as
    fast, and no client's bytes wait behind it.
    """

    def __init__(self, ledger: Ledger, metrics: Metrics, prices: Prices, tokens: Tokens) -> None:
        self.prices = prices
        self.predictions = Predictions()
        self._allowance = _BURST
        self._looked = perf_counter()
        self._metrics = metrics
        self._ledger = ledger
        self._tokens = tokens
        self._counting: set[asyncio.Task[None]] = set()
        self._closed: deque[tuple[Plan, Outcome, float]] = deque()

    @property
    def metrics(self) -> Metrics:
        """The metrics, with all requests in them that have ended."""
        self._write_all()
        return self._metrics

    def close(self, plan: Plan, outcome: Outcome, texts: list[str]) -> None:
        """Account for a finished request; its reply's `texts` are counted if need be."""
        started = time.time() - outcome.total
        count = outcome.usage is None and texts and plan.call.dialect is not OPAQUE
        if count or len(plan.call.body.raw) > LONG:
            self._later(self._look(plan, outcome, started, texts if count else None))
        else:
            self._write(plan, outcome, started)

    async def _look(
        self, plan: Plan, outcome: Outcome, started: float, texts: list[str] | None
    ) -> None:
        """Find out in threads what takes long to find out."""
        call = plan.call
        try:
            if texts is not None:
                doc = await apart(call.doc)
                usage = await self._tokens.usage(call.model, call.dialect, doc, texts)
                outcome = msgspec.structs.replace(outcome, usage=usage)
            if len(call.body.raw) > LONG and _reads(plan, outcome) and self._affords():
                begun = perf_counter()
                await read_apart(call)
                self._spend(begun)
        except Exception as error:  # noqa: BLE001 - a request is accounted for, come what may
            note(error)
        self._write(plan, outcome, started)

    def _write(self, plan: Plan, outcome: Outcome, started: float) -> None:
        if not self._closed:
            asyncio.get_running_loop().call_later(_LINGER, self._write_some)
        self._closed.append((plan, outcome, started))

    def _write_some(self) -> None:
        self._write_down(_TOGETHER)
        if self._closed:
            asyncio.get_running_loop().call_soon(self._write_some)

    def _write_all(self) -> None:
        self._write_down(len(self._closed))

    def _write_down(self, most: int) -> None:
        closed = self._closed
        for _ in range(min(most, len(closed))):
            plan, outcome, started = closed.popleft()
            try:
                price = self.prices.of(plan.call.model)
                missed = self._missed(plan, outcome, started)
                entry = entry_of(plan, outcome, price, started, missed)
                self._ledger.record(entry)
                self._metrics.observe(plan, outcome, entry)
            except Exception as error:  # noqa: BLE001 - one request's fault must not lose the others'
                note(error)

    def _missed(self, plan: Plan, outcome: Outcome, started: float) -> Missed:
        """What the provider's cache should have read of the prompt, and why it did not."""
        call, terms = plan.call, plan.terms
        long = len(call.body.raw) > LONG  # then it has been read, unless there was no time for it
        if not _reads(plan, outcome) or not (call.body.blocks if long else self._affords()):
            return Missed()
        begun = perf_counter()
        ready = outcome.total if outcome.first_byte is None else outcome.first_byte
        sent = started + outcome.overhead
        found = self.predictions.settle(call, terms, outcome.usage, sent, started + ready)
        self._spend(begun)
        if found is None:
            return Missed()
        return Missed(found.cached, why_missed(found, outcome.usage))

    def _affords(self) -> bool:
        """Whether there is time for a prediction: a busy loop has better things to do."""
        now = perf_counter()
        self._allowance = min(_BURST, self._allowance + _SHARE * (now - self._looked))
        self._looked = now
        return self._allowance > 0

    def _spend(self, begun: float) -> None:
        """Account for it. One long body does not cost the others theirs for long."""
        self._allowance = max(-_BURST, self._allowance - (perf_counter() - begun))

    def counter(self, model: str) -> Callable[[str], int]:
        """Counts the tokens of a text as a model does; for threads."""
        return self._tokens.counter(model)

    async def count(self, model: str, texts: Sequence[str]) -> list[int]:
        """The tokens of each text; guesses where too many wait for theirs."""
        return await self._tokens.count_texts(model, texts)

    async def estimate(self, call: Call, recording: Recording) -> Usage:
        """Count what an upstream did not report."""
        finding = inspect(call.dialect, recording.headers, recording.body, recording.stream)
        return await self._tokens.usage(call.model, call.dialect, call.doc(), finding.text)

    def unplanned(self, status: int, entry: LedgerEntry | None) -> None:
        """A request that never became a plan; see `proxy.unplanned`."""
        self._metrics.refused(status)
        if entry is not None:
            self._ledger.record(entry)

    def drifted(self) -> None:
        """A turn would not have begun with what was sent for the turn before it."""
        self._metrics.prefix_drift()

    def rolled_back(self, finding: Finding) -> None:
        """A route's edits made its input dearer, and are only planned from now on."""
        self._metrics.rolled_back(finding.route, finding.pipeline)

    def policy_failed(self, policy: str) -> None:
        """A policy raised or ran late."""
        self._metrics.policy_error(policy)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def aclose(self) -> None:
        """Finish counting and writing."""
        if self._counting:
            await asyncio.wait(self._counting)
        self.metrics.flush()
        self._tokens.close()
        await asyncio.to_thread(self._ledger.close)


def _reads(plan: Plan, outcome: Outcome) -> bool:
    """Whether the first choice has read the prompt, and may have read some of it from its cache."""
    call, terms = plan.call, plan.terms
    return (
        terms.rule != "none"
        and plan.final is None
        and not outcome.collapsed
        and outcome.status < 400
        and outcome.backend == call.backends[0]
        and len(call.body.raw) >= SHORTEST * terms.minimum
    )
