"""What the guards say of a plan, each fault of theirs taken for a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policies.base.call import Call
from policies.base.plan import Plan, Row
from policies.base.ports import Store
from policies.base.step import Edit, Step
from proxy.edits import after, earlier, rewritten
from proxy.guards.guards import SPACE, Guards
from proxy.pipeline import Pipeline


class Watch:
    """`failed` is told of faults, which cost no client its own request."""

    def __init__(
        self, guards: Guards, bind: Callable[[str, str], Store], failed: Callable[[Exception], None]
    ) -> None:
        self._guards = guards
        self._bind = bind
        self._failed = failed

    async def pays(self, call: Call, ways: tuple[Call, Call], now: float) -> bool:
        """Whether the second, which changes what was sent before, costs less than the first."""
        try:
            return await self._guards.pays(call, ways, self._bind(SPACE, call.tenant), now)
        except Exception as error:  # noqa: BLE001 - the client's own request goes on
            self._failed(error)
            return False

    async def supposed(self, original: Call, call: Call, step: Step, now: float) -> Step:
        """What a step comes to in shadow that changes what was sent before, if that paid.

        `call`: as its policy saw it.
        """
        instead = earlier(step, 1)
        if not isinstance(step, Edit):
            return step
        going_on = after(call, instead) if isinstance(instead, Edit) else call
        ways = (going_on, after(call, step))
        try:
            store = self._bind(SPACE, call.tenant)
            pays = await self._guards.would_pay(original, ways, store, now)
        except Exception as error:  # noqa: BLE001 - the client's own request goes on
            self._failed(error)
            return instead
        return step if pays else instead

    async def review(
        self, call: Call, rows: Sequence[Row], pipeline: Pipeline, *, anew: bool = False
    ) -> tuple[Call | None, str]:
        """The call whose prompt is compared with the turn before, if any, and why it must not go.

        Unedited it is compared if the pipeline is `restless`, or has met `news`. A guard that fails
        refuses the edits.
        """
        watched = rewritten(call, rows)
        news = watched is call and pipeline.news(rows)
        if watched is call and not (news or pipeline.restless):
            return None, ""
        store = self._bind(SPACE, call.tenant)
        try:
            refused = await self._guards.refuses(call, watched, store, anew=anew, again=news)
            return watched, refused
        except Exception as error:  # noqa: BLE001 - the client's own request goes on
            self._failed(error)
            return watched, "could not be checked"

    async def doubted(self, pipeline: Pipeline, rows: Sequence[Row]) -> bool:
        """Whether any policies may decide otherwise on second thoughts, of which they are told."""
        doubtful = pipeline.doubtful(rows)
        for policy, row in doubtful:
            try:
                await policy.doubt(row.call)
            except Exception as error:  # noqa: BLE001 - the client's own request goes on
                self._failed(error)
        return bool(doubtful)

    async def keeps_more(self, call: Call, watched: Call) -> bool:
        """Whether more stays of what was sent for the turn before with the edits than without."""
        store = self._bind(SPACE, call.tenant)
        try:
            return await self._guards.keeps_more(call, watched, store)
        except Exception as error:  # noqa: BLE001 - the client's own request goes on
            self._failed(error)
            return False

    async def sent(self, plan: Plan, now: float) -> None:
        """The reply to a watched plan has begun; never raises."""
        if plan.watched is None:
            return
        store = self._bind(SPACE, plan.original.tenant)
        try:
            ways = plan.original, plan.watched
            await self._guards.sent(*ways, store, now, broken=plan.drifted)
        except Exception as error:  # noqa: BLE001 - the client's own request goes on
            self._failed(error)
