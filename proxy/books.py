"""Where finished requests are written down: ledger rows and metrics, from the same entry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.plan import Outcome, Plan
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.entry import entry_of
from proxy.ledger import Ledger
from proxy.metrics import Metrics
from proxy.prices import Prices
from proxy.tokens import Tokens
from proxy.wire.complete import inspect


class Books:
    """Outlives reloads. Nothing here is ever awaited by a client, save `estimate`."""

    def __init__(self, ledger: Ledger, metrics: Metrics, prices: Prices, tokens: Tokens) -> None:
        self.metrics = metrics
        self.prices = prices
        self._ledger = ledger
        self._tokens = tokens
        self._counting: set[asyncio.Task[None]] = set()

    def close(self, plan: Plan, outcome: Outcome, texts: list[str]) -> None:
        """Account for a finished request; its reply's `texts` are counted if need be."""
        if outcome.usage is None and texts and plan.call.dialect is not Dialect.OPAQUE:
            self._later(self._count(plan, outcome, texts))
        else:
            self._write(plan, outcome)

    async def _count(self, plan: Plan, outcome: Outcome, texts: list[str]) -> None:
        usage = await self._tokens.usage(plan.call.model, plan.call.dialect, plan.call.doc(), texts)
        self._write(plan, msgspec.structs.replace(outcome, usage=usage))

    def _write(self, plan: Plan, outcome: Outcome) -> None:
        entry = entry_of(
            plan, outcome, self.prices.of(plan.call.model), time.time() - outcome.total
        )
        self._ledger.record(entry)
        self.metrics.observe(plan, outcome, entry)

    async def estimate(self, call: Call, recording: Recording) -> Usage:
        """Count what an upstream did not report."""
        finding = inspect(call.dialect, recording.headers, recording.body, recording.stream)
        return await self._tokens.usage(call.model, call.dialect, call.doc(), finding.text)

    def unplanned(self, status: int) -> None:
        """A request that never became a plan."""
        self.metrics.refused(status)

    def policy_failed(self, policy: str) -> None:
        """A policy raised or ran late."""
        self.metrics.policy_error(policy)

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
