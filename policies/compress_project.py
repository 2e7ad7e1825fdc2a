"""Of the results of tools, only the fields that the user wants: a rule for each tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from policies.base.call import Dialect, Effect
from policies.base.policy import Strict, policy
from policies.base.ports import Count
from policies.compress.freeze import FreezeSettings, Frozen
from policies.compress.freeze_calls import tool_call
from policies.compress.freeze_form import Form, Rules, shortened
from policies.compress.freeze_places import Spot, signs, spots
from policies.compress.project_cut import projected
from policies.compress.project_places import Expression

VERSION = 2  # of what a result becomes under the same rule


def _checked(text: str) -> str:
    Expression(text)
    return text


JMESPath = Annotated[str, AfterValidator(_checked)]


class ToolFields(Strict):
    """What of a tool's results stays: what `keep` names, or all, less what `drop` names.

    JMESPath expressions that lead to places: `items[].id`, `pages[0:3]`, `*.meta`,
    `[?state=='open']`.
    """

    keep: tuple[JMESPath, ...] = ()
    drop: tuple[JMESPath, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> ToolFields:
        if not self.keep and not self.drop:
            raise ValueError("say what to keep or what to drop")
        return self


@policy("compress.project")
class Project(Frozen):
    """Cuts fields out of the JSON results of the named tools, each once.

    `lossy`: what a rule leaves out is gone, and counted. What stays keeps its text, number by
    number, in its order. A result that is not JSON, or has none of the fields to keep, goes as
    it came, as does one at which an expression fails.
    """

    effect: ClassVar = Effect.LOSSY

    class Settings(FreezeSettings):
        """`tools`: by the name of a tool, what of its results stays."""

        min_tokens: Annotated[int, Field(ge=1)] = 1
        min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
        tools: Annotated[dict[str, ToolFields], Field(min_length=1)]

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _Recipe(settings))


class _Recipe:
    """Results of the tools that have a rule."""

    piece = "value"
    contextual = True

    def __init__(self, settings: Project.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self.version: tuple[object, ...] = ("project", VERSION)
        self._fields: Mapping[str, ToolFields] = settings.tools
        self._expressions = {
            name: tuple(tuple(map(Expression, listed)) for listed in (each.keep, each.drop))
            for name, each in settings.tools.items()
        }

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=False)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:
        found = []
        for spot in spots(dialect, raw, users=False):
            call = tool_call(dialect, earlier, spot.call)
            if call is not None and call.name in self._fields:
                rule = self._fields[call.name].model_dump_json()
                found.append(spot._replace(about=(call.name, rule)))
        return found

    def form(self, spot: Spot, count: Count) -> Form:
        keep, drop = self._expressions[spot.about[0]]
        return shortened(spot.text, count, self.rules, lambda: projected(spot.text, keep, drop))
