"""Bodies that begin as an earlier one are read from where they depart from it.

A conversation sends all of its history with every turn, and questions over one document all
of that. Parsing and hashing a body of 100 KB takes a third of a millisecond; finding that all
but its end is known takes a fiftieth of that.
"""

from __future__ import annotations

from policies.base.body import Body
from policies.base.reading import Opening

SHORTEST = 4096  # bytes of a body that is worth it; a power of two
_NEW = 4  # of a body, at least one part in so many must be new, for it to be remembered
_OBJECTS = 3  # bytes of memory that one byte of JSON takes with what was read of it
_ALIKE = 16  # openings that cannot be told apart by their signs
_SIGN = 64  # bytes

_Sign = tuple[int, bytes]


class Histories:
    """Remembers how bodies open, in up to twice `bound` bytes of memory.

    An opening is found by the bytes that stand before a power of two in it.
    """

    def __init__(self, bound: int = 12_000_000) -> None:
        self._bound = bound
        self._size = 0
        self._young: dict[_Sign, tuple[Opening, ...]] = {}
        self._old: dict[_Sign, tuple[Opening, ...]] = {}

    def read(self, body: Body) -> None:
        """Read a body, from where it departs from an earlier one if there is such a one.

        Raises what `Body.json` and `Body.digest` raise.
        """
        if len(body.raw) < SHORTEST:
            return
        opening = self._longest(body.raw)
        if opening is not None:
            body.read_on(opening)
        known = len(opening.text) if opening is not None else 0
        if (len(body.raw) - known) * _NEW >= len(body.raw) and body.digest() is not None:
            self._remember(body)

    def known(self, raw: bytes) -> int:
        """How many bytes of `raw`, from its start, need not be read again."""
        opening = self._longest(raw)
        return 0 if opening is None else len(opening.text)

    def _longest(self, raw: bytes) -> Opening | None:
        power = 1 << len(raw).bit_length() - 1
        while power >= SHORTEST:
            sign = (power, raw[power - _SIGN : power])
            found = [o for o in self._under(sign) if raw.startswith(o.text)]
            if found:
                return max(found, key=_length)
            power >>= 1
        return None

    def _under(self, sign: _Sign) -> tuple[Opening, ...]:
        """The openings with this sign, the latest first."""
        found = self._young.get(sign)
        if found is None:
            found = self._old.get(sign, ())
            if found:
                self._keep(sign, found)
        return found

    def _keep(self, sign: _Sign, openings: tuple[Opening, ...]) -> None:
        before = self._young.get(sign, ())
        self._young[sign] = openings
        self._size += _OBJECTS * (sum(map(_length, openings)) - sum(map(_length, before)))
        if self._size > self._bound:
            self._old, self._young = self._young, {}
            self._size = 0

    def _remember(self, body: Body) -> None:
        reading = body.reading
        assert reading is not None, "it has a digest"
        for opening in reading.openings(body.raw):
            size = len(opening.text)
            if size < SHORTEST or size * _OBJECTS > self._bound:
                continue
            power = 1 << size.bit_length() - 1
            sign = (power, opening.text[power - _SIGN : power])
            known = self._under(sign)
            if any(each.text == opening.text for each in known):
                continue
            self._keep(sign, (opening, *known[: _ALIKE - 1]))


def _length(opening: Opening) -> int:
    return len(opening.text)
