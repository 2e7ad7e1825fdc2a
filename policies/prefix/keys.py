"""Keys for prompts of which only the beginning decides where they go: tools and instructions."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.fingerprint import FORM
from policies.base.prompt_memo import Memo
from policies.prefix.affinity import cache_key, shards

_encode = msgspec.json.Encoder().encode
_digests: Memo[int, bytes] = Memo(4096)
_INSTRUCTING = ("system", "developer")
_HEADS = 4096  # kinds of prompt whose rate is known
_PERIOD = 600.0  # seconds over which a rate is taken


class Heading(msgspec.Struct, frozen=True):
    """How a request begins. `shared`: digest of what many conversations have in common.

    `own`: what only one begins with, of the request's document. `at`: when the request came,
    in Unix seconds.
    """

    shared: bytes
    own: Any
    at: float


def headed(call: Call, now: float) -> Heading | None:
    """How a chat or Responses request begins; None where its shape is not known."""
    if call.body.digest(FORM) is None:
        return None  # no strict JSON
    doc = call.doc()
    given = doc.get("messages" if call.dialect is Dialect.CHAT else "input")
    messages: list[Any] = given if isinstance(given, list) else [given]
    first = 0
    while first < len(messages) and _instructs(messages[first]):
        first += 1
    shared = [doc.get("tools"), doc.get("instructions"), messages[:first]]
    try:
        own = call.controls.session or messages[first : first + 1]
        return Heading(_digest(_encode(shared)), own, now)
    except (TypeError, ValueError, RecursionError):  # such as a lone surrogate
        return None


def _digest(text: bytes) -> bytes:
    """SHA-256, which workers and restarts agree on; of what came before, by a faster hash."""
    key = hash(text)
    found = _digests.get(key)
    if found is None:
        found = sha256(text).digest()
        _digests.put(key, found)
    return found


def _instructs(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _INSTRUCTING


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


class Keys:
    """The keys of all traffic that takes nothing but a key."""

    def __init__(self) -> None:
        self._rates: OrderedDict[tuple[str, str, str, bytes], _Rate] = OrderedDict()
        self._made: Memo[tuple[str, str, bytes, int, int], str] = Memo(_HEADS)

    def of(self, call: Call, heading: Heading) -> str:
        """A conversation's key, which it shares with those that begin alike."""
        rate = self._rates.get(_name(call, heading))
        count = 1 if rate is None else rate.shards
        scope = (call.tenant, call.model)
        own = _encode(heading.own) if count > 1 else b""
        name = (*scope, heading.shared, hash(own), count)
        key = self._made.get(name)
        if key is None:
            conversation = sha256(heading.shared + own).digest()
            key = cache_key(scope, heading.shared, conversation, count)
            self._made.put(name, key)
        return key

    def count(self, call: Call, heading: Heading) -> None:
        """The request has been answered."""
        name = _name(call, heading)
        rate = self._rates.get(name)
        if rate is None:
            rate = self._rates[name] = _Rate(heading.at)
            if len(self._rates) > _HEADS:
                self._rates.popitem(last=False)
        self._rates.move_to_end(name)
        rate.add(heading.at)


def _name(call: Call, heading: Heading) -> tuple[str, str, str, bytes]:
    return call.tenant, call.route, call.model, heading.shared
