"""The books of one request: what it cost, what it would have cost, and what each step saved.

Pure: plan, outcome and price in, rows out. The ledger stores these rows and the metrics
count them, so that the two never disagree.

Tokens count prompt and reply. A request's `usd_direct` is `usd` plus the savings of its
applied steps: an edit saves the tokens it removed, at what an input token of this exchange
cost on average (the provider's cache reads included); a reply out of a cache or out of
another request's upstream call saves the whole. Each step's `before` is the `after` of the
last applied one, so that the applied rows telescope to the request's own saving. A step that
was not applied shows what it would have saved.
"""

from __future__ import annotations

import msgspec

from policies.base.plan import Outcome, Plan, Row
from policies.base.step import Answer, Edit, Refuse, Send, Skip
from policies.base.usage import Usage
from proxy.prices import Price
from proxy.receipt import cache_word

_DECISION = {Skip: "skip", Edit: "edit", Send: "send", Answer: "answer", Refuse: "refuse"}
_NOTHING = Usage()
_FREE = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})  # nobody bills for these
_LONGEST_WHY = 200


class RequestRow(msgspec.Struct, frozen=True, gc=False):
    """One request. `time` is Unix seconds, other times seconds; dollars None: not known.

    Values are those that SQLite takes as they are: truth is 1 or 0, no `error` is "", and a
    `predicted_read` of -1 is none. All else costs the module twenty times as much to pass on.

    `uncached`, `read`, `write` and `output` are the tokens billed upstream; `cache` is the
    word of the `x-penstock-cache` header. `predicted_read` and `missed`: see `Missed`.
    """

    id: str
    time: float
    tenant: str
    route: str
    pipeline: str
    endpoint: str
    model: str
    backend: str
    status: int
    cache: str
    stream: int
    uncached: int
    read: int
    write: int
    output: int
    estimated: int
    usd: float | None
    usd_direct: float | None
    tokens_before: int
    tokens_after: int
    attempts: int
    overhead_s: float
    ttft_s: float | None
    total_s: float
    error: str
    holdout: int
    predicted_read: int = -1
    missed: str = ""


class StepRow(msgspec.Struct, frozen=True, gc=False):
    """One policy's decision, `n` counting from 0. `seconds` is what planning it took."""

    n: int
    policy: str
    decision: str  # skip | edit | send | answer | refuse
    why: str
    mode: str  # on | shadow | holdout | bypass | denied | guarded | error
    applied: int
    effect: str
    tokens_before: int
    tokens_after: int
    usd_before: float | None
    usd_after: float | None
    seconds: float


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """A request's row and those of its steps; the tokens billed for it, and their price."""

    request: RequestRow
    steps: tuple[StepRow, ...]
    billed: Usage
    price: Price


class Missed(msgspec.Struct, frozen=True, gc=False):
    """Tokens that the provider's cache should have read, None where that cannot be said.

    `why` names the first difference to the closest earlier prompt, or what else was lacking.
    """

    predicted: int | None = None
    why: str = ""


_UNSAID = Missed()


def entry_of(
    plan: Plan, outcome: Outcome, price: Price, started: float, missed: Missed = _UNSAID
) -> LedgerEntry:
    """The rows of one finished request. `started` is Unix seconds; keeps no body alive."""
    final = plan.final
    usage = outcome.usage
    if usage is None and isinstance(final, Answer):
        usage = final.recording.usage
    free = isinstance(final, Answer) or outcome.collapsed
    unpaid = outcome.status >= 400 or plan.call.method in _FREE
    tokens, usd = _worth(usage, price, unpaid=unpaid)
    tokens_before, usd_direct, each = tokens, usd, None
    if usage is not None and any(isinstance(row.step, Edit) for row in plan.rows):
        each = price.input_token(usage) or 0.0
        removed = _removed(plan.rows)
        tokens_before += removed
        usd_direct = None if usd is None else usd + removed * each
    steps = _chain(plan.rows, tokens_before, usd_direct, each)
    if outcome.collapsed:
        steps.append(_coalesced(steps, tokens_before, usd_direct))
    billed = _NOTHING if free or usage is None else usage
    call = plan.call
    return LedgerEntry(
        RequestRow(
            call.id,
            started,
            call.tenant,
            call.route,
            plan.pipeline,
            call.dialect.value,
            call.model,
            outcome.backend,
            outcome.status,
            cache_word(plan, collapsed=outcome.collapsed),
            int(call.stream),
            billed.uncached,
            billed.read,
            billed.write,
            billed.output,
            int(usage is not None and usage.estimated),
            0.0 if free else usd,
            usd_direct,
            tokens_before,
            0 if free else tokens,
            outcome.attempts,
            outcome.overhead,
            outcome.first_byte,
            outcome.total,
            outcome.error or "",
            int(plan.holdout),
            -1 if missed.predicted is None else missed.predicted,
            missed.why[:_LONGEST_WHY],
        ),
        tuple(steps),
        billed,
        price,
    )


def _worth(usage: Usage | None, price: Price, *, unpaid: bool) -> tuple[int, float | None]:
    """Tokens and USD. Without usage, what is `unpaid` cost nothing."""
    if usage is None:
        return 0, 0.0 if unpaid else None
    tokens = usage.uncached + usage.read + usage.write + usage.output
    return tokens, price.cost(usage)


def _spared(row: Row) -> int:
    """Input tokens that a row's edit removes, where they were counted; may be negative."""
    step = row.step
    if not isinstance(step, Edit) or step.tokens_before is None or step.tokens_after is None:
        return 0
    return step.removed


def _removed(rows: tuple[Row, ...]) -> int:
    return sum([_spared(row) for row in rows if row.applied])


def _chain(
    rows: tuple[Row, ...], tokens: int, usd: float | None, each: float | None
) -> list[StepRow]:
    """Step rows from what the request would have cost down to what it did.

    `each`: USD of one input token; None when nothing was paid for, so nothing was saved.
    """
    steps: list[StepRow] = []
    for n, row in enumerate(rows):
        if row.mode == "idle":
            continue
        step = row.step
        kind = type(step)
        after, usd_after = tokens, usd
        effect = ""
        if isinstance(step, Edit):
            effect = step.effect.value
            if each is not None:
                after -= _spared(row)
                usd_after = None if usd is None else usd - (tokens - after) * each
        elif isinstance(step, Answer):
            effect = step.effect.value
            after, usd_after = 0, None if usd is None else 0.0
        applied = row.applied and kind is not Skip
        steps.append(
            StepRow(
                n,
                row.policy,
                _DECISION[kind],
                step.why[:_LONGEST_WHY],
                row.mode,
                int(applied),
                effect,
                tokens,
                after,
                usd,
                usd_after,
                row.seconds,
            )
        )
        if applied:
            tokens, usd = after, usd_after
    return steps


def _coalesced(steps: list[StepRow], tokens: int, usd: float | None) -> StepRow:
    """The row of a request that shared another's upstream call."""
    for step in steps:
        if step.applied:
            tokens, usd = step.tokens_after, step.usd_after
    return StepRow(
        steps[-1].n + 1 if steps else 0,
        "coalesce",
        "answer",
        "shared an upstream call",
        "on",
        1,
        "exact",
        tokens,
        0,
        usd,
        None if usd is None else 0.0,
        0.0,
    )
