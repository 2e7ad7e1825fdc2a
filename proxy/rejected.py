"""An upstream that rejects a field which a policy has added, and says so."""

from __future__ import annotations

import msgspec

from policies.base.plan import Plan
from policies.base.reply import Reply
from policies.base.step import Edit
from proxy.wire.refusal import said


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Fields that an upstream does not take, and the policy that has added them."""

    policy: str
    fields: tuple[str, ...]


async def rejected(plan: Plan, reply: Reply) -> Rejected | None:
    """The fields of a policy that a 400 or 422 names; None where it names none.

    What was read of the reply to find out is in its `chunks` again.
    """
    edits = [(row.policy, row.step) for row in plan.rows if row.applied]
    named = [(policy, step.revocable) for policy, step in edits if isinstance(step, Edit)]
    if not any(fields for _, fields in named):
        return None
    text = await said(reply)
    for policy, fields in named:
        found = tuple(field for field in fields if field.encode() in text)
        if found:
            return Rejected(policy, found)
    return None
