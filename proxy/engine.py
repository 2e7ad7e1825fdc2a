"""Fold the pipeline into a plan, and choose the backend that runs it.

The only place where policies are asked. Shadow mode, the hold-out, bypasses, effects and
deadlines are decided here, once for all policies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial

import msgspec

from policies.base.call import Call
from policies.base.plan import Outcome, Plan, Row
from policies.base.ports import Count, Store, View, fourths
from policies.base.prompt import LONG, read_apart
from policies.base.step import Answer, Edit, Refuse, Skip, Step
from policies.base.terms import Terms
from proxy.deadline import within
from proxy.edits import after, changes_history, earlier, goes_back, rewrites
from proxy.guards.guards import DRIFT, Guards
from proxy.guards.rollback import Observed
from proxy.holdout import conversation, draws
from proxy.pipeline import ASKED, Pipeline, Stage
from proxy.watch import Watch

log = logging.getLogger("penstock.engine")
Bind = Callable[[str, str], Store]  # (space, tenant) -> the policy's own store
TermsOf = Callable[[Call], Terms]
_Folded = tuple[list[Row], Step | None, Call]


class Engine:
    """Plans and settles. `failed(policy)` is told of each policy that raised or ran late."""

    def __init__(  # noqa: PLR0913 - what it asks of the house, the last two by name
        self,
        bind: Bind,
        failed: Callable[[str], None],
        terms: TermsOf,
        guards: Guards,
        *,
        clock: Callable[[], float] = time.time,
        counter: Callable[[str], Count] = fourths,
    ) -> None:
        """`clock` gives Unix seconds; `counter(model)` counts a text's tokens."""
        self._bind = bind
        self._failed = failed
        self._terms = terms
        self._guards = guards
        self._watch = Watch(guards, bind, partial(self._note, "guard"))
        self._clock = clock
        self._counter = counter
        self.trial = False

    def on_trial(self) -> Engine:
        """The same, for plans that are only looked at."""
        other = copy(self)
        other.trial = True
        return other

    async def plan(
        self, call: Call, pipeline: Pipeline, without: frozenset[str] = frozenset()
    ) -> Plan:
        """Ask each policy in turn, until one answers or refuses. Sends and writes nothing.

        `without` names policies whose decision turned out to be unusable.
        """
        unit = conversation(call) if pipeline.holdout else b""
        holdout = draws(unit, pipeline.holdout)
        folds: list[list[Row]] = []

        async def fold(back: int) -> _Folded:
            found = await self._fold(call, pipeline, without, holdout, back)
            folds.append(found[0])
            return found

        found, watched, why = await self._cheapest(call, pipeline, fold)
        if why == DRIFT and not self.trial and await self._watch.doubted(pipeline, found[0]):
            folds.clear()
            found, watched, why = await self._cheapest(call, pipeline, fold)
        rows, final, edited = found
        others = [other for other in folds if other is not rows]  # most requests have none
        aside = pipeline.aside(others) if others else ()
        drifted = why == DRIFT
        edits = None if watched is call or not why else watched
        if edits is not None and not (drifted and await self._watch.keeps_more(call, edits)):
            rows, final, edited = await self._unedited(call, pipeline, rows, without, holdout)
            watched = call
            log.info("edits are left off, the request %s", why)
        terms, name = self._terms(edited), pipeline.name
        taken = (call, edited, tuple(rows), final, name, holdout, unit, watched, terms, drifted)
        return Plan(*taken, aside)

    async def _cheapest(
        self, call: Call, pipeline: Pipeline, fold: Callable[[int], Awaitable[_Folded]]
    ) -> tuple[_Folded, Call | None, str]:
        """What goes on from the turn before, or what changes what was sent, if that pays.

        With the call to be watched, and why it must not be sent as it was edited.
        """
        found = await fold(0)
        anew = found if any(row.applied and changes_history(row.step) for row in found[0]) else None
        back = 0 if anew is None else 1
        found = found if anew is None else await fold(back)
        watched, why = await self._review(call, pipeline, found)
        while why == DRIFT and goes_back(found[0]):
            back += 1
            found = await fold(back)
            watched, why = await self._review(call, pipeline, found)
        if anew and await self._watch.pays(call, (found[2], anew[2]), self._clock()):
            return anew, *await self._review(call, pipeline, anew, anew=True)
        return found, watched, why

    async def _review(
        self, call: Call, pipeline: Pipeline, found: _Folded, *, anew: bool = False
    ) -> tuple[Call | None, str]:
        if found[1] is not None:
            return None, ""
        return await self._watch.review(call, found[0], pipeline, anew=anew)

    async def _unedited(
        self,
        call: Call,
        pipeline: Pipeline,
        rows: list[Row],
        without: frozenset[str],
        holdout: bool,
    ) -> _Folded:
        """The same without the edits of what the model reads; cache marks are set anew.

        Another policy may want to edit where the first have not.
        """
        gone: dict[str, Row] = {}
        final, edited = None, call
        while more := [row for row in rows if row.applied and rewrites(row.step)]:
            gone |= {row.policy: _guarded(row) for row in more}
            rows, final, edited = await self._fold(call, pipeline, without | gone.keys(), holdout)
        return [gone.get(row.policy, row) for row in rows], final, edited

    async def _fold(
        self,
        call: Call,
        pipeline: Pipeline,
        without: frozenset[str],
        holdout: bool,
        back: int = 0,
    ) -> _Folded:
        """What each policy decided, what ended the fold, and the call as they left it.

        `back`: how often to do what edits name `instead`.
        """
        allowed, original = call.effects & pipeline.effects, call
        rows: list[Row] = []
        now = self._clock()
        terms = self._terms(call)
        doubted = bool(pipeline.holdout) and self._guards.rollback.shadowed(
            call.route, pipeline.name
        )
        for stage in pipeline.stages:
            name = stage.name
            mode, why = self._passed_over(stage, call, terms, without)
            if why:
                rows.append(Row(name, Skip(why), 0.0, False, mode, call))
                continue
            started = time.perf_counter()
            step, failed = await self._ask(stage, call, now)
            step = earlier(step, back)
            mode = failed or stage.mode(step, allowed, holdout=holdout)
            if doubted and mode == "on" and isinstance(step, Edit):
                mode = "shadow"
            applied = mode == "on"
            if mode == "holdout":
                step = earlier(step, int(changes_history(step)))
            elif mode == "shadow" and changes_history(step):
                step = await self._watch.supposed(original, call, step, now)
            rows.append(Row(name, step, time.perf_counter() - started, applied, mode, call))
            if not applied or isinstance(step, Skip):
                continue
            if isinstance(step, Answer | Refuse):
                return rows, step, call
            call = after(call, step)
            terms = self._terms(call)
        return rows, None, call

    def _passed_over(
        self, stage: Stage, call: Call, terms: Terms, without: frozenset[str]
    ) -> tuple[str, str]:
        """Why a policy is not asked, and the mode of its row; "" where it is."""
        policy = stage.policy
        if stage.name in without:
            return "error", "what it decided could not be used"
        bypassed = call.controls.bypass and call.controls.bypasses(stage.family)
        if bypassed and not policy.fails_closed:
            return "bypass", "bypassed by request"
        try:
            return "idle", policy.idle(call, terms)
        except Exception as error:  # noqa: BLE001 - as in `_ask`, which comes next
            self._note(stage.name, error)
            return "", ""

    async def sent(self, plan: Plan) -> None:
        """The reply to a watched plan has begun; never raises."""
        await self._watch.sent(plan, self._clock())

    def depart(self, plan: Plan, pipeline: Pipeline) -> None:
        """The plan is being sent, to be followed by one `land`; never raises."""
        if plan.drifted:
            self._guards.drifted()
        for number in pipeline.departing:
            self._tell(plan, pipeline.stages[number].policy.depart, number)

    def land(self, plan: Plan, pipeline: Pipeline) -> None:
        """Whatever came of a plan that has departed; never raises."""
        for number in pipeline.departing:
            self._tell(plan, pipeline.stages[number].policy.land, number)

    def _tell(self, plan: Plan, hears: Callable[[Call, Step], None], number: int) -> None:
        if number >= len(plan.rows) or plan.rows[number].mode != "on":
            return
        row = plan.rows[number]
        try:
            hears(row.call, row.step)
        except Exception as error:  # noqa: BLE001 - no policy may cost a client its answer
            self._note(row.policy, error)

    async def _ask(self, stage: Stage, call: Call, now: float) -> tuple[Step, str | None]:
        """The policy's step; and the mode "error" if it failed and is skipped."""
        policy = stage.policy
        view = View(
            self._bind(stage.name, call.tenant), now, self._terms, self._counter, self.trial
        )
        try:
            if len(call.body.raw) > LONG and policy.reads(call, self._terms(call)):
                await read_apart(call)  # not under the policy's deadline
            work = policy.plan(call, view)
            try:
                waits = work.send(None)
            except StopIteration as done:
                step: Step = done.value
            else:
                step = await within(stage.deadline, work, waits)
            if not isinstance(step, Step):
                raise TypeError(f"{policy.name} decided nothing")  # noqa: TRY301 - as any fault
            return step, None
        except Exception as error:  # noqa: BLE001 - no policy may cost a client its answer
            self._note(policy.name, error)
            if policy.fails_closed:
                return Refuse(503, "policy_failed", f"{policy.name} could not decide"), None
            late = isinstance(error, TimeoutError)
            return Skip("deadline" if late else "error"), "error"

    def _note(self, policy: str, error: Exception) -> None:
        # The message of an exception may quote a prompt: only its type is logged.
        log.warning("policy %s failed: %s", policy, type(error).__name__)
        self._failed(policy)

    async def settle(self, plan: Plan, pipeline: Pipeline, outcome: Outcome) -> None:
        """Let every policy that was asked learn from the outcome; never raises."""
        if plan.unit and outcome.usage is not None and not isinstance(plan.final, Answer):
            seen = Observed(plan.unit, outcome.usage, self._terms(plan.call), plan.removed)
            key = (plan.original.route, plan.pipeline)
            self._guards.rollback.observe(key, seen, holdout=plan.holdout)
        for stage, row in zip(pipeline.stages, plan.rows, strict=False):
            if row.mode in ASKED and not (type(row.step) is Skip and row.step.memo is None):
                told = outcome if row.applied else _not_done(outcome, row)
                if told.refused:  # what came was sent, also to a policy that saw it edited
                    row = msgspec.structs.replace(row, call=plan.original)  # noqa: PLW2901
                await self._settle(stage, row, told)
        for number, row in plan.aside:
            told = msgspec.structs.replace(outcome, applied=False)
            await self._settle(pipeline.stages[number], row, told)

    async def revoke(self, plan: Plan, pipeline: Pipeline, policy: str, told: Outcome) -> None:
        """Tell a policy that the upstream rejected fields of its edit; never raises."""
        for stage, row in zip(pipeline.stages, plan.rows, strict=False):
            if row.policy == policy:
                await self._settle(stage, row, told)

    async def _settle(self, stage: Stage, row: Row, outcome: Outcome) -> None:
        store = self._bind(row.policy, row.call.tenant)
        try:
            await stage.policy.settle(row.call, row.step, outcome, store)
        except Exception as error:  # noqa: BLE001 - the client has its answer
            self._note(row.policy, error)


def _not_done(outcome: Outcome, row: Row) -> Outcome:
    supposed, refused = row.mode == "shadow", row.mode == "guarded" and outcome.applied
    return msgspec.structs.replace(outcome, applied=False, supposed=supposed, refused=refused)


def _guarded(row: Row) -> Row:
    return msgspec.structs.replace(row, applied=False, mode="guarded")
