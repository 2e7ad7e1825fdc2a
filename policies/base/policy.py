"""What a policy is, and the registry that finds it by its name in YAML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from policies.base.call import Call, Effect
from policies.base.plan import Outcome
from policies.base.ports import Store, View
from policies.base.step import Step
from policies.base.terms import Terms


class Strict(BaseModel):
    """Settings: frozen, unknown keys rejected, strings never taken for numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Policy(Protocol):
    """Looks at a call and decides. No I/O towards upstreams, no state of one request.

    `Settings` is its part of the YAML. `fails_closed` policies (guards, budgets) refuse a
    request when they raise or run late; all others are skipped.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Strict]]
    fails_closed: ClassVar[bool]
    effect: ClassVar[Effect | None]  # the one effect of its edits or answers, if there is one
    local_tools: ClassVar[bool]  # whether its edits may bring a `LocalTool`
    every_plan: ClassVar[bool]  # whether it is told of plans, too, that were made and not taken

    def __init__(self, settings: Any) -> None: ...

    async def setup(self) -> None:
        """Load what is heavy. Raises if the policy cannot work."""

    def idle(self, call: Call, terms: Terms) -> str:
        """Why there is nothing to decide or to learn, seen at a glance; "" where `plan` must say.

        Most requests are short or of no concern to most policies: they must cost nothing.
        """

    def reads(self, call: Call, terms: Terms) -> bool:
        """Whether `plan` asks for the prompt's blocks, which in a long body are read beforehand."""

    async def plan(self, call: Call, view: View) -> Step:
        """Decide. Must not write anything, nor change what later plans find: it may be for show.

        What has to be remembered at once, because something is sent as it came, may be where the
        view is not on `trial`.
        """

    async def doubt(self, call: Call) -> None:
        """What was planned does not go on as the turn before was sent; it is planned once more.

        Another worker may have sent that turn, and have stored how.
        """

    def depart(self, call: Call, step: Step) -> None:
        """The request is being sent as the step says. Followed by one `land`, whatever happens."""

    def land(self, call: Call, step: Step) -> None:
        """Its exchange is over: answered and settled, failed, or given up."""

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Learn from the outcome or store it; runs after the client has its answer.

        Not called for a `Skip` without a memo: it leaves nothing to learn from.
        """

    async def aclose(self) -> None:
        """Release what `setup` took."""


class Base:
    """Defaults of `Policy` for those that need no more."""

    name: ClassVar[str]
    Settings: ClassVar[type[Strict]] = Strict
    fails_closed: ClassVar[bool] = False
    effect: ClassVar[Effect | None] = None
    local_tools: ClassVar[bool] = False
    every_plan: ClassVar[bool] = False

    async def setup(self) -> None:
        """Nothing to load."""

    def idle(self, call: Call, terms: Terms) -> str:  # noqa: ARG002 - the contract's
        """Nothing is known at a glance."""
        return ""

    def reads(self, call: Call, terms: Terms) -> bool:  # noqa: ARG002 - the contract's
        """The body's bytes are enough."""
        return False

    async def doubt(self, call: Call) -> None:
        """It does not depend on what other workers know."""

    def depart(self, call: Call, step: Step) -> None:
        """Nothing hangs on what is under way."""

    def land(self, call: Call, step: Step) -> None:
        """As for `depart`."""

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Nothing to learn."""

    async def aclose(self) -> None:
        """Nothing to release."""


registry: dict[str, type[Policy]] = {}
P = TypeVar("P", bound=type[Any])


def policy(name: str) -> Callable[[P], P]:
    """Register a class under its YAML name, `family.variant`."""

    def register(cls: P) -> P:
        cls.name = name
        registry[name] = cast("type[Policy]", cls)
        return cls

    return register
