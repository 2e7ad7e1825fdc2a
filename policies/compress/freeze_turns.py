"""The messages of a request: of the next turn of a conversation only what is new is looked at."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from policies.base.call import Call, Dialect
from policies.base.prompt_turns import LEAST, Laid, Latest
from policies.compress.freeze_places import Listing, Message, conversation, extended, listing

_INLINE = 1 << 20  # bytes of a request whose messages are found on the event loop, in a millisecond
_between = re.compile(rb"\s*,\s*")


class Turn(Laid):
    """The messages of one request, and what is known of them from earlier turns in `notes`."""

    __slots__ = ("dialect", "listed", "rest")

    def __init__(self, dialect: Dialect, raw: bytes, listed: Listing) -> None:
        start = listed.starts[0] if listed.raws else 0
        end = listed.starts[-1] + len(listed.raws[-1]) if listed.raws else 0
        super().__init__(raw, start, [(start, end)])
        self.dialect = dialect
        self.listed = listed
        self.rest = raw[end:]

    def goes_on(self, raw: bytes) -> bool:
        """Whether `raw` begins with the same messages."""
        return raw.startswith(self.text)

    def holding(self, wanted: Sequence[bytes]) -> list[Message]:
        """As `Listing`."""
        listed = self.listed
        name = (Listing, *wanted)
        known = self.notes.get(name)
        found: list[Message] = []
        if isinstance(known, _Holding) and known.free == listed.free:
            found = [*known.found, *listed.holding(wanted, known.upto)]
        else:
            found = listed.holding(wanted)
        self.notes[name] = _Holding(listed.free, len(listed.raws), found)
        return found

    def conversation(self) -> bytes:
        """As the function of that name."""
        known = self.notes.get(conversation)
        if not isinstance(known, bytes):
            known = self.notes[conversation] = conversation(self.listed)
        return known


class _Holding:
    """What `holding` has found in the messages `free` to `upto`."""

    __slots__ = ("found", "free", "upto")

    def __init__(self, free: int, upto: int, found: list[Message]) -> None:
        self.free = free
        self.upto = upto
        self.found = found


_latest: Latest[Turn] = Latest()


async def turn(call: Call) -> Turn | None:
    """None where the text leaves any doubt of where the messages are."""
    raw, dialect = call.body.raw, call.dialect
    before = _latest.before(raw) if len(raw) >= LEAST else None
    if before is not None and before.dialect is dialect:
        made = _resumed(raw, before)
        if made is not None:
            _latest.keep(made, before)
            return made
    if len(raw) <= _INLINE:
        listed = listing(dialect, raw, call.body.holds)
    else:
        listed = await asyncio.to_thread(listing, dialect, raw, call.body.holds)
    if listed is None:
        return None
    made = Turn(dialect, raw, listed)
    if listed.raws and len(raw) >= LEAST:
        _latest.keep(made, None)
    return made


def _resumed(raw: bytes, before: Turn) -> Turn | None:
    """A request that differs from `before` by nothing but messages that have come behind.

    None where that is not so. Its other members need not be read again: they are what they were.
    """
    start, end = len(before.text), len(raw) - len(before.rest)
    if end - start > _INLINE or not raw.endswith(before.rest, start):
        return None
    if start == end:
        return before
    gap = _between.match(raw, start, end)
    listed = gap and extended(before.listed, raw, gap.end(), end)
    if listed is None:
        return None
    made = Turn(before.dialect, raw, listed)
    made.notes = before.notes.copy()
    return made
