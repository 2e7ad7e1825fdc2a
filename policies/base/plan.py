"""What the engine keeps of a request: the plan before it is sent, the outcome after."""

from __future__ import annotations

import msgspec

from policies.base.call import Call
from policies.base.reply import Recording
from policies.base.step import Edit, Step
from policies.base.terms import Terms
from policies.base.usage import Usage


class Row(msgspec.Struct, frozen=True, gc=False):
    """One policy's decision. `seconds` is the time it took to plan."""

    policy: str
    step: Step
    seconds: float
    applied: bool  # False in shadow mode, in the hold-out, or when its effect is not allowed
    mode: str  # on | idle | shadow | holdout | bypass | denied | guarded | error
    call: Call  # as the policy saw it


class Plan(msgspec.Struct, frozen=True):
    """The folded pipeline. `call` carries the edits; `original` is what the client sent.

    `unit` names the conversation, where the pipeline has a hold-out. `watched` is what the
    next turn must begin with, where that has to be remembered: `call` without cache marks.
    `drifted`: the turn does not begin as the one before it was sent, or with its edits would not.
    `aside`: rows of foldings that were not taken, for the stages of these numbers to learn from.
    """

    original: Call
    call: Call
    rows: tuple[Row, ...]
    final: Step | None  # the Answer or Refuse that ended the fold
    pipeline: str
    holdout: bool = False
    unit: bytes = b""
    watched: Call | None = None
    terms: Terms = Terms()  # of the upstream's prompt cache
    drifted: bool = False
    aside: tuple[tuple[int, Row], ...] = ()

    @property
    def removed(self) -> int:
        """Input tokens that the applied edits took away, as far as they were counted."""
        edits = [row.step for row in self.rows if row.applied and isinstance(row.step, Edit)]
        return sum([step.removed for step in edits])

    @property
    def spent(self) -> Usage | None:
        """What was told of rounds that the client does not see and that are over."""
        return None if self.call.local is None else self.call.local.spent


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What happened. Times in seconds; None where there was none.

    `recording` is set only for a complete reply: 2xx, terminal event seen, every choice
    ended by itself. `error` is a short code, never a message of an upstream.
    """

    status: int
    backend: str = ""
    recording: Recording | None = None
    usage: Usage | None = None
    collapsed: bool = False
    attempts: int = 1
    overhead: float = 0.0  # Penstock's own part of the time to the first byte
    first_byte: float | None = None
    total: float = 0.0
    gaps: tuple[float, ...] = ()  # between chunks of a stream
    error: str | None = None
    applied: bool = True  # whether the step that is settled was carried out
    supposed: bool = False  # it was not, and is to be taken for that: the policy is in shadow
    refused: bool = False  # it was not, since a guard had it left off
    revoked: tuple[str, ...] = ()  # of the step's own fields, those that the upstream rejected
