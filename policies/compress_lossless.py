"""Tool results in fewer tokens, with nothing lost, and in the same bytes every turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from policies.base.call import Dialect, Effect
from policies.base.policy import policy
from policies.compress.freeze import FreezeSettings, Frozen
from policies.compress.freeze_form import Form, Rules
from policies.compress.freeze_places import Spot, signs, spots
from policies.compress.lossless_forms import VERSION, form
from policies.compress.text_measure import Count


@policy("compress.lossless")
class Lossless(Frozen):
    """Rewrites tool results, each once: the same text has the same form in every turn.

    `lossless`: JSON without white space or as tables, logs as templates, repeats by reference,
    all read back and compared before use; of terminal output what it shows. A form depends on
    the text, the model and the settings. Where it is not there in time, the original goes, and
    goes on being sent in this conversation.
    """

    effect: ClassVar = Effect.LOSSLESS

    class Settings(FreezeSettings):
        """`min_tokens` of a text, `min_gain` the share of them that must go.

        `pasted`: also texts of users that are JSON or logs throughout. `budget`: for texts that
        are new. `memory`: bytes kept at hand; `ttl`: how long a form is stored.
        """

        pasted: bool = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _Recipe(settings))


class _Recipe:
    """Results of tools, and what users paste where `pasted`."""

    piece = ""
    contextual = False

    def __init__(self, settings: Lossless.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self.version: tuple[object, ...] = ("lossless", VERSION)
        self._pasted = settings.pasted

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=self._pasted)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:  # noqa: ARG002 - a form has nothing to do with what was said before
        found = spots(dialect, raw, users=self._pasted)
        return [spot._replace(about=("pasted",)) if spot.pasted else spot for spot in found]

    def form(self, spot: Spot, count: Count) -> Form:
        return form(spot.text, count, self.rules, pasted=spot.pasted)
