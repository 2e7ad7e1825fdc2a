"""An edit of what a provider still holds must pay for reading anew all that follows it.

With read price r and write price w, taking away T tokens before a warm suffix of S gains
R·r·T - (w-r)·S over R requests: it breaks even at R = ((w-r)/r)·S/T. Taking them away as they
first come gains T·(w + r·(R-1)), always. Both are cases of `gain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from policies.base.prompt import Block
from policies.base.terms import Terms

_UNPUBLISHED = 300.0  # seconds that a prompt is kept where the provider names no time
_MARGIN = 1.1  # lifetimes are not kept to the second
_BYTES_PER_TOKEN = 4.0  # of JSON text: an estimate, and the same on both sides


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


def expected(blocks: Sequence[Block]) -> float:
    """Requests to come of a conversation, this one included.

    As many again as there have been: what can be said of a length whose scale is unknown. The
    results of tools that were called together came in one request.
    """
    ends = {block.index: block.turn_end for block in blocks if block.place == "message"}
    return 1.0 + sum(end and not more for end, more in pairwise((*ends.values(), False)))


def assured(blocks: Sequence[Block]) -> float:
    """Requests that four of five conversations still have, by the same reasoning."""
    return 1.0 + (expected(blocks) - 1.0) / 4.0


def extents(going_on: Sequence[Block], anew: Sequence[Block], sent: int) -> tuple[Extent, Extent]:
    """The prompt as it goes on, and as it is rewritten, of which `sent` blocks went before.

    Of a prompt that begins as the one before did, the provider holds that much.
    """
    same = 0
    for one, other in zip(going_on[:sent], anew, strict=False):
        if one.chain != other.chain:
            break
        same += 1
    return (
        Extent(_tokens(going_on), _tokens(going_on[:sent])),
        Extent(_tokens(anew), _tokens(anew[:same])),
    )


def kept(terms: Terms, age: float) -> bool:
    """Whether a provider may still hold what it has read `age` seconds ago.

    A clock that was set back makes ages negative: that counts as now.
    """
    life = _UNPUBLISHED if terms.lifetime is None else terms.lifetime
    return age <= _MARGIN * life


def _tokens(blocks: Sequence[Block]) -> float:
    return sum(block.size for block in blocks) / _BYTES_PER_TOKEN
