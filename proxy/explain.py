"""A request's plan, for people: what each policy would do, and where it would be sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from policies.base.call import Call
from policies.base.plan import Plan, Row
from policies.base.ports import Count
from policies.base.prompt import read_apart
from policies.base.step import Answer, Edit, Send
from proxy.changes import changes
from proxy.generation import Generation
from proxy.prediction.difference import Difference
from proxy.prediction.predictions import Predictions
from proxy.prediction.why import place_of, why_missed


async def explained(
    call: Call,
    generation: Generation,
    predictions: Predictions | None = None,
    *,
    diff: bool = False,
) -> dict[str, Any]:
    """The plan as JSON. Nothing is sent or written, and policies remember nothing of it.

    `predictions` know what was sent before; without them every prompt is the first. `diff`:
    also what each edit changed, which is text of the prompt.
    """
    lane = generation.lane(call)
    count = generation.books.counter(call.model)
    await asyncio.to_thread(count, "")  # else the vocabulary may take longer than policies may
    plan = await lane.engine.on_trial().plan(call, lane.pipeline)
    price = generation.books.prices.of(call.model)
    found = {
        "endpoint": call.path,
        "model": call.model,
        "tenant": call.tenant,
        "route": call.route,
        "pipeline": plan.pipeline,
        "effects": sorted(call.effects & lane.pipeline.effects),
        "holdout": plan.holdout,
        "backends": list(plan.call.backends),
        "answered_by": _answerer(plan),
        "steps": [told(row) for row in plan.rows],
        "bytes": {"before": len(call.body.raw), "after": len(plan.call.body.raw)},
        "price": {"rule": price.rule, "source": price.source, "date": price.date},
        "prompt_cache": await _cache(plan, predictions or Predictions()),
    }
    if diff:
        found["changes"] = await asyncio.to_thread(_changes, plan, count)
    return found


def _changes(plan: Plan, count: Count) -> list[dict[str, Any]]:
    """What each edit changed, those that were not applied too, with the tokens of each text."""
    return [
        {
            "policy": row.policy,
            "mode": row.mode,
            "place": found.place,
            "path": list(found.path),
            "before": found.before,
            "after": found.after,
            "tokens": {"before": count(found.before or ""), "after": count(found.after or "")},
        }
        for row in plan.rows
        if isinstance(row.step, Edit)
        for found in changes(row.call.body.raw, row.step.body.raw)
    ]


async def sent_before(call: Call, generation: Generation, predictions: Predictions) -> None:
    """Take a request for one that was sent and answered just now."""
    lane = generation.lane(call)
    plan = await lane.engine.plan(call, lane.pipeline)
    if plan.final is None:
        await read_apart(plan.call)
        now = time.time()
        predictions.settle(plan.call, plan.terms, None, now, now)


async def _cache(plan: Plan, predictions: Predictions) -> dict[str, Any] | None:
    """What the provider's prompt cache should hold of what would be sent.

    None where nothing would be sent, nothing is cached, or the prompt's shape is not known.
    """
    if plan.final is not None or plan.terms.rule == "none":
        return None
    await read_apart(plan.call)
    found = predictions.predict(plan.call, plan.terms, time.time())
    if found is None:
        return None
    return {
        "rule": plan.terms.rule,
        "tokens": {"predicted": found.cached, "shared": found.shared, "total": found.total},
        "age": None if found.age is None else round(found.age, 1),
        "why": why_missed(found),
        "difference": _difference(found.difference),
    }


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "kind": found.kind,
        "place": place_of(found),
        "bytes": found.here,
        "bytes_before": found.there,
    }


def _answerer(plan: Plan) -> str:
    """The policy that answers, or the first backend."""
    for row in plan.rows:
        if row.applied and isinstance(row.step, Answer):
            return row.policy
    return plan.call.backends[0]


def told(row: Row) -> dict[str, Any]:
    """One policy's decision as JSON."""
    step = row.step
    found: dict[str, Any] = {
        "policy": row.policy,
        "decision": type(step).__name__.lower(),
        "why": step.why,
        "mode": row.mode,
        "applied": row.applied,
        "ms": round(row.seconds * 1000, 3),
    }
    if isinstance(step, Edit | Answer):
        found["effect"] = step.effect
    if isinstance(step, Edit):
        found["tokens"] = {"before": step.tokens_before, "after": step.tokens_after}
    if isinstance(step, Answer):
        found["age"] = round(step.age, 1)
        found["ttl"] = round(step.ttl, 1)
    if isinstance(step, Send):
        found["backends"] = list(step.backends)
    return found
