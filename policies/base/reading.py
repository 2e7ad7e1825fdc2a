"""A JSON body as it was read: whole, or on from where it departs from an earlier one.

A conversation sends its history again with every turn. What was read of it, checked and
hashed, need not be read again when the same bytes open a later body: the parser would be in
the same state behind them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from policies.base.canonical import Parsed, encode, every_key_once, parse
from policies.base.spans import members

_LISTS = ("messages", "input")  # what grows from turn to turn
_MANY = 500  # items of a list
_SMALL = 64  # bytes of an item, on average
_WHITE = b" \t\n\r"


class Opening(msgspec.Struct, frozen=True, gc=False):
    """A body up to the end of an item of its growing list; `text` is JSON that breaks off.

    `start`: where in `text` the first item may begin. `items`: the list so far, shared, not
    to be changed. `state`: SHA-256 of their canonical form, without the closing bracket.
    `fixed`: the members before the list, the same in all that begins so. `notes`: what was
    found out of `text` alone; each key belongs to who puts it there.
    """

    text: bytes
    name: str
    start: int
    items: list[Any]
    state: Any
    fixed: frozenset[str] = frozenset()
    notes: dict[object, Any] = {}

    def holds(self, word: bytes) -> bool:
        """Whether `word` stands in `text`; looked for once."""
        found: bool | None = self.notes.get(word)
        if found is None:
            found = self.notes[word] = word in self.text
        return found


class Reading:
    """`doc` is the parsed body, shared: nobody may change it.

    `text` is what was parsed: the body, or what follows the opening, put where that stood.
    """

    __slots__ = (
        *("_digests", "_list", "_own", "_plain", "_rest", "_seal", "_text"),
        *("doc", "opening"),
    )

    def __init__(self, parsed: Parsed, text: bytes, opening: Opening | None = None) -> None:
        own: dict[str, Any] = parsed.doc
        self.doc = own
        self._own = own
        self._plain = parsed.plain
        self._text = text
        self.opening = opening
        self._list = _list_of(own)
        self._seal: bytes | None = None  # of the list, once that is hashed
        self._rest: tuple[dict[str, Any], bytes]  # the other members, and their canonical form
        self._digests: dict[frozenset[str], bytes] = {}
        if opening is not None:
            self.doc = {**own, opening.name: opening.items + own[opening.name]}

    def digest(self, without: frozenset[str] = frozenset()) -> bytes | None:
        """See `Body.digest`."""
        if self._seal is None:
            try:
                self._check()
            except RecursionError:  # nested as deep as could just be read
                self._seal = b""
        if not self._seal:
            return None
        found = self._digests.get(without)
        if found is None:
            rest, text = self._rest
            if not without.isdisjoint(rest):
                text = encode({key: rest[key] for key in rest if key not in without})
            name = self._list
            listed = name.encode() + self._seal if name and name not in without else b""
            found = self._digests[without] = sha256(text + listed).digest()
        return found

    def holds(self, word: bytes) -> bool:
        """See `Body.holds`. No word lies across the end of an opening: a value ends there."""
        return word in self._text or (self.opening is not None and self.opening.holds(word))

    def _check(self) -> None:
        """Hash the list; leave the seal empty where an inner object repeats a key.

        Compact JSON has no byte to spare, so equal lengths prove that no key stood twice,
        without a second parse.
        """
        name, text = self._list, self._text
        rest, listed = self._own, b""
        if name:
            rest = rest.copy()
            listed = encode(rest.pop(name))
        rest_text = encode(rest)
        self._rest = rest, rest_text
        length = len(rest_text)
        if name:
            length += len(listed) + len(name) + len('"":,' if rest else '"":')
        compact = self._plain and (
            length == len(text) or length == len(msgspec.json.format(text, indent=-1))
        )
        self._seal = b""
        if compact or every_key_once(text):
            self._seal = self._state(listed[1:-1], b"]").digest()

    def _state(self, more: bytes, end: bytes = b"") -> Any:
        """The hash of the list: of what opens it, of `more` items in canonical form, `end`."""
        if self.opening is None:
            return sha256(b"[" + more + end)
        state = self.opening.state.copy()
        state.update(b"," + more + end if more else end)
        return state

    def openings(self, raw: bytes) -> Iterator[Opening]:
        """`raw`, the whole body, up to its list's last item, and up to the one before.

        There are none where nothing is certain, or no item was read here, nor of a list of many
        small items, such as the tokens of an embeddings request: each costs a microsecond.
        """
        own, name, text = self._own, self._list, self._text
        if not self._seal or not name or not own[name] or text[:1] != b"{":
            return
        if _MANY < len(own[name]) > len(text) / _SMALL:
            return
        found = list(members(text))
        keys = [key for key, _, _ in found]
        fixed = frozenset(map(str, keys[: keys.index(name)]))
        _, begin, end = found[len(fixed)]
        ends = [to for _, _, to in members(text[begin:end])]
        behind = len(raw) - len(text) + begin  # the items' own place in the body
        start = begin + 1 if self.opening is None else self.opening.start
        items: list[Any] = self.doc[name]
        for last in (1, 2):
            if last <= len(ends):
                more = encode(own[name][: len(ends) + 1 - last])[1:-1]
                kept = items[: len(items) + 1 - last]
                shown = raw[: behind + ends[-last]]
                yield Opening(shown, name, start, kept, self._state(more), fixed)


def resumed(raw: bytes, opening: Opening) -> Reading | None:
    """A body that begins as the opening, read on from there; None where that is no JSON."""
    rest = raw[len(opening.text) :].lstrip(_WHITE)
    if rest[:1] == b",":
        rest = rest[1:].lstrip(_WHITE)
        if rest[:1] == b"]":
            return None
    elif rest[:1] != b"]":
        return None
    text = opening.text[: opening.start] + rest
    parsed = parse(text)
    if parsed is None or type(parsed.doc) is not dict or _list_of(parsed.doc) != opening.name:
        return None
    return Reading(parsed, text, opening)


def _list_of(doc: dict[str, Any]) -> str:
    """The name of the list that grows from turn to turn; "" where there is none."""
    return next((name for name in _LISTS if type(doc.get(name)) is list), "")
