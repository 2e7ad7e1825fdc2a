"""Fixed placements of cache marks, which a user could set by hand, as policies to compare with."""

from collections.abc import Iterator
from typing import Any

from policies.base.call import Call, Dialect, Effect
from policies.base.policy import Base
from policies.base.ports import View
from policies.base.step import Edit, Skip, Step
from proxy.pipeline import Pipeline, Stage

# By name: whether the end of the system text is marked, and how many of the last messages.
PLACEMENTS = {
    "none": (False, 0),
    "system": (True, 0),
    "tail": (False, 1),
    "system and tail": (True, 1),
    "last two": (False, 2),
    "system and last two": (True, 2),
    "system and last three": (True, 3),
}


class Placement(Base):
    """Marks the same places in every request."""

    name = "fixed.placement"

    def __init__(self, *, system: bool, last: int) -> None:
        self._system = system
        self._last = last

    async def plan(self, call: Call, view: View) -> Step:  # noqa: ARG002 - `Policy`'s signature
        """The request with marks."""
        edits = dict(self._edits(call.doc(), claude=call.dialect is Dialect.MESSAGES))
        if not edits:
            return Skip("nothing to mark")
        return Edit(call.body.edit(edits), Effect.EXACT, "marked")

    def _edits(self, doc: dict[str, Any], *, claude: bool) -> Iterator[tuple[Any, Any]]:
        mark = {"cache_control": {"type": "ephemeral"}} if claude else {}
        mark = mark or {"prompt_cache_breakpoint": {"mode": "explicit"}}
        messages = doc["messages"]
        if self._system and claude and "system" in doc:
            yield ("system",), _marked(doc["system"], mark)
        places = {0} if self._system and not claude else set()
        places |= set(range(max(0, len(messages) - 2 * self._last), len(messages))[::-2])
        for place in sorted(places):
            if messages[place].get("content"):
                yield ("messages", place, "content"), _marked(messages[place]["content"], mark)


def _marked(content: Any, mark: dict[str, Any]) -> list[dict[str, Any]]:
    """The content with a mark at its end."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*parts[:-1], {**parts[-1], **mark}]


def placements() -> list[Pipeline]:
    """One pipeline for each placement, under its name."""
    made = []
    for name, (system, last) in PLACEMENTS.items():
        stage = Stage(Placement(system=system, last=last), shadow=False, deadline=5.0)
        made.append(Pipeline(name, (stage,), frozenset(Effect), 0.0))
    return made
