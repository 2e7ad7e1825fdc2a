"""Which order of documents lets a cache read most, and whether that is worth a word on ranks."""

from __future__ import annotations

from collections.abc import Container, Sequence
from hashlib import sha256

from policies.base.terms import Terms

NAME = 8  # bytes of a chain
_NOTE = 200.0  # bytes of what is said of the order of relevance, about
_LETTERS = 4.0  # bytes of a token, about
# Rules by which any beginning is found; with marks, a text is read as a whole or not at all.
_ANYWHERE = frozenset({"openai_steps", "gemini_implicit", "deepseek_units", "vllm_blocks"})


def chained(lead: bytes, names: Sequence[bytes]) -> list[bytes]:
    """By document, a digest of all that stands before its end: `lead` and the ones before."""
    found: list[bytes] = []
    for name in names:
        lead = sha256(lead + name).digest()[:NAME]
        found.append(lead)
    return found


def ordered(
    lead: bytes, names: Sequence[bytes], seen: Container[bytes]
) -> tuple[tuple[int, ...], int, int]:
    """Documents' places so that most of them begin as others did before, the others by rank.

    And of how many at the beginning that is true: in this order, and in the order they came in.
    """
    left = list(range(len(names)))
    order: list[int] = []
    at = lead
    while True:
        steps = ((place, chained(at, (names[place],))[0]) for place in left)
        known = next(((place, chain) for place, chain in steps if chain in seen), None)
        if known is None:
            break
        order.append(known[0])
        left.remove(known[0])
        at = known[1]
    as_it_came = 0
    for chain in chained(lead, names):
        if chain not in seen:
            break
        as_it_came += 1
    return (*order, *left), len(order), as_it_came


def pays(before: int, saved: int, terms: Terms) -> bool:
    """Whether a cache reads `saved` bytes more, behind `before` bytes, for more than it costs."""
    if terms.rule not in _ANYWHERE or (before + saved) / _LETTERS < terms.minimum:
        return False
    return saved * (1.0 - terms.read) > _NOTE
