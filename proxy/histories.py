"""Bodies that begin as an earlier one are read from where they depart from it.

A conversation sends all of its history with every turn, and questions over one document all
of that. Parsing and hashing a body of 100 KB takes a third of a millisecond; finding that all
but its end is known takes a fiftieth of that.
"""

from __future__ import annotations

from gc import get_referents
from sys import getsizeof
from typing import NamedTuple

from policies.base.body import Body
from policies.base.reading import Opening

SHORTEST = 4096  # bytes of a body that is worth it; a power of two
_NEW = 4  # of a body, at least one part in so many must be new, for it to be remembered
_OWN = 1024  # bytes of memory that an opening takes besides its text and its items
_DENSE = 16  # bytes of memory for one of JSON, beyond which a body is not worth it
_ALIKE = 16  # openings that cannot be told apart by their signs
_SIGN = 64  # bytes

_Sign = tuple[int, bytes]


class _Kept(NamedTuple):
    """An opening; `items`: bytes of memory that what was parsed takes."""

    opening: Opening
    items: int

    @property
    def weight(self) -> int:
        """Bytes of memory in all."""
        opening = self.opening
        return _OWN + len(opening.text) + getsizeof(opening.items) + self.items


class Histories:
    """Remembers how bodies open, in up to twice `bound` bytes of memory.

    An opening is found by the bytes that stand before a power of two in it.
    """

    def __init__(self, bound: int = 12_000_000) -> None:
        self._bound = bound
        self._size = 0
        self._young: dict[_Sign, tuple[_Kept, ...]] = {}
        self._old: dict[_Sign, tuple[_Kept, ...]] = {}

    def read(self, body: Body) -> None:
        """Read a body, from where it departs from an earlier one if there is such a one.

        Raises what `Body.json` and `Body.digest` raise.
        """
        if len(body.raw) < SHORTEST:
            return
        before = self._longest(body.raw)
        if before is not None:
            body.read_on(before.opening)
        known = len(before.opening.text) if before is not None else 0
        new = (len(body.raw) - known) * _NEW >= len(body.raw) <= self._bound
        if new and body.digest() is not None:
            self._remember(body, before)

    def known(self, raw: bytes) -> int:
        """How many bytes of `raw`, from its start, need not be read again."""
        found = self._longest(raw)
        return 0 if found is None else len(found.opening.text)

    def _longest(self, raw: bytes) -> _Kept | None:
        power = 1 << len(raw).bit_length() - 1
        while power >= SHORTEST:
            sign = (power, raw[power - _SIGN : power])
            found = [each for each in self._under(sign) if raw.startswith(each.opening.text)]
            if found:
                return max(found, key=_length)
            power >>= 1
        return None

    def _under(self, sign: _Sign) -> tuple[_Kept, ...]:
        """The openings with this sign, the latest first."""
        found = self._young.get(sign)
        if found is None:
            found = self._old.get(sign, ())
            if found:
                self._keep(sign, found)
        return found

    def _keep(self, sign: _Sign, kept: tuple[_Kept, ...]) -> None:
        before = self._young.get(sign, ())
        self._young[sign] = kept
        self._size += sum([each.weight for each in kept]) - sum([each.weight for each in before])
        if self._size > self._bound:
            self._old, self._young = self._young, {}
            self._size = 0

    def _remember(self, body: Body, before: _Kept | None) -> None:
        reading = body.reading
        assert reading is not None, "it has a digest"
        for opening in reversed([*reading.openings(body.raw)]):  # the shorter one first
            size = len(opening.text)
            if size < SHORTEST or size > self._bound:
                continue
            power = 1 << size.bit_length() - 1
            sign = (power, opening.text[power - _SIGN : power])
            known = self._under(sign)
            if any(each.opening.text == opening.text for each in known):
                continue
            before = _Kept(opening, _items(opening, before))
            if before.weight > min(size * _DENSE, self._bound):
                return
            self._keep(sign, (before, *known[: _ALIKE - 1]))


def _length(kept: _Kept) -> int:
    return len(kept.opening.text)


def _items(opening: Opening, before: _Kept | None) -> int:
    """Bytes of memory of what was parsed, which may begin with the items of `before`.

    What exceeds `_DENSE` is not weighed to its end.
    """
    weight, level = 0, opening.items
    if before is not None:
        shared = before.opening.items
        if len(shared) <= len(level) and shared[-1] is level[len(shared) - 1]:
            weight, level = before.items, level[len(shared) :]
    while level and weight <= len(opening.text) * _DENSE:
        weight += sum(map(getsizeof, level))
        level = get_referents(*level)  # of lists and objects; other values have none
    return weight
