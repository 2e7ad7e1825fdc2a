"""Keys for prompts of which only the beginning decides where they go: tools and instructions."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from policies.base.call import Call
from policies.base.fingerprint import FORM
from policies.base.prompt_memo import Memo
from policies.prefix.affinity import cache_key, shards
from policies.prefix.start import leading, led, list_name, opening_of

_encode = msgspec.json.Encoder().encode
_digests: Memo[int, bytes] = Memo(4096)
_BESIDES = ("tools", "instructions")  # members that a prompt begins with
_HEADS = 4096  # kinds of prompt whose rate is known
_PERIOD = 600.0  # seconds over which a rate is taken

_Whose = tuple[str, str, str, bytes]  # tenant, route, model, and how the prompt begins


class Start:
    """How a prompt begins. `shared`: digest of what many conversations have in common."""

    __slots__ = ("_conversation", "_own", "shared")

    def __init__(self, shared: bytes, own: Any) -> None:
        """`own`: what only one conversation begins with, a JSON value."""
        self.shared = shared
        self._own = own
        self._conversation: bytes | None = None

    @property
    def conversation(self) -> bytes:
        """Digest that names the conversation."""
        if self._conversation is None:
            self._conversation = _digest(self.shared + _encode(self._own))
            self._own = None
        return self._conversation


class _Rate:
    """Requests a minute, and over how many keys they are spread: never fewer than before."""

    __slots__ = ("count", "shards", "since")

    def __init__(self, now: float) -> None:
        self.count = 0.0
        self.since = now
        self.shards = 1

    def add(self, now: float) -> None:
        """One request more; a clock that was set back counts as one that stood still."""
        self.count += 1
        age = max(now - self.since, 60.0)
        self.shards = max(self.shards, shards(self.count / age * 60))
        if age > _PERIOD:
            self.count /= 2
            self.since = now - age / 2


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request at `at`, in Unix seconds, `whose` it is, and how many come that begin alike."""

    whose: _Whose
    rate: _Rate
    at: float


def started(call: Call) -> Start | None:
    """How a chat or Responses request begins; None where its shape is not known."""
    if call.body.digest(FORM) is None:
        return None  # no strict JSON
    opening = opening_of(call, _BESIDES)
    start: Start | None = None if opening is None else opening.notes.get(Start)
    if start is None:
        start = _start(call)
        if opening is not None:
            opening.notes[Start] = start
    elif opening is not None and led(opening) == len(opening.items):
        start = Start(start.shared, _messages(call)[led(opening) :][:1])
    session = call.controls.session
    return Start(start.shared, session) if session else start


def _start(call: Call) -> Start:
    messages = _messages(call)
    first = leading(messages)
    shared = [*map(call.doc().get, _BESIDES), messages[:first]]
    return Start(_digest(_encode(shared)), messages[first : first + 1])


def _messages(call: Call) -> list[Any]:
    given = call.doc().get(list_name(call.dialect))
    return given if isinstance(given, list) else [given]


def _digest(text: bytes) -> bytes:
    """SHA-256, which workers and restarts agree on; of what came before, by a faster hash."""
    key = hash(text)
    found = _digests.get(key)
    if found is None:
        found = sha256(text).digest()
        _digests.put(key, found)
    return found


class Keys:
    """The keys of all traffic that takes nothing but a key."""

    def __init__(self) -> None:
        self._rates: Memo[_Whose, _Rate] = Memo(_HEADS)
        self._made: Memo[tuple[str, str, bytes, int], str] = Memo(_HEADS)

    def asked(self, call: Call, start: Start, now: float) -> Asked:
        """What is known of requests that begin as this one does."""
        whose = (call.tenant, call.route, call.model, start.shared)
        return Asked(whose, self._rates.get(whose) or _Rate(now), now)

    def of(self, asked: Asked, start: Start) -> str:
        """A conversation's key, which it shares with those that begin alike."""
        tenant, _, model, shared = asked.whose
        count = asked.rate.shards
        conversation = start.conversation if count > 1 else shared
        name = (tenant, model, conversation, count)
        key = self._made.get(name)
        if key is None:
            key = cache_key((tenant, model), shared, conversation, count)
            self._made.put(name, key)
        return key

    def count(self, asked: Asked) -> None:
        """The request has been answered."""
        rate = self._rates.get(asked.whose) or asked.rate  # of a crowd, all count the same one
        rate.add(asked.at)
        self._rates.put(asked.whose, rate)
