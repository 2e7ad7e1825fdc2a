"""A turn begins with what was forwarded for the turn before it, or goes untouched.

A provider's cache can only be read by a prompt that begins as an earlier one did. Which turn
came before is found in the request itself: the longest of its own beginnings that a client of
this tenant has asked this model before. What the client changes in its history is therefore
another conversation, and no drift of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from policies.base.call import Call, Dialect
from policies.base.ports import Reader, Store
from policies.base.prompt import Block, blocks
from policies.base.prompt_memo import Memo

KEPT = 86_400.0  # seconds: the longest that a provider says it keeps a prompt

_TURNS = 16_384  # remembered in this process, and as many older ones
_LOOKED_AT = 128  # messages, from the latest: a turn rarely adds as many
_ASKED_FOR = 4  # turns that another worker may have had, looked for in the shared store
_NOTED = 256  # blocks of an edited turn that can be told apart later
_SHORT = 4  # bytes that tell one block from another, for the report only

Word = Literal["stable", "changed", "unedited", "unread"]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether an edited call may be sent. `sent`: when its turn before was, in Unix seconds.

    `count`: of how many blocks that turn was, 0 where none is known.
    `changed`: it differs, at block `at` where that is known, from what was sent for its own
    beginning. `unedited`: so it does because that was edited and this is not. `unread`: the
    shape of its prompt is not known, so that an edit cannot be checked.
    """

    word: Word
    at: int | None = None
    sent: float | None = None
    count: int = 0

    @property
    def ok(self) -> bool:
        """Whether the edits may be sent; if not, the original is."""
        return self.word == "stable"

    @property
    def drift(self) -> bool:
        """Whether what is sent does not begin as the turn before it did."""
        return self.word in ("changed", "unedited")


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """What was forwarded for a turn: the last chain, how many blocks, and when.

    `steps`: a few bytes of each chain, where the turn was edited and is not too long.
    """

    chain: bytes
    count: int
    steps: bytes
    at: float

    def encode(self) -> bytes:
        return self.chain + self.count.to_bytes(4, "big") + self.steps


_STABLE = Verdict("stable")
_UNREAD = Verdict("unread")


class Monotone:
    """Remembers turns in this process and, for other workers and restarts, in the store."""

    def __init__(self) -> None:
        self._recent: Memo[bytes, _Sent] = Memo(_TURNS)

    async def review(self, original: Call, edited: Call, store: Reader) -> Verdict:
        """Compare what would be sent with what was; writes nothing.

        `store` is the guard's own, bound to the tenant.
        """
        asked = _closed(original)
        untouched = edited.body is original.body
        if not asked:
            return _STABLE if untouched or original.dialect is Dialect.EMBEDDINGS else _UNREAD
        sending = asked if untouched else _closed(edited)
        if not sending:
            return _UNREAD
        last, sent = await self._before(original, asked, store, again=not untouched)
        if sent is None:
            return _STABLE
        if sent.count <= len(sending) and sending[sent.count - 1].chain == sent.chain:
            return Verdict("stable", None, sent.at, sent.count)
        same = untouched or sending[-1].chain == asked[-1].chain
        before = sent.steps or (_steps(asked[: last + 1]) if sent.count == last + 1 else b"")
        word: Word = "unedited" if same else "changed"
        return Verdict(word, _first(before, sending), sent.at, sent.count)

    async def remember(self, original: Call, forwarded: Call, store: Store, now: float) -> None:
        """Note what was sent for a call, at `now` in Unix seconds.

        To be called as soon as the reply has begun: its turn after may come right behind it.
        This process knows of it before the first `await`.
        """
        asked, sending = _closed(original), _closed(forwarded)
        if not asked or not sending:
            return
        edited = sending[-1].chain != asked[-1].chain
        noted = edited and len(sending) <= _NOTED
        steps = _steps(sending) if noted else b""
        sent = _Sent(sending[-1].chain, len(sending), steps, now)
        key = asked[-1].chain + _whose(original)
        known = self._recent.get(key)
        self._recent.put(key, sent)
        if known is None or known.chain != sent.chain or now - known.at > KEPT / 2:
            await store.put(key, sent.encode(), KEPT, original.model)

    async def _before(
        self, original: Call, asked: Sequence[Block], store: Reader, *, again: bool
    ) -> tuple[int, _Sent | None]:
        """The latest turn that this one goes on from: the block it ended with, and itself.

        `again`: another worker may have had this very turn, and have sent it otherwise.
        """
        here, known = -1, None
        whose = _whose(original)
        for at in _ends(asked):
            known = self._recent.get(asked[at].chain + whose)
            if known is not None:
                here = at
                break
        last = len(asked) - 1
        same = [last] if again and here < last else []
        for at in (*same, *_turns(asked, here)):
            entry = await store.get(asked[at].chain + whose)
            elsewhere = _decoded(entry.value, entry.stored) if entry is not None else None
            if elsewhere is not None:
                self._recent.put(asked[at].chain + whose, elsewhere)
                return at, elsewhere
        return here, known


def _closed(call: Call) -> Sequence[Block]:
    """The blocks that stay what they are in the next turn; none where the shape is unknown."""
    found = blocks(call) or ()
    # The last piece of a prompt that is one text goes on in the next one.
    return found[:-1] if call.dialect is Dialect.COMPLETIONS else found


def _ends(asked: Sequence[Block]) -> Iterator[int]:
    """The blocks with which messages end, from the last, which may be the same turn again."""
    after = None
    for at in range(len(asked) - 1, max(-1, len(asked) - 1 - _LOOKED_AT), -1):
        block = asked[at]
        if block.place != "message":
            return
        if block.index != after:
            after = block.index
            yield at


def _turns(asked: Sequence[Block], here: int) -> Iterator[int]:
    """The latest ends of what was asked before, up to `here`, without the turn itself.

    A model has answered where the message after one by a user or tool is by neither.
    """
    answered = False
    left = _ASKED_FOR
    for at in _ends(asked):
        if at <= here or not left:
            return
        if asked[at].turn_end and answered:
            left -= 1
            yield at
        answered = not asked[at].turn_end


def _whose(call: Call) -> bytes:
    """What sets the same prompt apart: it is cached for one model, and for one tenant."""
    return f"{call.model}\0{call.tenant}".encode(errors="replace")


def _steps(sending: Sequence[Block]) -> bytes:
    return b"".join([block.chain[:_SHORT] for block in sending])


def _first(before: bytes, sending: Sequence[Block]) -> int | None:
    """The first block that differs; None where it is not known what was sent."""
    if not before:
        return None
    now = _steps(sending)
    for at in range(0, len(before), _SHORT):
        if before[at : at + _SHORT] != now[at : at + _SHORT]:
            return at // _SHORT
    return None


def _decoded(value: bytes, stored: float) -> _Sent | None:
    """What another worker has noted; None for bytes that nobody of us has written."""
    count, steps = int.from_bytes(value[16:20], "big"), value[20:]
    if len(value) < 20 or count < 1 or len(steps) not in (0, count * _SHORT):
        return None
    return _Sent(value[:16], count, steps, stored)
