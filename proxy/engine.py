"""Fold the pipeline into a plan, and choose the backend that runs it.

The only place where policies are asked. Shadow mode, the hold-out, bypasses, effects and
deadlines are decided here, once for all policies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from policies.base.call import Call, Effect
from policies.base.plan import Outcome, Plan, Row
from policies.base.policy import Policy
from policies.base.ports import Store, View
from policies.base.step import Answer, Edit, Refuse, Send, Skip, Step
from policies.base.terms import Terms
from proxy.deadline import within

log = logging.getLogger("penstock.engine")
Bind = Callable[[str, str], Store]  # (space, tenant) -> the policy's own store
TermsOf = Callable[[Call], Terms]


class Stage(msgspec.Struct, frozen=True):
    """One policy in a pipeline, with what the engine needs to run it."""

    policy: Policy
    shadow: bool
    deadline: float

    @property
    def family(self) -> str:
        """`cache` of `cache.exact`: what a bypass header names."""
        return self.policy.name.partition(".")[0]


class Pipeline(msgspec.Struct, frozen=True):
    """Policies in order, what they may do together, and the share they leave alone."""

    name: str
    stages: tuple[Stage, ...]
    effects: frozenset[Effect]
    holdout: float


class Engine:
    """Plans and settles. `failed(policy)` is told of each policy that raised or ran late."""

    def __init__(
        self,
        bind: Bind,
        failed: Callable[[str], None],
        terms: TermsOf,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._bind = bind
        self._failed = failed
        self._terms = terms
        self._clock = clock

    async def plan(
        self, call: Call, pipeline: Pipeline, without: frozenset[str] = frozenset()
    ) -> Plan:
        """Ask each policy in turn, until one answers or refuses. Sends and writes nothing.

        `without` names policies whose decision turned out to be unusable.
        """
        allowed = call.effects & pipeline.effects
        original, holdout = call, _held_out(call, pipeline.holdout)
        rows: list[Row] = []
        final: Step | None = None
        now = self._clock()
        for stage in pipeline.stages:
            name = stage.policy.name
            guard = stage.policy.fails_closed
            if name in without or (call.controls.bypasses(stage.family) and not guard):
                mode = "error" if name in without else "bypass"
                rows.append(Row(name, Skip(_WHY[mode]), 0.0, False, mode, call))
                continue
            started = time.perf_counter()
            step, failed = await self._ask(stage, call, now)
            mode = failed or _mode(stage, step, allowed, holdout=holdout)
            applied = mode == "on"
            rows.append(Row(name, step, time.perf_counter() - started, applied, mode, call))
            if not applied or isinstance(step, Skip):
                continue
            if isinstance(step, Answer | Refuse):
                final = step
                break
            call = _applied(call, step)
        return Plan(original, call, tuple(rows), final, pipeline.name, holdout)

    async def _ask(self, stage: Stage, call: Call, now: float) -> tuple[Step, str | None]:
        """The policy's step; and the mode "error" if it failed and is skipped."""
        policy = stage.policy
        view = View(self._bind(policy.name, call.tenant), now, self._terms)
        try:
            step = await within(stage.deadline, policy.plan(call, view))
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
        for stage, row in zip(pipeline.stages, plan.rows, strict=False):
            if row.mode not in ("on", "shadow"):
                continue
            store = self._bind(row.policy, row.call.tenant)
            try:
                await stage.policy.settle(row.call, row.step, outcome, store)
            except Exception as error:  # noqa: BLE001 - the client has its answer
                self._note(row.policy, error)


_WHY = {"bypass": "bypassed by request", "error": "its answer could not be rendered"}


def _mode(stage: Stage, step: Step, allowed: frozenset[Effect], *, holdout: bool) -> str:
    if holdout and not stage.policy.fails_closed:
        return "holdout"
    if stage.shadow:
        return "shadow"
    if isinstance(step, Edit | Answer) and step.effect not in allowed:
        return "denied"
    return "on"


def _applied(call: Call, step: Edit | Send) -> Call:
    if isinstance(step, Edit):
        headers = call.headers
        if step.headers:
            own = {name for name, _ in headers}
            headers += tuple(pair for pair in step.headers if pair[0] not in own)
        if call.body.wire is not call.body.raw:  # an edited body is not compressed again
            headers = tuple(pair for pair in headers if pair[0] != b"content-encoding")
        return msgspec.structs.replace(call, body=step.body, headers=headers)
    return msgspec.structs.replace(call, backends=step.backends)


def _held_out(call: Call, share: float) -> bool:
    """Whether the conversation that a call belongs to is left alone.

    A conversation stays on one side for all its turns: it is known by the session header,
    or else by its tenant and its messages up to the first of the user.
    """
    if share <= 0.0:
        return False
    unit = blake2b(f"{call.tenant}\0{call.controls.session or _opening(call)}".encode())
    return int.from_bytes(unit.digest()[:8], "big") < share * 2**64


def _opening(call: Call) -> str:
    messages = call.doc().get("messages") or call.doc().get("input") or call.doc().get("prompt")
    if not isinstance(messages, list):
        return repr(messages)
    for index, message in enumerate(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return repr(messages[: index + 1])
    return repr(messages)
