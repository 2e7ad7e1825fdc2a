"""What the steps of policies make of a call."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.base.call import Call, Effect
from policies.base.fingerprint import DECISIVE_FIELDS, FORM
from policies.base.plan import Row
from policies.base.step import Edit, Send, Step

_REWRITING = frozenset({Effect.LOSSLESS, Effect.REORDER, Effect.LOSSY})  # change the prompt


def rewritten(call: Call, rows: Sequence[Row]) -> Call:
    """The call after the last edit that changes what the model reads."""
    for row in reversed(rows):
        if row.applied and isinstance(row.step, Edit) and rewrites(row.step):
            return msgspec.structs.replace(call, body=row.step.body)
    return call


def changes_history(step: Step) -> bool:
    """Whether it changes, on purpose, what was sent before."""
    return isinstance(step, Edit) and step.instead is not None and not step.known


def earlier(step: Step, back: int) -> Step:
    """What is done instead of a step, `back` times over."""
    while back and isinstance(step, Edit) and step.instead is not None:
        step, back = step.instead, back - 1
    return step


def goes_back(rows: Sequence[Row]) -> bool:
    """Whether there is anything that could be done instead."""
    return any(row.applied and isinstance(row.step, Edit) and row.step.instead for row in rows)


def rewrites(step: Step) -> bool:
    """Whether it changes what the model reads."""
    return isinstance(step, Edit) and step.effect in _REWRITING


def after(call: Call, step: Edit | Send) -> Call:
    """The call as the step leaves it."""
    if isinstance(step, Edit):
        if step.effect is Effect.EXACT:  # it asks for the same answer, so it is the same request
            fields = call.body.fields(DECISIVE_FIELDS)
            step.body.recall(fields, FORM, call.body.digest(FORM))
            if not step.headers:
                step.body.memo = call.body.memo
        headers = call.headers
        if step.headers:
            own = {name for name, _ in headers}
            headers += tuple(pair for pair in step.headers if pair[0] not in own)
        if call.body.wire is not call.body.raw:  # an edited body is not compressed again
            headers = tuple(pair for pair in headers if pair[0] != b"content-encoding")
        local = step.local or call.local
        came = call.came or call.body
        return msgspec.structs.replace(
            call, body=step.body, headers=headers, local=local, came=came
        )
    return msgspec.structs.replace(call, backends=step.backends)
