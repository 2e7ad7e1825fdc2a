"""Anthropic's messages in rounds: what a reply calls, how it goes on, what the client sees.

A message goes back as it was received, thinking and its signatures included, since Anthropic
refuses changed ones; empty texts, which it refuses in prompts, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.wire import replay_messages
from proxy.wire.document import read
from proxy.wire.replay_merge import dump, mapping, objects
from proxy.wire.rounds import Answers, Call, Calls, Members, place, total
from proxy.wire.sse import Event, encode, events

_SILENCE = {"type": "none"}
_KNOWN = ("message_", "content_block_", "error")  # kinds of events that tell something begin so


class Messages:
    """`Form` of `messages`."""

    field = "messages"
    silence: Any = _SILENCE

    def plain(self, events: list[Event]) -> Members:
        """As `Form`."""
        return replay_messages.plain(_readable(events))

    def calls(self, doc: Members, name: str) -> Calls:
        """As `Form`."""
        made = [block for block in objects(doc.get("content")) if block.get("type") == "tool_use"]
        own = [block for block in made if block.get("name") == name]
        asked = [Call(str(each.get("id")), dump(each.get("input")).decode()) for each in own]
        return Calls(asked, len(own) < len(made), doc.get("stop_reason") == "tool_use")

    def turn(self, doc: Members) -> list[Members]:
        """As `Form`."""
        blocks = [block for block in objects(doc.get("content")) if not _is_empty(block)]
        return [{"role": "assistant", "content": blocks}]

    def results(self, answers: Answers) -> list[Members]:
        """As `Form`."""
        return [{"role": "user", "content": self.beside(answers)}]

    def beside(self, answers: Answers) -> list[Members]:
        """As `Form`: all results of one turn stand in one message, before anything else."""
        return [
            {"type": "tool_result", "tool_use_id": call.id, "content": said.text}
            | ({"is_error": True} if said.failed else {})
            for call, said in answers
        ]

    def shown(self, docs: Sequence[Members], name: str, *, cut: bool) -> Members:
        """As `Form`: the blocks of all rounds."""
        blocks = [
            block
            for doc in docs
            for block in objects(doc.get("content"))
            if not _is_own(block, name)
        ]
        reason = {"stop_reason": "max_tokens"} if cut else {}
        return {**docs[-1], "content": blocks, **reason, "usage": total(docs)}

    def relay(self, name: str, *, usage: bool) -> MessagesRelay:  # noqa: ARG002 - it is always told
        """As `Form`."""
        return MessagesRelay(name)


def _readable(events: list[Event]) -> list[Event]:
    """Less events of other kinds, and arguments that are no JSON: cut off, or never checked."""
    docs = [read(event.data) or {"type": "error"} for event in events]
    written: dict[int, list[str]] = {}
    for doc in docs:
        written.setdefault(place(doc.get("index")), []).append(_piece(doc))
    broken = {at for at, given in written.items() if read("".join(given).encode()) is None}
    return [
        event
        for event, doc in zip(events, docs, strict=True)
        if str(doc.get("type")).startswith(_KNOWN)
        and not (_piece(doc) and place(doc.get("index")) in broken)
    ]


def _piece(doc: Members) -> str:
    """What an event says of a call's arguments."""
    delta = doc.get("delta")
    said = delta.get("partial_json") if isinstance(delta, dict) else None
    return said if isinstance(said, str) else ""


def _is_own(block: Members, name: str) -> bool:
    return block.get("type") == "tool_use" and block.get("name") == name


def _is_empty(block: Members) -> bool:
    return block.get("type") == "text" and not str(block.get("text") or "").strip()


class MessagesRelay:
    """`Relay` of events."""

    def __init__(self, name: str) -> None:
        self.own = self.over = self.failed = False
        self.events: list[Event] = []
        self._name = name
        self._first = True
        self._places: dict[int, int | None] = {}  # of this round's blocks; None: not shown
        self._shown = 0  # blocks that the client has seen
        self._tail: list[tuple[bytes, Members]] = []

    @property
    def begun(self) -> bool:
        """As `Relay`."""
        return any(at is not None for at in self._places.values())

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
        doc = read(found[0].data) or {}
        kind = doc.get("type")
        if kind in ("message_delta", "message_stop"):
            self._tail.append((frame, doc))
            self.over = kind == "message_stop"
            return b""
        if kind == "error":
            self.over = True
            self.failed = not self._first and not self.begun
        if self.failed or (kind == "message_start" and not self._first):
            return b""
        if kind == "content_block_start":
            self._start(doc)
        if kind in ("content_block_start", "content_block_delta", "content_block_stop"):
            shown = self._places.get(place(doc.get("index")))
            if shown is None:
                return b""
            if shown != doc.get("index"):
                return encode(dump({**doc, "index": shown}), found[0].event)
        return frame

    def _start(self, doc: Members) -> None:
        block = doc.get("content_block")
        if isinstance(block, dict) and _is_own(block, self._name):
            self.own = True
            self._places[place(doc.get("index"))] = None
        else:
            self._places[place(doc.get("index"))] = self._shown
            self._shown += 1

    def again(self) -> bytes:
        """As `Relay`."""
        self._first = self.own = self.over = self.failed = False
        self._places, self._tail, self.events = {}, [], []
        return b""

    def same(self) -> Members:
        """As `Relay`: the end of a message does not repeat its head."""
        return {}

    def broken(self) -> bytes:
        """As `Relay`: nothing."""
        return b""

    def end(self, shown: Members | None, *, cut: bool) -> bytes:  # noqa: ARG002 - `shown` says it
        """As `Relay`: the counts of `message_delta` replace those of the first round's start."""
        if shown is None:
            return b"".join(frame for frame, _ in self._tail)
        passed = b""
        for frame, doc in self._tail:
            if doc.get("type") != "message_delta":
                passed += frame
                continue
            delta = mapping(doc.get("delta")) | {"stop_reason": shown.get("stop_reason")}
            usage = shown.get("usage")
            told = {} if usage is None else {"usage": usage}
            passed += encode(dump({**doc, "delta": delta, **told}), "message_delta")
        return passed
