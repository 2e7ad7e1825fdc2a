"""One way of sending a trace: a pipeline in the real engine, before an upstream of its own."""

from __future__ import annotations

from collections.abc import Callable

from policies.base.body import Body
from policies.base.call import Call, Controls, Effect
from policies.base.plan import Outcome, Plan
from policies.base.ports import Count
from policies.base.step import Answer, Edit, Refuse
from policies.base.terms import Terms
from proxy.edits import changes_history
from proxy.engine import Engine
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.pipeline import Pipeline
from proxy.prices import Price
from proxy.replay.meter import Meter, recording_of
from proxy.replay.prefixes import Prefixes
from proxy.replay.store import Clock, Shelves
from proxy.replay.talk import Request
from proxy.replay.tally import Tally
from proxy.simulation.fields import Invalid
from proxy.simulation.rule import Charge

BACKEND = "replay"
TENANT = "replay"
DIRECT = Pipeline("direct", (), frozenset(Effect), 0.0)


class Scheme:
    """Runs requests in order of time and adds up what they come to, in `tally`."""

    def __init__(
        self,
        pipeline: Pipeline,
        meter: Meter,
        price: Price,
        terms: Terms,
        counter: Callable[[str], Count],
    ) -> None:
        """`counter(model)` counts a text's tokens, for policies."""
        self.tally = Tally(pipeline.name)
        self._pipeline = pipeline
        self._meter = meter
        self._price = price
        self._clock = Clock(0.0)
        self._prefixes = Prefixes()
        shelves = Shelves(self._clock)
        guards = Guards(Monotone(), lambda _: terms, self._drifted, Rollback())
        self._engine = Engine(
            shelves.bind,
            self._failed,
            lambda _: terms,
            guards,
            clock=self._clock,
            counter=counter,
        )

    def _failed(self, policy: str) -> None:
        self.tally.failed[policy] += 1

    def _drifted(self) -> None:
        self.tally.drifted += 1

    async def take(self, now: float, talk: str, model: str, request: Request) -> None:
        """One request. Raises `Invalid` where the provider would refuse it as it came."""
        self._clock.reach(now)
        call = self._call(model, request)
        plan = await self._engine.plan(call, self._pipeline)
        if isinstance(plan.final, Answer):
            tally = self.tally
            tally.requests += 1
            tally.hits[plan.final.tier] += 1
            usage = plan.final.recording.usage
            tally.spared += usage.input + usage.output if usage else 0
        elif isinstance(plan.final, Refuse):
            self.tally.requests += 1
            self.tally.refused += 1
        else:
            await self._send(plan, talk, request)

    async def _send(self, plan: Plan, talk: str, request: Request) -> None:
        tally, now = self.tally, self._clock.now
        try:
            charge, output = self._meter.charge(plan.call, request, now)
        except Invalid:
            if plan.call.body is plan.original.body:
                raise
            tally.rejected += 1
            charge, output = self._meter.charge(plan.original, request, now)
            plan = Plan(plan.original, plan.original, (), None, plan.pipeline)
        self._engine.depart(plan, self._pipeline)
        await self._engine.sent(plan)
        tally.requests += 1
        anew = any(row.applied and changes_history(row.step) for row in plan.rows)
        tally.rewritten += anew
        self._prefixes.watch(talk, plan.original.body.raw, plan.call.body.raw, anew=anew)
        tally.violations = self._prefixes.violations
        self._count(plan)
        await self._settle(plan, request, charge, output)
        self._engine.land(plan, self._pipeline)

    def _count(self, plan: Plan) -> None:
        for row in plan.rows:
            if row.applied and isinstance(row.step, Edit):
                self.tally.edits[row.policy] += 1
                if row.step.tokens_before is not None and row.step.tokens_after is not None:
                    gone = row.step.tokens_before - row.step.tokens_after
                    self.tally.removed[row.policy] += gone

    async def _settle(self, plan: Plan, request: Request, charge: Charge, output: int) -> None:
        usage = charge.usage(output)
        self.tally.bill(charge, usage, self._price)
        if not plan.rows:
            return
        recording = recording_of(request, plan.call.model, usage)
        outcome = Outcome(200, BACKEND, recording=recording, usage=usage)
        await self._engine.settle(plan, self._pipeline, outcome)

    def _call(self, model: str, request: Request) -> Call:
        return Call(
            id=f"{self.tally.requests:x}",
            dialect=request.dialect,
            method="POST",
            path=request.path,
            headers=((b"content-type", b"application/json"),),
            body=Body(request.body),
            tenant=TENANT,
            credential=(),
            model=model,
            stream=False,
            route="replay",
            backends=(BACKEND,),
            effects=self._pipeline.effects,
            controls=Controls(),
            pipeline=self._pipeline.name,
        )
