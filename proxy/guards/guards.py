"""What every edit must pass before it is sent, whichever policy made it."""

from __future__ import annotations

from collections.abc import Callable

from policies.base.call import Call
from policies.base.ports import Reader, Store
from policies.base.prompt import blocks
from policies.base.terms import Terms
from proxy.guards.minimum import loses_cache
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.guards.warm import expected

_BYTES_PER_TOKEN = 4.0  # an estimate, good enough to be compared with a minimum
SPACE = "guard.turns"  # of the store


class Guards:
    """`turns` outlives a reload, `rollback` does not.

    `drifted` is called for each turn that would not have gone on as the one before.
    """

    def __init__(
        self,
        turns: Monotone,
        terms: Callable[[Call], Terms],
        drifted: Callable[[], object],
        rollback: Rollback,
    ) -> None:
        self.rollback = rollback
        self._turns = turns
        self._terms = terms
        self._drifted = drifted

    async def refuses(self, original: Call, edited: Call, store: Reader) -> str:
        """Why the edits must not be sent; "" where they may."""
        verdict = await self._turns.review(original, edited, store)
        if verdict.drift:
            self._drifted()
            return "does not begin as the turn before it was sent"
        if not verdict.ok:
            return "the prompt's shape is not known"
        if edited.body is not original.body and self._shrinks(original, edited):
            return "would fall below what the provider caches"
        return ""

    def _shrinks(self, original: Call, edited: Call) -> bool:
        before = len(original.body.raw) / _BYTES_PER_TOKEN
        after = len(edited.body.raw) / _BYTES_PER_TOKEN
        if after >= before:
            return False
        reuses = expected(blocks(original) or ()) - 1
        return loses_cache(before, after, self._terms(original), reuses)

    async def sent(self, original: Call, forwarded: Call, store: Store, now: float) -> None:
        """The reply to a call has begun, at `now` in Unix seconds."""
        await self._turns.remember(original, forwarded, store, now)
