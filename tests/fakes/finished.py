"""Finished requests for tests of the books: calls, plans and outcomes from a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from policies.base.body import Body
from policies.base.call import Call, Controls, Dialect, Effect
from policies.base.plan import Outcome, Plan, Row
from policies.base.reply import Recording
from policies.base.step import Answer, Edit, Skip, Step
from policies.base.usage import Usage
from proxy.entry import LedgerEntry, entry_of
from proxy.prices import Price, Rates

PRICE = Price(rates=Rates(2.0, 10.0), read=0.1, write=1.25)
USAGE = Usage(uncached=800, read=200, output=50)


def a_call(**changes: Any) -> Call:
    call = Call(
        id="req_1",
        dialect=Dialect.CHAT,
        method="POST",
        path="chat/completions",
        headers=(),
        body=Body(b'{"model":"gpt-4o"}'),
        tenant="team-a",
        credential=(),
        model="gpt-4o",
        stream=False,
        route="all",
        pipeline="default",
        backends=("openai",),
        effects=frozenset(Effect),
        controls=Controls(),
    )
    return msgspec.structs.replace(call, **changes)


def an_edit(before: int | None, after: int | None) -> Edit:
    return Edit(Body(b"{}"), Effect.LOSSLESS, "shorter", before, after)


def an_answer(usage: Usage | None = USAGE, tier: str = "exact") -> Answer:
    recording = Recording(200, (), b"{}", stream=False, usage=usage)
    return Answer(recording, Effect.EXACT, "hit", 1.0, 60.0, tier)


def a_row(policy: str, step: Step, mode: str = "on") -> Row:
    return Row(policy, step, 0.0001, mode == "on", mode, a_call())


def a_plan(rows: Sequence[Row] = (), final: Step | None = None, **changes: Any) -> Plan:
    call = a_call(**changes)
    return Plan(call, call, tuple(rows), final, "default")


MISS = (a_row("cache.exact", Skip("miss")),)


def an_entry(
    plan: Plan | None = None,
    outcome: Outcome | None = None,
    price: Price = PRICE,
    started: float = 1_790_000_000.0,
) -> LedgerEntry:
    return entry_of(
        plan or a_plan(MISS), outcome or Outcome(200, "openai", usage=USAGE), price, started
    )
