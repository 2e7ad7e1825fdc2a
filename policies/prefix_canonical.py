"""Send the same tools in the same bytes, however the client orders them."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import Field

from policies.base.body import Body
from policies.base.call import Call, Dialect, Effect
from policies.base.plan import Outcome
from policies.base.policy import Base, Strict, policy
from policies.base.ports import Store, View
from policies.base.step import Edit, Skip, Step
from policies.base.terms import Terms
from policies.base.units import Duration, Size
from policies.prefix.canonical_memo import Recent
from policies.prefix.canonical_outline import Span, outline, spliced
from policies.prefix.canonical_tools import ToolSets

_DIALECTS = (Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES)
_encode = msgspec.msgpack.Encoder().encode


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """A tool list whose text is, or becomes, the form that is sent from now on."""

    key: bytes
    text: bytes
    now: float


class _Place(msgspec.Struct, frozen=True, gc=False):
    """A form in use, and where it last began: bytes from the body's start, or from its end."""

    text: bytes
    key: bytes
    refreshed: float
    start: int
    end: int

    def stands(self, raw: bytes) -> bool:
        """Whether `raw` holds the form where it did before.

        In an odd body it may be another value that looks like it: then nothing is touched.
        """
        return raw.startswith(self.text, self.start) or raw.startswith(
            self.text, max(0, len(raw) - self.end)
        )


@policy("prefix.canonical")
class CanonicalTools(Base):
    """Replays the first-seen text of a tool list when the set of tools is the same.

    `lossless`: the request carries the same tools, each with the same JSON value, and the
    list's order is one that a client of this tenant has chosen for this very set; nothing is
    sorted. Where order steers what is generated, it is part of a tool's identity: that of all
    arrays, and that of `properties` in strict tools and wherever the client forces a tool
    call, since a grammar then writes arguments in that order.
    """

    effect: ClassVar = Effect.LOSSLESS

    class Settings(Strict):
        """`ttl`: how long a form is kept after its last use; `memory`: bytes kept at hand."""

        ttl: Annotated[Duration, Field(gt=0)] = 30 * 86400.0
        memory: Size = 16_000_000

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        third = settings.memory // 3
        self._forms: Recent[tuple[tuple[str, ...], bytes], tuple[bytes, float]] = Recent(third)
        self._usual: Recent[tuple[str, ...], _Place] = Recent(third)
        self._sets = ToolSets(third)

    def idle(self, call: Call, terms: Terms) -> str:
        """Most requests bring no tools, or are too short for their form to matter."""
        if call.dialect not in _DIALECTS or not call.body.field("tools"):
            return "no tools"
        return "too short to be cached" if terms.too_short(len(call.body.raw)) else ""

    async def plan(self, call: Call, view: View) -> Step:
        """`Edit` where the same tools were seen in another form before."""
        scope = _scope(call)
        usual = self._usual.get(scope)
        if usual is not None and usual.stands(call.body.raw) and self._recent(usual, view.now):
            return Skip("tools as first seen")
        found = outline(call.body)
        span = found.spans.get("tools") if found else None
        if span is None:
            return Skip("no tools")
        text = call.body.raw[span[0] : span[1]]
        known = self._forms.get((scope, text))
        if known is None:
            return await self._replay(call, view, span)
        place = _Place(text, *known, span[0], len(call.body.raw) - span[0])
        self._usual.put(scope, place, len(text) + len(call.model))
        due = not self._recent(place, view.now)
        return Skip("tools as first seen", _Seen(known[0], text, view.now) if due else None)

    async def _replay(self, call: Call, view: View, span: Span) -> Step:
        """What to do with a form that is not known to be the first."""
        text = call.body.raw[span[0] : span[1]]
        named = self._sets.key(text, call.dialect)
        if named is None:
            return Skip("tools of a shape to leave alone")
        key = sha256(_encode(_scope(call)) + named).digest()
        entry = await view.store.get(key)
        if entry is None or entry.value == text:
            why = "tools seen for the first time" if entry is None else "tools as first seen"
            return Skip(why, _Seen(key, text, view.now))
        if not self._same(entry.value, text, call):
            return Skip("the order of the tools' properties counts, and is new")
        body = Body(spliced(call.body.raw, [(span, entry.value)]))
        seen = _Seen(key, entry.value, view.now)
        return Edit(body, self.effect, "tools in the form first seen", memo=seen)

    def _recent(self, place: _Place, now: float) -> bool:
        """Whether the store will keep the form for a good while yet."""
        return 0 <= now - place.refreshed < self.settings.ttl / 4

    def _same(self, kept: bytes, text: bytes, call: Call) -> bool:
        """Whether the form that was kept says the same, to a grammar too if one is used."""
        forced = _forces(call.doc().get("tool_choice"))
        wanted = self._sets.key(text, call.dialect, forced=forced)
        return wanted is not None and wanted == self._sets.key(kept, call.dialect, forced=forced)

    async def settle(self, call: Call, step: Step, outcome: Outcome, store: Store) -> None:  # noqa: ARG002 - the form counts, not the reply
        """Keep the form of a new set of tools; what was stored first stays."""
        seen = step.memo
        if not isinstance(seen, _Seen):
            return
        entry = await store.get(seen.key)
        form = seen.text if entry is None else entry.value
        if entry is None or 0 < entry.expires < seen.now + 0.75 * self.settings.ttl:
            await store.put(seen.key, form, self.settings.ttl, call.model)
        if form == seen.text:
            size = len(form) + len(call.model)
            self._forms.put((_scope(call), form), (seen.key, seen.now), size)


def _scope(call: Call) -> tuple[str, ...]:
    """Whose forms these are: a tool list may be written otherwise for another model."""
    return (call.tenant, call.route, call.model, call.path)


def _forces(choice: Any) -> bool:
    """Whether the client forces a tool call, which a grammar may then hold to the schema."""
    if isinstance(choice, dict):
        return choice.get("type") not in ("auto", "none")
    return choice not in (None, "auto", "none")
