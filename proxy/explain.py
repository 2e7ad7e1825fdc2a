"""A request's plan, for people: what each policy would do, and where it would be sent."""

from __future__ import annotations

from typing import Any

from policies.base.call import Call
from policies.base.plan import Plan
from policies.base.step import Answer, Edit, Send
from proxy.generation import Generation


async def explained(call: Call, generation: Generation) -> dict[str, Any]:
    """The plan as JSON. Nothing is sent, and nothing is written."""
    lane = generation.lane(call)
    plan = await lane.engine.plan(call, lane.pipeline)
    price = generation.books.prices.of(call.model)
    return {
        "endpoint": call.path,
        "model": call.model,
        "tenant": call.tenant,
        "route": call.route,
        "pipeline": plan.pipeline,
        "effects": sorted(call.effects & lane.pipeline.effects),
        "holdout": plan.holdout,
        "backends": list(plan.call.backends),
        "answered_by": _answerer(plan),
        "steps": [_row(plan, index) for index in range(len(plan.rows))],
        "bytes": {"before": len(call.body.raw), "after": len(plan.call.body.raw)},
        "price": {"rule": price.rule, "source": price.source, "date": price.date},
    }


def _answerer(plan: Plan) -> str:
    """The policy that answers, or the first backend."""
    for row in plan.rows:
        if row.applied and isinstance(row.step, Answer):
            return row.policy
    return plan.call.backends[0]


def _row(plan: Plan, index: int) -> dict[str, Any]:
    row = plan.rows[index]
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
