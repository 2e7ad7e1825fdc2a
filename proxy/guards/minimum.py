"""An edit that takes a prompt under its provider's minimum loses the cache with it.

With a minimum of 1,024 tokens and reads at 0.1, 1,100 tokens cost 110 each time they are read
again, and the 900 that an edit leaves of them cost 900.
"""

from __future__ import annotations

from policies.base.terms import Terms

_HEADROOM = 1.1  # counts are estimates, and providers' published minimums disagree


def loses_cache(before: float, after: float, terms: Terms, reuses: float) -> bool:
    """Whether a prompt of `before` tokens costs less than one edited down to `after`.

    Since it can be cached and the other cannot. `reuses`: how often it is expected to be
    sent again within the lifetime. Counts may be estimates.
    """
    if terms.rule == "none" or before < terms.minimum or after >= terms.minimum * _HEADROOM:
        return False
    whole = before * (terms.write + reuses * terms.read)
    return after * (1.0 + reuses) > whole
