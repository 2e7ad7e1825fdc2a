"""Policies in the order in which they are asked, with what the engine needs to know of each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.base.call import Effect
from policies.base.plan import Row
from policies.base.policy import Base, Policy
from policies.base.step import Answer, Edit, Step

ASKED = frozenset({"on", "shadow", "guarded"})  # modes of rows whose policy may learn
_RESTLESS = frozenset({Effect.REORDER, Effect.LOSSY})  # may do so in one turn and not in another


class Stage(msgspec.Struct, frozen=True):
    """One policy in a pipeline, with what the engine needs to run it.

    `family` is the `cache` of `cache.exact`: what a bypass header names.
    """

    policy: Policy
    shadow: bool
    deadline: float
    name: str = ""  # these two are set here
    family: str = ""

    def __post_init__(self) -> None:
        name = self.policy.name
        msgspec.structs.force_setattr(self, "name", name)
        msgspec.structs.force_setattr(self, "family", name.partition(".")[0])

    def mode(self, step: Step, allowed: frozenset[Effect], *, holdout: bool) -> str:
        """How a step is carried out, as `Row` names it."""
        if holdout and not self.policy.fails_closed:
            return "holdout"
        if self.shadow:
            return "shadow"
        if isinstance(step, Edit | Answer) and step.effect not in allowed:
            return "denied"
        return "on"


class Pipeline(msgspec.Struct, frozen=True):
    """Policies in order, what they may do together, and the share they leave alone."""

    name: str
    stages: tuple[Stage, ...]
    effects: frozenset[Effect]
    holdout: float
    restless: bool = False  # set here: a turn that is not edited may follow one that was
    departing: tuple[int, ...] = ()  # set here: the stages that are told what is under way
    learning: tuple[int, ...] = ()  # set here: those that are told of every plan

    def __post_init__(self) -> None:
        may = _RESTLESS & self.effects
        found = any(not stage.shadow and stage.policy.effect in may for stage in self.stages)
        msgspec.structs.force_setattr(self, "restless", found)
        idle: object = Base.depart
        told = enumerate(type(stage.policy).depart for stage in self.stages)
        departing = tuple(number for number, depart in told if depart is not idle)
        msgspec.structs.force_setattr(self, "departing", departing)
        wanting = enumerate(stage.policy.every_plan for stage in self.stages)
        learning = tuple(number for number, wants in wanting if wants)
        msgspec.structs.force_setattr(self, "learning", learning)

    def news(self, rows: Sequence[Row]) -> bool:
        """Whether a policy has met what another worker may edit, if this one had no time to."""
        for number in self.learning:
            if number < len(rows):
                row = rows[number]
                if row.applied and row.step.memo is not None:
                    return True
        return False

    def doubtful(self, rows: Sequence[Row]) -> Sequence[tuple[Policy, Row]]:
        """The policies that were asked and may decide otherwise on second thoughts."""
        idle: object = Base.doubt
        pairs = zip((stage.policy for stage in self.stages), rows, strict=False)
        return [(one, row) for one, row in pairs if row.applied and type(one).doubt is not idle]

    def aside(self, folds: Sequence[Sequence[Row]]) -> tuple[tuple[int, Row], ...]:
        """What foldings that are not taken have taught those who want to know, by stage."""
        return tuple(
            (number, row)
            for rows in folds
            for number, row in enumerate(rows)
            if number in self.learning and row.mode in ASKED
        )
