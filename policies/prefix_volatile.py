"""Move what changes with every request from the system prompt to the end of the conversation."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, ClassVar

import msgspec
from msgspec import structs
from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Effect
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Store, View
from policies.base.prompt import blocks
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Duration, Size
from policies.prefix.canonical_outline import spliced
from policies.prefix.start import opening_of
from policies.prefix.volatile_alike import Alike
from policies.prefix.volatile_clock import timed
from policies.prefix.volatile_cost import Rates, lost, told
from policies.prefix.volatile_fitness import unfit
from policies.prefix.volatile_learner import Learner, Moved
from policies.prefix.volatile_lines import BESIDES, System, digest, reminder, rewritten, system
from policies.prefix.volatile_memory import State, Template, encoded, templates
from policies.prefix.volatile_memory import state as read_state
from policies.prefix.volatile_turns import Turns, marked, opens, turns, with_appended

_KEPT = 8  # templates per scope and shape
_TEMPLATE_TTL = 30 * 86400.0
_UNEDITED = "the conversation began unedited, or is not remembered"
_RETRY = 60.0  # seconds within which the same opening again is the same request again
_CALM = 1024  # scopes whose latest prompt is remembered, as a hash
_NONE = Template((), b"")
_READ = frozenset({"anthropic_marks", "openai_breakpoints"})
_QUIET = "no line of the system prompt is known to change"
_LARGEST = 65536  # bytes of what is remembered of one conversation


class _Observed(msgspec.Struct, frozen=True):
    """What `settle` needs. `kept`: the state of the conversation `key`, where it is new."""

    prompt: System
    slot: bytes
    now: float
    template: Template | None = None
    key: bytes = b""
    kept: bytes = b""


class _Calm(msgspec.Struct, gc=False):
    """A prompt that taught nothing, by its hash, and whose it is.

    `sated`: of requests that open a conversation (True) and of others, those of which one more
    would teach nothing either.
    """

    text: int
    slot: bytes
    sated: frozenset[bool] = frozenset()


@policy("prefix.volatile")
class VolatileLines(Base):
    """Learns which lines of a system prompt change with every request, and moves them.

    A fixed placeholder stays in each line's place; the line itself goes after the last user
    message, where its value has changed since it was last given, and stays there in all later
    turns. During a tool loop nothing is added: the model reads the value as of the last user
    message. A conversation that began unedited, or of which nothing is remembered, is left
    alone, as is one with the client's own cache marks, and one whose first request has answers
    in it already, such as examples. Two that begin with the same words are told apart by the
    session header, `user`, `prompt_cache_key` or `safety_identifier`; where clients send none
    of them, the values of the later one count for both until their answers differ.
    """

    effect: ClassVar = Effect.REORDER

    class Settings(Strict):
        """`ttl`: how long a silent conversation is remembered; `memory`: bytes to learn in."""

        ttl: Annotated[Duration, Field(gt=0)] = 86400.0
        memory: Size = 8_000_000

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._learner = Learner(settings.memory)
        self._alike = Alike()
        self._rates = Rates()
        self._calm: dict[tuple[str, ...], _Calm | None] = {}

    def idle(self, call: Call, terms: Terms) -> str:
        """What is too short to be cached loses nothing by its lines; most prompts have none."""
        if terms.too_short(len(call.body.raw)):
            return "too short to be cached"
        opening = opening_of(call, BESIDES[call.dialect]) if call.dialect in BESIDES else None
        calm: _Calm | None = None if opening is None else opening.notes.get(self)
        if calm is None or self._calm.get(_scope(call)) is not calm:
            return ""
        return _QUIET if opens(call) in calm.sated else ""

    def reads(self, call: Call, terms: Terms) -> bool:  # noqa: ARG002 - the contract's
        """They are wanted for the marks: what was read of the turn before saves time."""
        return terms.rule in _READ

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where lines move; the `why` of either step says which change, at what cost."""
        if self.reads(call, view.terms(call)):
            blocks(call)
        prompt = _prompt(call)
        if isinstance(prompt, str):
            return Skip(prompt)
        calm = self._calm.get(_scope(call))
        if calm is not None and calm.text == hash(prompt.texts):
            return Skip(_QUIET, calm)
        slot = _slot(call, prompt)
        template = self._template(call, prompt, templates(await view.store.get(slot)), view.now)
        if template is _NONE:
            return Skip(_QUIET, _Observed(prompt, slot, view.now))
        seen = _Observed(prompt, slot, view.now, template)
        found = turns(call, b"volatile")
        if found is None or marked(call.doc()):
            why = "a shape to leave alone" if found is None else "the client's own cache marks"
            return Skip(self._told(call, view, seen, found, why), seen)
        state = await self._state(call, found, seen, view)
        if isinstance(state, str):
            return Skip(self._told(call, view, seen, found, state), seen)
        return self._moved(call, view, seen, found, state)

    def _template(
        self, call: Call, prompt: System, known: tuple[Template, ...], now: float
    ) -> Template | None:
        """What moves out of the prompt: None where it is not known, `_NONE` where nothing is."""
        found = next((each for each in known if _fits(each, prompt)), None)
        if found is not None:
            return found
        lines = prompt.lines()
        moved = self._alike.moved(_scope(call), lines) or timed(prompt.texts, lines, now)
        if moved:
            return Template(moved, digest(prompt.without([index for index, _, _ in moved])))
        return None if known else _NONE

    def _moved(self, call: Call, view: View, seen: _Observed, found: Turns, state: State) -> Step:
        """The edit, where it can be made and remembered."""
        body = _edited(call, seen.prompt, found, state)
        kept = encoded(state) if state.at == view.now else b""
        if body is None or len(kept) > _LARGEST:
            return Skip("a shape to leave alone" if body is None else "too long to remember", seen)
        seen = structs.replace(seen, template=state.template, key=found.key, kept=kept)
        return Edit(body, self.effect, self._told(call, view, seen, found), memo=seen)

    async def _state(self, call: Call, found: Turns, seen: _Observed, view: View) -> State | str:
        """How this turn is to be sent, as before where it was; or why it must stay as it is."""
        kept = read_state(await view.store.get(found.key))
        lines = seen.prompt.lines()
        if kept is None or (not found.follows and abs(view.now - kept.at) > _RETRY):
            if found.opening and not found.follows:
                if seen.template is None:
                    return "the system prompt is new"
                reason = unfit(lines, seen.template.moved, call.body.raw)
                if reason is not None:
                    return f"but it {reason}"
                kept = State(seen.template, view.now, ())
            else:
                if found.follows or found.earlier is None:
                    return _UNEDITED
                kept = read_state(await view.store.get(found.earlier))
                if kept is None:
                    return _UNEDITED
            kept = _reminded(kept, found.last, lines, view.now)
        if kept.template != seen.template and not _fits(kept.template, seen.prompt):
            return "the system prompt has changed"
        return kept

    def _told(
        self, call: Call, view: View, seen: _Observed, found: Turns | None, why: str = ""
    ) -> str:
        """What the lines cost, as far as they are known, and `why` they stay."""
        if seen.template is None:
            return why
        moved = seen.template.indexes()
        tokens = lost(seen.prompt, moved[0], found.answered() if found else 0)
        daily = self._rates.daily(seen.slot + seen.template.rest, view.now)
        text = told(moved, tokens, view.terms(call), daily)
        return f"{text}; {why}" if why else text

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:
        """Learn from the prompt; remember how the conversation was sent, if it was edited."""
        seen = step.memo
        if isinstance(seen, _Calm):
            self._again(call, seen)
        if not isinstance(seen, _Observed):
            return
        lines = seen.prompt.lines()
        moved = self._learner.observe(seen.slot, lines, opening=opens(call), now=seen.now)
        calm = not moved and seen.template is None
        self._remember(call, _Calm(hash(seen.prompt.texts), seen.slot) if calm else None)
        if seen.template is not None:
            self._rates.count(seen.slot + seen.template.rest, seen.now)
        if seen.template is not None and isinstance(step, Edit):
            moved = moved or seen.template.moved  # known by the line alone: for other workers
        if moved:
            self._alike.note(_scope(call), lines, moved)
            await self._publish(call, seen, moved, store)
        if seen.kept and isinstance(step, Edit) and outcome.applied:
            await store.put(seen.key, seen.kept, self.settings.ttl, call.model)

    def _again(self, call: Call, calm: _Calm) -> None:
        """The latest prompt has come again; where it opens a known body, that tells it."""
        kind = opens(call)
        if self._learner.again(calm.slot, opening=kind):
            calm.sated |= {kind}
            opening = opening_of(call, BESIDES[call.dialect])
            if opening is not None:
                opening.notes[self] = calm

    def _remember(self, call: Call, calm: _Calm | None) -> None:
        """The latest prompt, which need not be read again before another has come."""
        if len(self._calm) >= _CALM:
            self._calm.clear()
        self._calm[_scope(call)] = calm

    async def _publish(
        self, call: Call, seen: _Observed, moved: tuple[Moved, ...], store: Store
    ) -> None:
        """Let every worker know which lines change."""
        entry = await store.get(seen.slot)
        known = templates(entry)
        indexes = [index for index, _, _ in moved]
        new = Template(moved, digest(seen.prompt.without(indexes)))
        if any(each.rest == new.rest for each in known):
            if entry is None or entry.expires - seen.now > _TEMPLATE_TTL / 2:
                return
            kept = known
        else:
            kept = (new, *known[: _KEPT - 1])
        await store.put(seen.slot, encoded(kept), _TEMPLATE_TTL, call.model)


def _prompt(call: Call) -> System | str:
    """The system prompt; or why there is nothing to look at."""
    found = system(call) if call.dialect in BESIDES else None
    return "no system prompt" if found is None else found


def _scope(call: Call) -> tuple[str, ...]:
    return call.tenant, call.route, call.model, call.path


def _slot(call: Call, prompt: System) -> bytes:
    """Names the prompts that can be laid side by side."""
    return sha256(encoded((*_scope(call), prompt.shape()))).digest()


def _fits(template: Template, prompt: System) -> bool:
    return digest(prompt.without(template.indexes())) == template.rest


def _reminded(kept: State, last: int, lines: list[str], now: float) -> State:
    """The state once the lines stand after message `last`, unless they have not changed."""
    text = reminder(lines, kept.template.indexes())
    reminders = kept.reminders
    if not reminders or reminders[-1][1] != text:
        reminders = (*reminders, (last, text))
    return State(kept.template, now, reminders)


def _edited(call: Call, prompt: System, found: Turns, state: State) -> Body | None:
    """The body with lines moved; None where some span is uncertain."""
    head = rewritten(call, prompt, prompt.without(state.template.indexes()))
    tail = with_appended(found, state.reminders, call.dialect)
    if head is None or tail is None:
        return None
    return Body(spliced(call.body.raw, head + tail))
