"""Chat completions in rounds: what a reply calls, how it goes on, what the client sees.

What an assistant's message keeps in the next prompt: what OpenAI's reference lists, and the
reasoning that DeepSeek and OpenRouter want back while tools are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies.base.local_tool import Said
from proxy.wire import replay_chat
from proxy.wire.calls_chat import Heard, said
from proxy.wire.document import dicts, read
from proxy.wire.replay_merge import CannotRender, dump, mapping, objects
from proxy.wire.rounds import Apart, Call, Calls, Members, place, total
from proxy.wire.sse import Event, encode, events

_ENDED = frozenset({"tool_calls", "stop", "function_call"})
_KEPT = ("role", "content", "refusal", "reasoning_content", "reasoning_details", "tool_calls")
_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")
_GAP = "\n\n"  # between what is said in one round and in the next


class Chat(Apart):
    """`Form` of `chat/completions` with one choice."""

    field = "messages"
    silence: Any = "none"

    def plain(self, events: list[Event]) -> Members:
        """As `Form`."""
        return replay_chat.plain(events)

    def calls(self, doc: Members, name: str) -> Calls:
        """As `Form`."""
        choice = _choice(doc)
        made = dicts(mapping(choice.get("message")).get("tool_calls"))
        own = [call for call in made if _named(call, name)]
        asked = [Call(str(c.get("id")), str(c["function"].get("arguments") or "")) for c in own]
        return Calls(asked, len(own) < len(made), str(choice.get("finish_reason")) in _ENDED)

    def turn(self, doc: Members) -> list[Members]:
        """As `Form`."""
        message = mapping(_choice(doc).get("message"))
        kept = {name: message[name] for name in _KEPT if message.get(name) is not None}
        return [{"role": "assistant", "content": None, **kept}]

    def answer(self, call: Call, said: Said) -> Members:
        """As `Apart`."""
        return {"role": "tool", "tool_call_id": call.id, "content": said.text}

    def shown(self, docs: Sequence[Members], name: str, *, cut: bool) -> Members:
        """As `Form`: the texts of all rounds, and the calls of the last."""
        last = _choice(docs[-1])
        message = dict(mapping(last.get("message")))
        texts = [mapping(_choice(doc).get("message")).get("content") for doc in docs]
        said = [text for text in texts if isinstance(text, str) and text]
        message["content"] = _GAP.join(said) or message.get("content")
        calls = [call for call in dicts(message.pop("tool_calls", None)) if not _named(call, name)]
        if calls:
            message["tool_calls"] = calls
        reason = "length" if cut else last.get("finish_reason")
        choice = {**last, "message": message, "finish_reason": reason}
        return {**docs[-1], "choices": [choice], "usage": total(docs)}

    def relay(self, name: str, *, usage: bool) -> ChatRelay:
        """As `Form`."""
        return ChatRelay(name, usage=usage)


def _choice(doc: Members) -> Members:
    choices = objects(doc.get("choices"))
    if len(choices) != 1:
        raise CannotRender("not one choice")
    return choices[0]


def _named(call: Members, name: str) -> bool:
    function = call.get("function")
    return isinstance(function, dict) and function.get("name") == name


class ChatRelay:
    """`Relay` of chunks."""

    def __init__(self, name: str, *, usage: bool) -> None:
        self._own = self.over = self.failed = False
        self.events: list[Event] = []
        self._name = name
        self._usage = usage
        self._first = True
        self._begun = False
        self._head: Members | None = None  # of the first chunk that has passed
        self._spoke = self._speaks = False  # text in a round before, and in this one
        self._places: dict[int, int | None] = {}  # of this round's calls; None: not shown
        self._heard: dict[int, Heard] = {}  # the last call at each place
        self._shown = 0  # calls that the client has seen
        self._open: dict[int, list[Members]] = {}  # parts of calls whose names are not whole
        self._tail: list[tuple[bytes, Members]] = []  # from the end of the choice on

    @property
    def own(self) -> bool:
        """As `Relay`."""
        return self._own or bool(self._open)

    @property
    def begun(self) -> bool:
        """As `Relay`."""
        return self._begun

    @property
    def whole(self) -> bool:
        """As `Relay`."""
        return self.over or bool(self._tail)

    def feed(self, frame: bytes) -> bytes:
        """As `Relay`."""
        found = events(frame)
        if not found:
            return frame
        self.events += found
        doc = read(found[0].data)
        if doc is None or doc.get("error") is not None:
            done = found[0].data == b"[DONE]"
            if done:
                self._tail.append((frame, {}))
            self.over = self.over or done or doc is not None
            if doc is not None:
                self.failed = not self._first and not self._begun
            return b"" if done or self.failed else frame
        if not dicts(doc.get("choices")):
            if self._tail or doc.get("usage") is not None:
                self._tail.append((frame, doc))
                return b""
            return frame if self._first else b""
        return self._chunk(frame, doc)

    def _chunk(self, frame: bytes, doc: Members) -> bytes:
        choice = dicts(doc["choices"])[0]
        delta = self._delta(choice.get("delta"), ended=choice.get("finish_reason") is not None)
        kept = delta == (choice.get("delta") or {})
        if delta.get("content"):
            self._speaks = True
        if choice.get("finish_reason") is not None or self._tail:
            last = self._with(doc, choice, delta)
            self._tail.append((frame if kept else encode(dump(last)), last))
            return b""
        self._begun = self._begun or bool(delta)
        if kept and self._first:
            self._head = self._head or doc
            return frame
        if not delta:
            return b""
        chunk = self._with(doc, choice, delta)
        self._head = self._head or chunk
        return encode(dump(chunk))

    def _with(self, doc: Members, choice: Members, delta: Members) -> Members:
        """The chunk with this delta, as one of the same reply."""
        return {**doc, **self.same(), "choices": [{**choice, "delta": delta}]}

    def same(self) -> Members:
        """As `Relay`: what all chunks have in common, once one has passed."""
        head = self._head or {}
        return {name: head[name] for name in _HEAD if name in head}

    def _delta(self, given: Any, *, ended: bool) -> Members:
        """A delta less the calls that are not shown; with the last, what was held until then."""
        delta = dict(given) if isinstance(given, dict) else {}
        parts = dicts(delta.pop("tool_calls")) if delta.get("tool_calls") else []
        passed = [new for part in parts for new in self._part(part)]
        for at in [*self._open] if ended else ():
            passed += self._placed(at)
        if passed:
            delta["tool_calls"] = passed
        if not self._first and self._head is not None:
            delta.pop("role", None)
            if delta.get("content") and self._spoke and not self._speaks:
                delta["content"] = _GAP + str(delta["content"])
            delta = {name: value for name, value in delta.items() if value not in (None, "")}
        return delta

    def _part(self, part: Members) -> list[Members]:
        """What passes of a piece of a call: nothing as long as its name may become ours.

        Its name is whole once arguments follow.
        """
        at = place(part.get("index"))
        before: list[Members] = []
        if at in self._heard and self._heard[at].ends(part):
            before = self._placed(at) if at in self._open else []
            self._places.pop(at, None)
            del self._heard[at]
        self._heard.setdefault(at, Heard()).add(part)
        return before + self._continued(at, part)

    def _continued(self, at: int, part: Members) -> list[Members]:
        if at in self._places:
            shown = self._places[at]
            return [] if shown is None else [{**part, "index": shown}]
        held = self._open.setdefault(at, [])
        held.append(part)
        custom = any(each.get("type") not in (None, "", "function") for each in held)
        whole = custom or said(part, "arguments")
        if whole or not self._name.startswith(self._heard[at].name):
            return self._placed(at)
        return []

    def _placed(self, at: int) -> list[Members]:
        """What was held of a call, with the place that it has for the client; nothing of ours."""
        held = self._open.pop(at)
        if self._heard[at].name == self._name:
            self._own = True
            self._places[at] = None
            return []
        self._places[at] = self._shown
        self._shown += 1
        return [{**each, "index": self._places[at]} for each in held]

    def again(self) -> bytes:
        """As `Relay`: what came with the end of the choice and is none."""
        passed = b""
        for _, doc in self._tail:
            for choice in dicts(doc.get("choices")):
                if choice["delta"]:
                    left = {**choice, "finish_reason": None}
                    passed += encode(dump({**doc, "choices": [left], "usage": None}))
                    self._head = self._head or doc
        self._spoke, self._speaks = self._spoke or self._speaks, False
        self._first = self._begun = self._own = self.over = self.failed = False
        self._places, self._heard, self._open = {}, {}, {}
        self._tail, self.events = [], []
        return passed

    def broken(self) -> bytes:
        """As `Relay`: nothing."""
        return b""

    def end(self, shown: Members | None, *, cut: bool) -> bytes:
        """As `Relay`."""
        if shown is None:
            wanted = [frame for frame, doc in self._tail if self._usage or not _only_usage(doc)]
            return b"".join(wanted)
        usage = shown.get("usage")
        passed = b""
        apart = self._usage and any(_only_usage(doc) for _, doc in self._tail)
        for frame, doc in self._tail:
            if not doc:
                passed += frame
            elif _only_usage(doc):
                if apart and usage is not None:
                    passed += encode(dump({**doc, **self.same(), "usage": usage}))
            else:
                passed += encode(dump(_ended(doc, None if apart else usage, cut=cut)))
        return passed


def _only_usage(doc: Members) -> bool:
    return not dicts(doc.get("choices")) and doc.get("usage") is not None


def _ended(doc: Members, usage: Any, *, cut: bool) -> Members:
    """The last chunk. Where no other tells the usage this one does, as some upstreams have it."""
    choice = doc["choices"][0]
    reason = "length" if cut and choice.get("finish_reason") is not None else None
    last = {**choice, "finish_reason": reason or choice.get("finish_reason")}
    told = {"usage": usage} if usage is not None or "usage" in doc else {}
    return {**doc, "choices": [last], **told}
