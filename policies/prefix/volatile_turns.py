"""The turns of a conversation: which user message is answered now, and what names its state."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.prompt import Block, reading
from policies.prefix.canonical_outline import Items, Span, is_text, members, outline
from policies.prefix.start import list_name

# What clients send along with every turn of one conversation, and so tells two apart that
# begin with the same words.
_HINTS = ("user", "prompt_cache_key", "safety_identifier")
_MARKS = frozenset({"cache_control", "prompt_cache_breakpoint", "cachePoint"})
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Turns(msgspec.Struct, frozen=True, gc=False):
    """`key` names the conversation up to its last user message, at index `last`.

    `earlier` names it up to the user message before, None where the last is the first: both
    are digests of what the client sent, without the system prompt, which may change, and
    without the results of tools. `follows`: an answer or a result stands after the last user
    message. `first`: index of the first message behind the system prompt. `kinds` has a letter
    for each message: operator `s`, user `u`, answer `a`, tool's result `t`.
    """

    messages: list[Any]
    kinds: str
    raws: list[bytes]
    spans: list[Span]  # in the text of the body
    first: int
    last: int
    follows: bool
    opening: bool
    key: bytes
    earlier: bytes | None

    def answered(self) -> int:
        """Bytes from the first message to the last that is no user's: what was sent before."""
        index = self.kinds.rfind("a")
        return self.spans[index][1] - self.spans[self.first][0] if index >= 0 else 0

    def is_user(self, index: int) -> bool:
        """Whether a user speaks in the message, rather than a tool through the user."""
        return self.kinds[index] == "u"


def turns(call: Call, space: bytes) -> Turns | None:
    """None where the shape is not known, or part of the conversation is kept elsewhere.

    `space` tells apart what the same conversation is to different policies.
    """
    doc = call.doc()
    if call.dialect is Dialect.RESPONSES and any(
        doc.get(name) for name in ("previous_response_id", "conversation", "prompt")
    ):
        return None
    name = list_name(call.dialect)
    messages = doc.get(name)
    if not isinstance(messages, list):
        return None
    kinds = "".join(map(_kind, messages))
    found = outline(call.body)
    listed = found.items(name) if found else None
    if "?" in kinds or "u" not in kinds or listed is None or len(listed[0]) != len(messages):
        return None
    return _turns(call, messages, listed, (kinds, space))


def _turns(
    call: Call,
    messages: list[Any],
    placed: Items,
    known: tuple[str, bytes],
) -> Turns:
    kinds, space = known
    raws, spans = placed
    first = len(kinds) - len(kinds.lstrip("s"))
    last = kinds.rindex("u")
    answer = max(kinds.rfind("a", 0, last), kinds.rfind("t", 0, last))
    before = kinds.rfind("u", 0, answer) if answer >= 0 else -1
    doc = call.doc()
    hints = [it if isinstance(it := doc.get(name), str) else None for name in _HINTS]
    scope = (call.route, call.model, call.path, call.controls.session, hints, first)
    digest = sha256(space + _encode(scope))
    earlier = None
    for index in range(first, last + 1):
        if kinds[index] != "t":
            digest.update(b"\0")  # stands in no JSON text
            digest.update(raws[index])
        if index == before:
            earlier = digest.copy().digest()
    follows = "a" in kinds[last:] or "t" in kinds[last:]
    opening = answer < 0
    return Turns(
        messages, kinds, raws, spans, first, last, follows, opening, digest.digest(), earlier
    )


_ROLES = {"system": "s", "developer": "s", "tool": "t", "function": "t", "user": "u"}


def _kind(message: Any) -> str:
    """`s` for the operator, `u` for a user, `a` for an answer, `t` for a tool's result."""
    if not isinstance(message, dict):
        return "?"
    kind = message.get("type", "message")
    if kind != "message":
        return "t" if isinstance(kind, str) and kind.endswith("_output") else "a"
    found = _ROLES.get(str(message.get("role")), "a")
    return _user(message.get("content")) if found == "u" else found


def _user(content: Any) -> str:
    """Anthropic puts tools' results into messages of the user."""
    if isinstance(content, str):
        return "u"
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return "?"
    if any(part.get("type") == "tool_result" for part in content):
        return "t"
    return "u" if content else "?"


def opens(call: Call) -> bool:
    """Whether no answer stands in the request yet."""
    read = reading(call) if call.body.blocks else None
    if read is not None:
        if opens not in read.notes:
            read.notes[opens] = read.earlier.get(opens) is not False and _asks(read.blocks)
        return read.notes[opens] is True
    messages = call.doc().get(list_name(call.dialect))
    if not isinstance(messages, list):
        return True
    opening = call.body.opening
    if opening is None or opening.name != list_name(call.dialect):
        return _unanswered(messages)
    before = opening.notes.get(opens)
    if before is None:
        before = opening.notes[opens] = _unanswered(opening.items)
    return before is True and _unanswered(messages[len(opening.items) :])


def _unanswered(messages: Sequence[Any]) -> bool:
    return all(_kind(each) in "su" for each in messages)


def _asks(found: Sequence[Block]) -> bool:
    """Whether all messages behind the system's end a turn: an answer does not."""
    said = [block for block in found if block.place == "message"]
    ended = {block.index for block in said if block.turn_end}
    return all(block.index in ended for block in said)


def marked(doc: dict[str, Any]) -> bool:
    """Whether the client has set cache marks, which nothing before them may upset."""
    return not _MARKS.isdisjoint(doc) or any(
        _marked(doc.get(name)) for name in ("tools", "system", "messages", "input")
    )


def _marked(listed: Any) -> bool:
    """Of a list of tools, messages or parts, which may hold parts themselves."""
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            if not _MARKS.isdisjoint(each):
                return True
            inner = each.get("content") or each.get("output")
            if inner.__class__ is list and _marked(inner):
                return True
    return False


def content_of(raw: bytes) -> Span | None:
    """Where the content of a message lies in its text; None where that is uncertain."""
    found = members(raw)
    return found.get("content") if found and is_text((raw,)) else None


def appended(content: bytes, text: str, dialect: Dialect) -> bytes | None:
    """A message's content, as JSON text, with `text` after it; every other byte stays."""
    if content[:1] == b'"':
        return content[:-1] + _json("\n\n" + text)[1:]
    if content[:1] != b"[" or content[1:-1].isspace() or len(content) < 3:
        return None
    kind = "input_text" if dialect is Dialect.RESPONSES else "text"
    return content[:-1] + b"," + _json({"type": kind, "text": text}) + b"]"


def with_appended(
    found: Turns, additions: Sequence[tuple[int, str]], dialect: Dialect
) -> list[tuple[Span, bytes]] | None:
    """What to splice so that each text stands after the message of its index."""
    changes: list[tuple[Span, bytes]] = []
    for index, text in additions:
        if index >= len(found.raws):
            return None
        raw, (start, _) = found.raws[index], found.spans[index]
        span = content_of(raw)
        new = appended(raw[span[0] : span[1]], text, dialect) if span else None
        if span is None or new is None:
            return None
        changes.append(((start + span[0], start + span[1]), new))
    return changes
