"""The prompt of a request as a provider's prompt cache reads it: blocks in provider order.

Two blocks have the same `chain` when all JSON text up to them is the same, value by value, in
whatever way strings and white space are written. Cache marks do not count, since providers do
not hash them; nor does it whether a text stands alone or in the one-part list that it must
become to carry a mark.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from policies.base.apart import apart
from policies.base.call import Call, Dialect
from policies.base.prompt_chain import Block, Chain, Fields, Read, parsed, read_fields
from policies.base.prompt_parts import Unknown
from policies.base.prompt_turns import LEAST, Laid, Latest, laid
from policies.base.spans import members

__all__ = ["LONG", "Block", "Fields", "Reading", "blocks", "fields", "read_apart", "reading"]

LONG = 128 * 1024  # bytes of a body, beyond which reading it may take more than a millisecond


class Reading(Laid):
    """A body whose messages are a list, as read.

    `earlier`: the notes on the turn before, which had the first `known` of its `blocks`.
    """

    __slots__ = ("blocks", "dialect", "earlier", "known", "top")

    dialect: Dialect
    top: Fields
    blocks: tuple[Block, ...]
    earlier: dict[object, object]
    known: int


def blocks(call: Call) -> tuple[Block, ...] | None:
    """The prompt's blocks, tools first; None where its shape is not known for certain.

    Several completion prompts stand one after the other, each with a chain of its own.
    """
    return _read(call)[1]


def fields(call: Call) -> Fields | None:
    """The top-level values; None where the body is not JSON of the dialect's shape."""
    return _read(call)[0]


def reading(call: Call) -> Reading | None:
    """As `blocks`, with where they lie; None where that is not known, or the body is short."""
    _read(call)
    memo = call.body.blocks
    found = memo[3] if isinstance(memo, tuple) else None
    return found if isinstance(found, Reading) else None


async def read_apart(call: Call) -> None:
    """Read a body, so that the functions above find it read: in a thread if it is `LONG`.

    Of the next turn of a conversation only what is new counts.
    """
    dialect, body = call.dialect, call.body
    if isinstance(body.blocks, tuple) and body.blocks[0] is dialect:
        return
    before = _before(dialect, body.raw)
    if len(body.raw) - (0 if before is None else len(before.text)) <= LONG:
        _read(call)
    else:
        _keep(call, await apart(_found, dialect, body.raw, before), before)


def _read(call: Call) -> Read:
    memo = call.body.blocks
    if isinstance(memo, tuple) and memo[0] is call.dialect:
        return memo[1], memo[2]
    before = _before(call.dialect, call.body.raw)
    found = _found(call.dialect, call.body.raw, before)
    _keep(call, found, before)
    return found[0], found[1]


_Found = tuple[Fields | None, tuple[Block, ...] | None, Reading | None]


def _keep(call: Call, found: _Found, before: Reading | None) -> None:
    call.body.blocks = (call.dialect, *found)
    made = found[2]
    if made is not None:
        _latest.keep(made, before if made.known else None)


def _before(dialect: Dialect, raw: bytes) -> Reading | None:
    listed = dialect in _LISTED and len(raw) >= LEAST
    return _latest.before(raw) if listed else None


def _found(dialect: Dialect, raw: bytes, before: Reading | None) -> _Found:
    """What a body holds; from the turn `before` on, if that is known. For any thread."""
    made = None if before is None else _continued(dialect, raw, before)
    if made is not None:
        return made.top, made.blocks, made
    top, found = parsed(dialect, raw)
    listed = dialect in _LISTED and len(raw) >= LEAST
    return top, found, _placed(dialect, raw, top, found) if listed else None


_LISTED = (Dialect.CHAT, Dialect.MESSAGES)
_latest: Latest[Reading] = Latest()


def _placed(
    dialect: Dialect, raw: bytes, top: Fields | None, found: tuple[Block, ...] | None
) -> Reading | None:
    """What the next turn goes on from; None where that would not be worth while or certain."""
    if not found or top is None or not top.messages or raw[:1] != b"{":
        return None
    try:
        values = {key: (start, end) for key, start, end in members(raw)}
    except ValueError:
        return None
    start, end = values.get("messages", (0, 0))
    if not end or raw[max(last for _, last in values.values()) :].strip() != b"}":
        return None  # a key stands twice
    spans = laid(raw, start + 1, top.messages)
    return None if spans is None else _kept((dialect, raw, top, found), start, spans, None)


def _kept(
    read: tuple[Dialect, bytes, Fields, tuple[Block, ...]],
    start: int,
    spans: list[tuple[int, int]],
    before: Reading | None,
) -> Reading:
    made = Reading(read[1], start, spans)
    made.dialect, _, made.top, made.blocks = read
    made.earlier = {} if before is None else before.notes
    made.known = 0 if before is None else len(before.blocks)
    return made


def _continued(dialect: Dialect, raw: bytes, before: Reading) -> Reading | None:
    """The next turn, of which the messages that are new are read; None where that is in doubt."""
    at = len(before.text) + 1
    old = before.top
    try:
        top = read_fields(raw[: before.start] + b"[" + raw[at:])
        if not raw.isascii():
            raw[at:].decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    same = all(bytes(getattr(top, name)) == bytes(getattr(old, name)) for name in _AHEAD)
    spans = laid(raw, at, top.messages) if top.messages else None
    if before.dialect is not dialect or not same or spans is None or not top.messages:
        return None
    chain = Chain(dialect)
    chain.last = before.blocks[-1].chain
    chain.opened = before.blocks[-1].place == "message"
    new = [Raw(bytes(each)) for each in top.messages]  # holds no older body
    try:
        found = (*before.blocks, *chain.messages(new, len(before.spans)))
    except (Unknown, msgspec.MsgspecError, RecursionError):
        return None
    top.messages = [*(old.messages or ()), *new]
    return _kept((dialect, raw, top, found), before.start, [*before.spans, *spans], before)


_AHEAD = ("tools", "functions", "response_format", "system")  # rendered before the messages
