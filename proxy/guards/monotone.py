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
_NOTED = 256  # places in an edited turn up to which it can be compared later
_SHORT = 4  # bytes that tell one place from another

Word = Literal["stable", "changed", "unedited", "unread"]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether an edited call may be sent. `sent`: when its turn before was, in Unix seconds.

    `count`: of how many blocks that turn was, 0 where none is known.
    `changed`: it differs from what was sent for its own beginning, of whose blocks it has the
    first `at`, or some more where these are many. `unedited`: so it does because that was edited
    and this is not. `unread`: the shape of its prompt is not known, so that an edit cannot be
    checked. `breaks`: how often turns before did not go on as those before them.
    """

    word: Word
    at: int | None = None
    sent: float | None = None
    count: int = 0
    breaks: int = 0

    @property
    def ok(self) -> bool:
        """Whether the edits may be sent; if not, the original is."""
        return self.word == "stable"

    @property
    def drift(self) -> bool:
        """Whether what is sent does not begin as the turn before it did."""
        return self.word in ("changed", "unedited")


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """What was forwarded for a turn: the last chain, how many blocks, when, and after what.

    `steps`: a few bytes of each chain, or of some where these are many, if the turn was edited.
    """

    chain: bytes
    count: int
    steps: bytes
    at: float
    breaks: int = 0

    def encode(self) -> bytes:
        return self.chain + bytes([self.breaks]) + self.count.to_bytes(3, "big") + self.steps


_STABLE = Verdict("stable")
_UNREAD = Verdict("unread")


class Monotone:
    """Remembers turns in this process and, for other workers and restarts, in the store."""

    def __init__(self) -> None:
        self._recent: Memo[bytes, _Sent] = Memo(_TURNS)

    async def review(
        self, original: Call, edited: Call, store: Reader, *, again: bool = False
    ) -> Verdict:
        """Compare what would be sent with what was; writes nothing.

        `store` is the guard's own, bound to the tenant. `again`: that another worker may have had
        this very turn, and have edited it, counts also where this one has not.
        """
        asked = _closed(original)
        untouched = edited.body is original.body
        if not asked:
            return _STABLE if untouched or original.dialect is Dialect.EMBEDDINGS else _UNREAD
        sending = asked if untouched else _closed(edited)
        if not sending:
            return _UNREAD
        sent = await self._before(original, asked, store, again=again or not untouched)
        if sent is None:
            return _STABLE
        if _goes_on(sending, sent):
            return Verdict("stable", None, sent.at, sent.count)
        same = untouched or sending[-1].chain == asked[-1].chain
        before = sent.steps or _steps(asked[: sent.count])
        word: Word = "unedited" if same else "changed"
        same_until = _alike(before, sent.count, sending)
        return Verdict(word, same_until, sent.at, sent.count, sent.breaks)

    async def remember(
        self, original: Call, forwarded: Call, store: Store, now: float, *, broken: bool = False
    ) -> None:
        """Note what was sent for a call, at `now` in Unix seconds.

        To be called as soon as the reply has begun: its turn after may come right behind it.
        This process knows of it before the first `await`. `broken`: it does not begin as the
        turn before it, or would not have with edits that were left off.
        """
        asked, sending = _closed(original), _closed(forwarded)
        if not asked or not sending:
            return
        edited = sending[-1].chain != asked[-1].chain
        steps = _steps(sending) if edited else b""
        whose = _whose(original)
        _, before = self._recently(asked, whose)
        broken = broken and before is not None and not _goes_on(sending, before)
        breaks = min(255, (before.breaks if before else 0) + broken)
        sent = _Sent(sending[-1].chain, len(sending), steps, now, breaks)
        key = asked[-1].chain + whose
        known = self._recent.get(key)
        self._recent.put(key, sent)
        if known is None or known.chain != sent.chain or now - known.at > KEPT / 2:
            await store.put(key, sent.encode(), KEPT, original.model)

    async def _before(
        self, original: Call, asked: Sequence[Block], store: Reader, *, again: bool
    ) -> _Sent | None:
        """The latest turn that this one goes on from.

        `again`: another worker may have had this very turn, and have sent it otherwise.
        """
        whose = _whose(original)
        here, known = self._recently(asked, whose)
        last = len(asked) - 1
        same = [last] if again and here < last else []
        for at in (*same, *_turns(asked, here)):
            entry = await store.get(asked[at].chain + whose)
            elsewhere = _decoded(entry.value, entry.stored) if entry is not None else None
            if elsewhere is not None:
                self._recent.put(asked[at].chain + whose, elsewhere)
                return elsewhere
        return known

    def _recently(self, asked: Sequence[Block], whose: bytes) -> tuple[int, _Sent | None]:
        """As `_before`, as far as this process knows, with the block at which that turn ended."""
        for at in _ends(asked):
            known = self._recent.get(asked[at].chain + whose)
            if known is not None:
                return at, known
        return -1, None


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


def _goes_on(sending: Sequence[Block], sent: _Sent) -> bool:
    """Whether this begins as that was sent."""
    return sent.count <= len(sending) and sending[sent.count - 1].chain == sent.chain


def _places(count: int) -> range:
    """Those of so many blocks that are noted: the last, and others evenly apart."""
    apart = -(-count // _NOTED)
    return range((count - 1) % apart, count, apart)


def _steps(sending: Sequence[Block]) -> bytes:
    return b"".join([sending[at].chain[:_SHORT] for at in _places(len(sending))])


def _alike(before: bytes, count: int, sending: Sequence[Block]) -> int:
    """How many blocks at least are as those `count` whose steps are `before`."""
    same = 0
    for step, at in enumerate(_places(count)):
        noted = before[step * _SHORT : (step + 1) * _SHORT]
        if at >= len(sending) or sending[at].chain[:_SHORT] != noted:
            break
        same = at + 1
    return same


def _decoded(value: bytes, stored: float) -> _Sent | None:
    """What another worker has noted; None for bytes that nobody of us has written."""
    count, steps = int.from_bytes(value[17:20], "big"), value[20:]
    if len(value) < 20 or count < 1 or len(steps) not in (0, len(_places(count)) * _SHORT):
        return None
    return _Sent(value[:16], count, steps, stored, value[16])
