"""Responses in rounds: what a reply calls, how it goes on, what the client sees.

OpenAI refuses a reasoning item without the item that it led to. One that led to a call of our
tool is therefore shown no more than the call, and waits in a stream until that is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies.base.local_tool import Said
from proxy.wire import replay_responses
from proxy.wire.document import dicts, read
from proxy.wire.replay_merge import dump, objects
from proxy.wire.rounds import LIMIT, Apart, Call, Calls, Members, place, total
from proxy.wire.sse import Event, encode, events

_OPENING = frozenset({"response.created", "response.in_progress", "response.queued"})
_FAILING = frozenset({"response.failed", "error"})
_ENDING = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Responses(Apart):
    """`Form` of `responses`."""

    field = "input"
    silence: Any = "none"

    def plain(self, events: list[Event]) -> Members:
        """As `Form`."""
        return replay_responses.plain(events, _ENDING)

    def calls(self, doc: Members, name: str) -> Calls:
        """As `Form`."""
        made = [item for item in objects(doc.get("output")) if str(item.get("type")) in _CLIENTS]
        own = [item for item in made if _is_own(item, name)]
        asked = [Call(str(i.get("call_id")), str(i.get("arguments") or "")) for i in own]
        return Calls(asked, len(own) < len(made), doc.get("status") == "completed")

    def turn(self, doc: Members) -> list[Members]:
        """As `Form`: where nothing is stored, reasoning goes back only if it is encrypted.

        A call whose reasoning is left out must not name itself: OpenAI would miss it.
        """
        items = objects(doc.get("output"))
        if doc.get("store") is not False:
            return items
        found: list[Members] = []
        bare = False
        for item in items:
            if item.get("type") == "reasoning" and not item.get("encrypted_content"):
                bare = True
            else:
                found.append(item)
        if bare:
            found = [{name: it[name] for name in it if name != "id"} for it in found]
        return found

    def answer(self, call: Call, said: Said) -> Members:
        """As `Apart`."""
        return {"type": "function_call_output", "call_id": call.id, "output": said.text}

    def shown(self, docs: Sequence[Members], name: str, *, cut: bool) -> Members:
        """As `Form`: the items of all rounds, under the last one's id."""
        items = [item for doc in docs for item in _visible(objects(doc.get("output")), name)]
        limited = {"status": "incomplete", "incomplete_details": {"reason": LIMIT}} if cut else {}
        return {**docs[-1], "output": items, **limited, "usage": total(docs)}

    def relay(self, name: str, *, usage: bool) -> ResponsesRelay:  # noqa: ARG002 - it is always told
        """As `Form`."""
        return ResponsesRelay(name)


_CLIENTS = frozenset(  # what asks the client for something
    {
        *("function_call", "custom_tool_call", "computer_call", "local_shell_call"),
        *("shell_call", "apply_patch_call", "tool_search_call"),
    }
)


def _calls_own(ending: Members, name: str) -> bool:
    """Some hosts send no items, but the whole response at its end."""
    response = ending.get("response")
    output = response.get("output") if isinstance(response, dict) else None
    return any(_is_own(item, name) for item in dicts(output))


def _is_own(item: Members, name: str) -> bool:
    return item.get("type") == "function_call" and item.get("name") == name


def _visible(items: Sequence[Members], name: str) -> list[Members]:
    """A round's items less the calls of the tool, and reasoning after which nothing is left."""
    found = [item for item in items if not _is_own(item, name)]
    if len(found) < len(items):
        while found and found[-1].get("type") == "reasoning":
            found.pop()
    return found


class ResponsesRelay:
    """`Relay` of events. Numbers in sequence are given anew."""

    def __init__(self, name: str) -> None:
        self.own = self.over = self.failed = False
        self.events: list[Event] = []
        self._name = name
        self._first = True
        self._name_shown: str | None = None  # of the response, as the client knows it
        self._opening: list[tuple[bytes, Event, Members]] = []  # until anything follows
        self._held: list[tuple[bytes, Event, Members]] = []  # until it is known what follows
        self._withheld: set[int] = set()  # this round's indices that are not shown
        self._places: dict[int, int] = {}  # of this round's items
        self._shown = 0  # items that the client has seen
        self._number: int | None = None  # of the next event that passes
        self._tail: list[tuple[bytes, Event, Members]] = []

    @property
    def begun(self) -> bool:
        """As `Relay`."""
        return bool(self._places)

    @property
    def whole(self) -> bool:
        """As `Relay`."""
        return self.over

    def feed(self, frame: bytes) -> bytes:
        """As `Relay`."""
        found = events(frame)
        if not found:
            return frame
        self.events += found
        doc = read(found[0].data)
        return frame if doc is None else self._event(frame, found[0], doc)

    def _event(self, frame: bytes, event: Event, doc: Members) -> bytes:
        kind = str(doc.get("type"))
        at = place(doc["output_index"]) if "output_index" in doc else None
        if kind == "response.output_item.added":
            return self._added(frame, event, doc)
        if kind in _FAILING:
            self.failed = not self._first and not self.begun
        if kind in _ENDING:
            self._tail.append((frame, event, doc))
            self.over = True
            self.own = self.own or _calls_own(doc, self._name)
        elif self.failed:
            return b""
        elif kind in _OPENING:
            if kind == "response.created":
                self._opening.clear()  # of a round of which nothing was shown
            if self._name_shown is None:
                self._opening.append((frame, event, doc))
        elif at is None or at in self._places:
            return self.broken() + self._passed(frame, event, doc)
        elif at not in self._withheld:
            self._held.append((frame, event, doc))  # of reasoning that waits
        return b""

    def _added(self, frame: bytes, event: Event, doc: Members) -> bytes:
        item = doc.get("item")
        item = item if isinstance(item, dict) else {}
        if _is_own(item, self._name):
            self.own = True
            self._withheld.add(place(doc.get("output_index")))
            return b""
        self._held.append((frame, event, doc))
        return b"" if item.get("type") == "reasoning" else self._flush()

    def _flush(self) -> bytes:
        held, self._held = self._held, []
        return self.broken() + b"".join(self._passed(*each) for each in held)

    def broken(self) -> bytes:
        """As `Relay`: the opening, without which the SDK takes no other event."""
        opening, self._opening = self._opening, []
        for _, _, doc in opening:
            response = doc.get("response")
            if isinstance(response, dict):
                self._name_shown = response.get("id")
        return b"".join(self._passed(*each) for each in opening)

    def same(self) -> Members:
        """As `Relay`: the SDK wants one id from beginning to end."""
        return {} if self._name_shown is None else {"id": self._name_shown}

    def _passed(self, frame: bytes, event: Event, doc: Members) -> bytes:
        new = self._renewed(doc)
        return frame if new == doc else encode(dump(new), event.event)

    def _renewed(self, doc: Members) -> Members:
        """The event with the next number, and the place that its item has for the client."""
        new = dict(doc)
        if "output_index" in doc:
            at = place(doc["output_index"])
            if at not in self._places:
                self._places[at] = self._shown
                self._shown += 1
            new["output_index"] = self._places[at]
        if type(doc.get("sequence_number")) is int:
            number = doc["sequence_number"] if self._number is None else self._number
            new["sequence_number"] = number
            self._number = number + 1
        return new

    def again(self) -> bytes:
        """As `Relay`."""
        self._first = self.own = self.over = self.failed = False
        self._held, self._tail, self.events = [], [], []
        self._places, self._withheld = {}, set()
        return b""

    def end(self, shown: Members | None, *, cut: bool) -> bytes:
        """As `Relay`."""
        if self.own:
            self._held = []  # reasoning that led to nothing that is shown
        passed = self._flush()
        for frame, event, doc in self._tail:
            if shown is None:
                passed += self._passed(frame, event, doc)
                continue
            kind = "response.incomplete" if cut else str(doc.get("type"))
            whole = self._renewed({**doc, "type": kind, "response": shown})
            passed += encode(dump(whole), kind)
        return passed
