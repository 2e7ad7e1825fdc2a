"""An edit of what a provider still holds must pay for reading anew all that follows it.

With read price r and write price w, taking away T tokens before a warm suffix of S gains
R·r·T - (w-r)·S over R requests: it breaks even at R = ((w-r)/r)·S/T. Taking them away as they
first come gains T·(w + r·(R-1)), always. Both are cases of `gain`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from policies.base.call import Call
from policies.base.prompt import Block
from policies.base.prompt_memo import Memo
from policies.base.terms import Terms
from proxy.backends.wrap.entries import matched, written

_PREFIXES = 65_536  # remembered in this process, and as many older ones
_UNPUBLISHED = 300.0  # seconds that a prompt is kept where the provider names no time
_MARGIN = 1.1  # lifetimes are not kept to the second


class Extent(msgspec.Struct, frozen=True, gc=False):
    """A prompt's length in tokens, and how many of these the provider still holds."""

    total: float
    warm: float = 0.0


def gain(before: Extent, after: Extent, terms: Terms, requests: float) -> float:
    """What an edit saves over `requests`, this one included, in tokens at the input price.

    Negative where it costs more than it saves.
    """
    now = _price(before, terms) - _price(after, terms)
    return now + terms.read * (before.total - after.total) * (requests - 1)


def _price(extent: Extent, terms: Terms) -> float:
    return terms.read * extent.warm + terms.write * (extent.total - extent.warm)


def expected(blocks: Iterable[Block]) -> float:
    """Requests to come of a conversation, this one included.

    As many again as there have been: what can be said of a length whose scale is unknown.
    """
    return 1.0 + sum(block.turn_end for block in blocks)


class Warm:
    """Which prefixes a provider still holds: those that this process has sent.

    Other workers' are not known, so that at worst an edit is allowed that does not pay.
    """

    def __init__(self) -> None:
        self._sent: Memo[bytes, float] = Memo(_PREFIXES)

    def note(self, forwarded: Call, terms: Terms, now: float) -> None:
        """A reply to the call has begun, at `now` in Unix seconds."""
        whose = _whose(forwarded)
        for chain, _ in written(forwarded, terms):
            self._sent.put(chain + whose, now)

    def tokens(self, call: Call, terms: Terms, now: float) -> float:
        """How many tokens of the call can be read rather than written, by estimate."""
        life = _MARGIN * (_UNPUBLISHED if terms.lifetime is None else terms.lifetime)
        whose = _whose(call)
        for chain, tokens in reversed(matched(call, terms)):
            sent = self._sent.get(chain + whose)
            # A clock that was set back makes ages negative: such entries count as warm.
            if sent is not None and now - sent <= life:
                return tokens
        return 0.0


def _whose(call: Call) -> bytes:
    return f"{call.model}\0{call.tenant}".encode(errors="replace")
