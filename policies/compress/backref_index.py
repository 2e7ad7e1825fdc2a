"""Where the lines of earlier texts stand, remembered by the texts' content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from threading import Lock

LINE = 16  # characters of a line by which a block is found
_MOST = 4  # places of one line that are remembered


class LineIndex:
    """Line -> its first places in a text, for the texts used last; safe between threads."""

    def __init__(self, limit: int = 32_000_000) -> None:
        """Of the texts, `limit` characters in all."""
        self._limit = limit
        self._size = 0
        self._known: OrderedDict[bytes, tuple[int, Mapping[str, list[int]]]] = OrderedDict()
        self._lock = Lock()

    def places(self, text: str) -> Mapping[str, list[int]]:
        """The numbers, from 0, of lines of at least 16 characters; 4 at most for each."""
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key][1]
        found = _places(text)
        with self._lock:
            if key not in self._known and len(text) <= self._limit:
                self._known[key] = (len(text), found)
                self._size += len(text)
                while self._size > self._limit:
                    self._size -= self._known.popitem(last=False)[1][0]
        return found


def _places(text: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n")):
        if len(line) >= LINE:
            places = found.setdefault(line, [])
            if len(places) < _MOST:
                places.append(number)
    return found
