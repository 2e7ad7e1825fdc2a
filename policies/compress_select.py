"""Of long results and retrieved documents, the passages that have to do with the question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from policies.base.call import Dialect, Effect
from policies.base.policy import policy
from policies.base.ports import Count
from policies.compress import select_semantic as semantic
from policies.compress.freeze import FreezeSettings, Frozen
from policies.compress.freeze_form import AS_IT_CAME, Form, Rules, Short, each_once, shortened
from policies.compress.freeze_places import Spot, signs, spots
from policies.compress.select_choice import Limits, Rank, chosen
from policies.compress.select_passages import passages
from policies.compress.select_question import Questions, asked
from policies.compress.select_text import form

VERSION = 6  # of what is chosen, all else being equal
LARGEST = 500_000  # characters; longer texts are left alone
# One of them is in the JSON of every text with delimited documents; some write tags otherwise.
_TAGS = (b"</", rb"<\/", rb"\u003c/", rb"\u003C/")
_LABELS = (rb"\n[2]", b"Document [2]", b"Document 2", b"Passage 2", b"Source 2", b"[doc2]")


@policy("compress.select")
class Select(Frozen):
    """Leaves out passages of tools' results and of delimited documents in users' texts.

    `lossy`. A passage stays whole or goes whole. What is asked is the last text of a user
    before the passage, and the arguments of the tool call. Errors, exit codes, stack frames,
    headings, and passages with the question's numbers and identifiers always stay. JSON, code
    and diffs are left alone.
    """

    effect: ClassVar = Effect.LOSSY

    class Settings(FreezeSettings):
        """`share` of a text's tokens that stays, and `tokens` of it at most.

        Without either, only passages go that have little to do with the question and in which
        there is no number, address, path, identifier, negation or failure. `by`: words,
        meaning (of `model`, a folder), or both.
        """

        min_tokens: Annotated[int, Field(ge=1)] = 300
        share: Annotated[float, Field(gt=0, lt=1)] | None = None
        tokens: Annotated[int, Field(ge=1)] | None = None
        by: Literal["bm25", "minilm", "both"] = "bm25"
        model: Annotated[Path, Field(strict=False)] | None = None

    def __init__(self, settings: Settings) -> None:
        self._chooser = _Recipe(settings)
        super().__init__(settings, self._chooser)

    async def setup(self) -> None:
        """Load the embedding model where one is wanted. Raises with the command to run."""
        await self._chooser.setup()


class _Recipe:
    """Results of tools, and documents in users' texts."""

    piece = "passage"
    contextual = True

    def __init__(self, settings: Select.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self._settings = settings
        self._limits = Limits(settings.share, settings.tokens)
        self._rank: Rank | None = None  # by words
        self._questions = Questions()
        self.version: tuple[object, ...] = ("select", VERSION, *self._limits, settings.by)

    async def setup(self) -> None:
        by = self._settings.by
        if by != "bm25":
            model, digest = await semantic.loaded(self._settings.model)
            self._rank = semantic.ranking(model, both=by == "both")
            self.version = (*self.version, digest)

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        found = signs(dialect, users=False)
        return (*found, *_TAGS, *_LABELS) if found else ()

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:
        found = []
        for spot in spots(dialect, raw, users=True):
            text, call = spot.text, spot.call
            question = (
                asked(text) if spot.pasted else self._questions.of_result(dialect, earlier, call)
            )
            if question:
                found.append(spot._replace(about=(question,)))
        return found

    def form(self, spot: Spot, count: Count) -> Form:
        text, (question,), rules = spot.text, spot.about, self.rules
        if len(text) > LARGEST:
            return AS_IT_CAME
        rank = self._rank
        if rank is None:
            return form(text, question, self._limits, count, rules, pasted=spot.pasted)
        once = each_once(count)

        def make() -> Short | None:
            split = passages(text, pasted=spot.pasted)
            return split and chosen(text, split, question, self._limits, (rank, once))

        return shortened(text, once, rules, make)
