"""The list of messages in a request: whose they are, and how others are put between them.

Rounds that the client has not seen are remembered by what it has: the conversation from its
first message on, up to the reply that it got. It is the client's own messages that count, and
not what policies make of them: what an edit leaves out of a turn, it may have left in before.
Instructions do not count, nor do cache marks, nor what clients leave out when they send a reply
back (reasoning, arguments in another spelling); the model does, since signed and encrypted items
are its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Dialect
from policies.base.prompt_memo import Memo
from policies.base.prompt_parts import MARKS
from policies.base.spans import members

_REMEMBERED = 16_384  # messages of which it is known what they say
_INSTRUCTING = frozenset({"system", "developer"})
_ODD = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)  # such as huge numbers
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode


class Place(NamedTuple):
    """Messages `start` to `end` are one reply of the model, known by `key`."""

    start: int
    end: int
    key: bytes


class Prompt:
    """The messages of one request's body, as JSON texts. Raises `ValueError` for odd bodies."""

    def __init__(self, raw: bytes, field: str) -> None:
        lead = len(raw) - len(raw.lstrip())
        text = raw[lead:]
        for name, start, end in members(text):
            if name == field:
                self.head, self.tail = raw[: lead + start], raw[lead + end :]
                self.raws = _listed(text[start:end])
                return
        raise ValueError("no messages")

    def body(self, raws: Sequence[bytes]) -> bytes:
        """The request with these messages in place of its own."""
        return b"".join((self.head, b"[", b",".join(raws), b"]", self.tail))


def _listed(text: bytes) -> list[bytes]:
    """The messages; a text alone is what a user says."""
    if text[:1] == b'"':
        return [b'{"role":"user","content":' + text + b"}"]
    if text[:1] != b"[":
        raise ValueError("no list of messages")
    return [text[start:end] for _, start, end in members(text)]


def with_member(raw: bytes, name: str, value: bytes) -> bytes:
    """A JSON object with this member, in the place of the one of its name or before all."""
    lead = len(raw) - len(raw.lstrip())
    for key, start, end in members(raw[lead:]):
        if key == name:
            return raw[: lead + start] + value + raw[lead + end :]
    return b'%b{"%b":%b,%b' % (raw[:lead], name.encode(), value, raw[lead + 1 :])


class Places:
    """Finds the replies of the model in conversations, and the keys that they have."""

    def __init__(self) -> None:
        self._known: Memo[tuple[Dialect, int, int], tuple[bool, bytes]] = Memo(_REMEMBERED)

    def find(
        self, dialect: Dialect, begun: str, raws: Sequence[bytes]
    ) -> tuple[list[Place], bytes]:
        """The replies, in order, and what the next one's key goes on from.

        `begun`: what counts besides the messages, such as the model.
        """
        chain = blake2b(f"{dialect}\0{begun}".encode(errors="replace"), digest_size=16).digest()
        found: list[Place] = []
        start: int | None = None
        for at, raw in enumerate(raws):
            replies, said = self._said(dialect, raw)
            if start is not None and not (replies and dialect is Dialect.RESPONSES):
                found.append(Place(start, at, chain))
                start = None
            if replies and start is None:
                start = at
            if said:
                chain = blake2b(chain + said, digest_size=16).digest()
        if start is not None:
            found.append(Place(start, len(raws), chain))
        return found, chain

    def key(self, dialect: Dialect, chain: bytes, reply: Sequence[Mapping[str, Any]]) -> bytes:
        """The key of a reply that the client gets now."""
        for message in reply:
            _, said = _essence(dialect, message)
            if said:
                chain = blake2b(chain + said, digest_size=16).digest()
        return chain

    def _said(self, dialect: Dialect, raw: bytes) -> tuple[bool, bytes]:
        name = (dialect, hash(raw), len(raw))
        known = self._known.get(name)
        if known is None:
            try:
                known = _essence(dialect, _decode(raw))
            except _ODD:
                known = (False, blake2b(raw, digest_size=16).digest())
            self._known.put(name, known)
        return known


def _essence(dialect: Dialect, message: Any) -> tuple[bool, bytes]:
    """Whether it is the model's, and a digest of what counts; b"" where nothing does."""
    if not isinstance(message, dict):
        return False, _digest(message)
    role, kind = str(message.get("role")), str(message.get("type", "message"))
    if dialect is Dialect.RESPONSES and kind != "message":
        if kind == "reasoning":
            return True, b""
        if kind.endswith("_call"):
            return True, _digest([kind, message.get("call_id") or message.get("id")])
    elif role == "assistant":
        return True, _digest([spoken(message.get("content")), _called(message)])
    elif role in _INSTRUCTING:
        return False, b""
    return False, _digest(_unmarked(message))


def spoken(content: Any) -> str:
    """What is said, without white space, which some clients trim."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join("".join(text.split()) for text in texts if isinstance(text, str))


def _called(message: Mapping[str, Any]) -> list[Any]:
    """The ids of calls in chat and in Anthropic's messages."""
    listed = [message.get(name) for name in ("tool_calls", "content")]
    calls = [call for each in listed if isinstance(each, list) for call in each]
    return [c["id"] for c in calls if isinstance(c, dict) and isinstance(c.get("id"), str)]


def _unmarked(value: Any) -> Any:
    """Without cache marks, and a text that stands alone as a text."""
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict):
            part = {name: it for name, it in value[0].items() if name not in MARKS}
            if part.keys() == {"type", "text"}:
                return part["text"]
        return [_unmarked(each) for each in value]
    if isinstance(value, dict):
        return {name: _unmarked(it) for name, it in value.items() if name not in MARKS}
    return value


def _digest(value: Any) -> bytes:
    return blake2b(_encode(value), digest_size=16).digest()
