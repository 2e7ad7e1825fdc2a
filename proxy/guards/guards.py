"""What every edit must pass before it is sent, whichever policy made it."""

from __future__ import annotations

from collections.abc import Callable

from policies.base.call import Call
from policies.base.ports import Reader, Store
from policies.base.prompt import LONG, blocks, read_apart
from policies.base.terms import Terms
from proxy.guards.minimum import loses_cache
from proxy.guards.monotone import Monotone, Verdict
from proxy.guards.rollback import Rollback
from proxy.guards.warm import assured, expected, extents, gain, kept

_BYTES_PER_TOKEN = 4.0  # an estimate, good enough to be compared with a minimum
_BREAKS = 4  # in one conversation, after which its edits are left off where they cause another
SPACE = "guard.turns"  # of the store
DRIFT = "does not begin as the turn before it was sent"


class Guards:
    """`turns` outlives a reload, `rollback` does not.

    `drifted` is to be called for each turn that is sent and would not have gone on as the one
    before.
    """

    def __init__(
        self,
        turns: Monotone,
        terms: Callable[[Call], Terms],
        drifted: Callable[[], object],
        rollback: Rollback,
    ) -> None:
        self.rollback = rollback
        self.drifted = drifted
        self._turns = turns
        self._terms = terms

    async def pays(
        self, original: Call, ways: tuple[Call, Call], store: Reader, now: float
    ) -> bool:
        """Whether the second of two ways costs less, over what is to come of a conversation.

        It changes what was sent before, and the first goes on from that. In doubt it does not.
        Where another worker has just sent the second, that is what goes on.
        """
        await _read(original, *ways)
        verdict = await self._turns.review(original, ways[1], store)
        if verdict.ok and verdict.sent is not None:
            return True
        way, verdict = ways[0], await self._turns.review(original, ways[0], store)
        if not verdict.ok:  # an edit was left off before
            way, verdict = original, await self._turns.review(original, original, store)
        return verdict.ok and self._gains(original, (way, ways[1]), verdict, now)

    async def would_pay(
        self, original: Call, ways: tuple[Call, Call], store: Reader, now: float
    ) -> bool:
        """As `pays`, of two ways of which none is taken: what was sent before is not compared."""
        await _read(original, *ways)
        verdict = await self._turns.review(original, original, store)
        return self._gains(original, ways, verdict, now)

    def _gains(self, original: Call, ways: tuple[Call, Call], verdict: Verdict, now: float) -> bool:
        going_on, anew = blocks(ways[0]) or (), blocks(ways[1]) or ()
        if not going_on or not anew:
            return False
        terms = self._terms(original)
        if verdict.sent is None:  # another worker's, or from before it was watched
            sent = len(going_on)
        else:
            sent = verdict.count if kept(terms, now - verdict.sent) else 0
        before, after = extents(going_on, anew, sent)
        return gain(before, after, terms, assured(blocks(original) or ())) > 0

    async def refuses(
        self,
        original: Call,
        edited: Call,
        store: Reader,
        *,
        anew: bool = False,
        again: bool = False,
    ) -> str:
        """Why the edits must not be sent; "" where they may.

        `anew`: they are known to change what was sent before, and to pay. `again`: see `review`.
        """
        await _read(original, edited)
        verdict = await self._turns.review(original, edited, store, again=again)
        if verdict.drift and not anew:
            return DRIFT
        if verdict.word == "unread":
            return "has a prompt of unknown shape"
        if edited.body is not original.body and self._shrinks(original, edited):
            # A conversation that has been sent edited goes on so: it keeps what it began with,
            # and reaches the minimum some turns later.
            untouched = await self._turns.review(original, original, store)
            return "" if untouched.drift else "would fall below what the provider caches"
        return ""

    async def keeps_more(self, original: Call, edited: Call, store: Reader) -> bool:
        """Whether more stays of the turn before with the edits, if not all stays without them.

        Where as much stays, whether the request is shorter with them. Not in a conversation that
        has broken off often: as it came it can go on for good.
        """
        one, other = [await self._turns.review(original, way, store) for way in (edited, original)]
        if not one.drift or not other.drift or one.breaks >= _BREAKS:
            return False
        more = (one.at or 0) - (other.at or 0)
        return more > 0 or (more == 0 and len(edited.body.raw) < len(original.body.raw))

    def _shrinks(self, original: Call, edited: Call) -> bool:
        before = len(original.body.raw) / _BYTES_PER_TOKEN
        after = len(edited.body.raw) / _BYTES_PER_TOKEN
        if after >= before:
            return False
        reuses = expected(blocks(original) or ()) - 1
        return loses_cache(before, after, self._terms(original), reuses)

    async def sent(
        self, original: Call, forwarded: Call, store: Store, now: float, *, broken: bool = False
    ) -> None:
        """The reply to a call has begun, at `now` in Unix seconds.

        `broken`: it does not begin as the turn before it, or would not have with its edits.
        """
        await self._turns.remember(original, forwarded, store, now, broken=broken)


async def _read(*calls: Call) -> None:
    for call in calls:
        if len(call.body.raw) > LONG:
            await read_apart(call)
