"""Long prose in the results of tools with fewer words, by LLMLingua-2; lossy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from policies.base.call import Call, Dialect, Effect
from policies.base.policy import policy
from policies.base.ports import Count, View
from policies.base.step import Skip, Step
from policies.base.units import Duration
from policies.compress.freeze import FreezeSettings, Frozen
from policies.compress.freeze_form import UNKNOWN, Form, Rules, Short, shortened
from policies.compress.freeze_places import Spot, signs, spots
from policies.compress.lingua_child import command
from policies.compress.lingua_classifier import Classifier, Unavailable
from policies.compress.lingua_install import USUAL, fingerprint, folder
from policies.compress.lingua_pipe import Shown, Start
from policies.compress.prose_cut import cut, joined

_VERSION = 3  # of what is cut and shown: what an older one has sent is sent no more
_LARGEST = 100_000  # characters
_FEWEST = 40  # words that may go; for less the model is not asked
_THREADS = 16  # texts that can wait for the model at a time


@policy("compress.llmlingua")
class LLMLingua(Frozen):
    """Leaves words out of long prose in tool results, as LLMLingua-2 judges; each text once.

    `lossy`. Never touched: numbers, negations, modals, `and` and `or`, names, addresses, paths,
    identifiers, quoted text, errors, and whatever is not prose. The model runs in a process of
    its own. What it has not judged in time goes as it came, and goes on doing so in this
    conversation.
    """

    effect: ClassVar = Effect.LOSSY

    class Settings(FreezeSettings):
        """`model`: a folder, or an id in Hugging Face's cache; `device`: `cpu`, `cuda`, `cuda:1`.

        `rate`: the least share of the words that may go which stays. `batch`: chunks of 500
        tokens that the model reads at once; `window`: how long a text waits for others.
        `budget`: for texts that are new; it takes a `deadline` that is longer.
        """

        model: Annotated[str, Field(min_length=1)] = USUAL
        device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$")] = "auto"
        rate: Annotated[float, Field(ge=0.3, le=0.95)] = 0.5
        batch: Annotated[int, Field(ge=1, le=256)] = 16
        window: Annotated[Duration, Field(le=1)] = 0.003
        min_tokens: Annotated[int, Field(ge=150)] = 300

    def __init__(self, settings: Settings) -> None:
        self._start = Start(settings.model, settings.device, settings.rate, settings.batch)
        self._window = settings.window
        self._prose = _Recipe(settings)
        super().__init__(settings, self._prose, threads=_THREADS)

    async def setup(self) -> None:
        """Start the process, without waiting for the model to load. Raises `RuntimeError`."""
        found = await asyncio.to_thread(folder, self._start.model)
        self._prose.version += (await asyncio.to_thread(fingerprint, found),)
        start = msgspec.structs.replace(self._start, model=str(found))
        self._prose.classifier = Classifier(command(start), self._window)
        self._prose.classifier.start()

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where texts of the prompt have shorter forms."""
        step = await super().plan(call, view)
        classifier = self._prose.classifier
        if isinstance(step, Skip) and classifier is not None and classifier.trouble:
            return msgspec.structs.replace(step, why=f"no model: {classifier.trouble}")
        return step

    async def aclose(self) -> None:
        """End the process and the threads."""
        if self._prose.classifier is not None:
            await asyncio.to_thread(self._prose.classifier.close)
        await super().aclose()


class _Recipe:
    """Prose in the results of tools."""

    piece = "word"
    contextual = False

    def __init__(self, settings: LLMLingua.Settings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self.version: tuple[object, ...] = ("llmlingua", _VERSION, settings.rate)
        self.classifier: Classifier | None = None

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=False)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:  # noqa: ARG002 - a form has nothing to do with what was said before
        return spots(dialect, raw, users=False)

    def form(self, spot: Spot, count: Count) -> Form:
        """Unknown where the model could not be asked: another conversation asks it again."""
        unasked = False

        def make() -> Short | None:
            nonlocal unasked
            try:
                return self._short(spot.text)
            except Unavailable:
                unasked = True
                return None

        made = shortened(spot.text, count, self.rules, make)
        return UNKNOWN if unasked else made

    def _short(self, text: str) -> Short | None:
        if len(text) > _LARGEST:
            return None
        if self.classifier is None:
            raise Unavailable("it is not set up")
        made = cut(text)
        if made.free < _FEWEST:
            return None
        verdict = self.classifier.judge(Shown(made.words, made.must))
        if verdict is None:
            raise Unavailable("nothing can be said of the text")
        return joined(text, made, verdict)
