"""Which boundaries of a prompt to mark, given how likely each is to be read again."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from policies.base.terms import Terms

_NEAR = 0.75  # of the minimum: sizes are estimates, and a mark below it costs nothing


class Point(msgspec.Struct, frozen=True, gc=False):
    """A boundary: the end of block number `block`, `tokens` (estimated) from the start.

    `again`: the probability that a request reads it within the lifetime. `warm`: the
    provider should hold an entry that ends here. `blind`: it may hold one that another
    process wrote, which only a mark can find. `head`: before the messages. `markable`: a
    mark can stand here.
    """

    block: int
    tokens: float
    again: float
    warm: bool = False
    blind: bool = False
    head: bool = False
    markable: bool = True


class Placement(msgspec.Struct, frozen=True, gc=False):
    """The points to mark, ascending, and whether OpenAI's own mark at the tail is to stand."""

    marks: tuple[Point, ...]
    implicit: bool = True


def pays(again: float, terms: Terms, gain: float) -> bool:
    """Whether writing up to a point costs less than not caching it, by `gain` (0 to 1).

    A boundary that is always marked costs `again` x read + (1 - `again`) x write.
    """
    return again * terms.read + (1.0 - again) * terms.write < 1.0 - gain


def place(points: Sequence[Point], terms: Terms, gain: float, slots: int) -> tuple[Point, ...]:
    """At most `slots` points, ascending; none where caching does not pay.

    Tokens up to the last mark are read or written, whatever is marked before it. So the last
    is the deepest that pays or that can be read now; the others give other requests their
    boundaries, and cost nothing.
    """
    usable = [p for p in points if p.markable and p.tokens >= terms.minimum * _NEAR]
    readable = [p for p in usable if p.warm]
    worth = [p for p in usable if p.warm or pays(p.again, terms, gain)]
    if not worth:
        return ()
    last = worth[-1]
    free = [p for p in usable if p.block < last.block]
    chosen = [last, *(p for p in readable[-1:] if p is not last)]
    chosen += [p for p in free if p.blind and p not in chosen][: max(0, slots - len(chosen))]
    heads = [p for p in free if p.head and p not in chosen]
    if len(chosen) < slots:
        chosen += heads[-1:]
    while len(chosen) < slots:
        best = _best(free, sorted(chosen, key=_block))
        if best is None:
            break
        chosen.append(best)
    return tuple(sorted(chosen, key=_block))


_block = attrgetter("block")


def _best(free: Sequence[Point], chosen: Sequence[Point]) -> Point | None:
    """The mark that lets the next request read most tokens more, on average."""
    best, most = None, 0.0
    before, number = 0.0, 0
    for point in free:
        while chosen[number].block < point.block:
            before = chosen[number].tokens
            number += 1
        after = chosen[number]
        worth = 0.0 if after is point else (point.tokens - before) * (point.again - after.again)
        if worth > most:
            best, most = point, worth
    return best


def beside(points: Sequence[Point], tail: Point | None, terms: Terms, gain: float) -> Placement:
    """Three marks besides OpenAI's own at the `tail`."""
    return Placement(tuple(p for p in place(points, terms, gain, 4) if p is not tail)[-3:])


def place_breakpoints(
    points: Sequence[Point], tail: Point | None, terms: Terms, gain: float
) -> Placement:
    """For OpenAI's rule: three marks besides its own at the `tail`.

    Where that write does not pay, the request asks for explicit marks only, and has four.
    Earlier tails are found without a mark unless it does.
    """
    readable = [p for p in points if p.warm]
    if (
        tail is None
        or tail.tokens < terms.minimum
        or tail.warm
        or pays(tail.again, terms, gain)
        or (readable and not readable[-1].markable)
    ):
        return beside(points, tail, terms, gain)
    return Placement(place(points, terms, gain, 4), implicit=False)
