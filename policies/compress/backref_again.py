"""Results of tools that stand in an earlier result already, given as references to it.

It works on what is sent: the earlier results have the forms in which the model reads them, so
that a reference always leads to what stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import NamedTuple

from policies.base.call import Dialect, Effect
from policies.base.ports import Count
from policies.compress.backref import SHORTEST, Earlier, decode, encode
from policies.compress.backref_index import LINE, LineIndex
from policies.compress.freeze import FreezeSettings, Frozen
from policies.compress.freeze_form import Form, Rules, Short, shortened
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Listing, Message, Spot, has, signs, spots
from policies.compress.text_protected import looks_like_code_or_diff

VERSION = 2
_RESULTS = 32  # results before a text in which its lines are looked for
_TEXTS = 4  # of them that one text refers to
_INDEXED = 8_000_000  # characters whose lines are kept at hand


def named(number: int, texts: Sequence[str]) -> Iterator[Earlier]:
    """The results in a message, which is the first where `number` is 0, by their names."""
    where = f"message {number + 1}"
    for part, text in enumerate(texts, 1):
        yield Earlier(where if len(texts) == 1 else f"part {part} of {where}", text)


class Again(Frozen):
    """Refers to earlier results; messages are to be those that are sent."""

    effect = Effect.LOSSLESS

    def __init__(self, settings: FreezeSettings) -> None:
        super().__init__(settings, _Recipe(settings))

    def beginnings(self, listed: Listing, messages: Sequence[Message]) -> Mapping[int, int]:  # noqa: ARG002 - see `Frozen`
        """Of the results only: whatever else is said, they stay what they are."""
        found: dict[int, int] = {}
        before = 0
        for message in messages:
            found[message.number] = before = hash((before, message.number, message.raw))
        return found


class _Result(NamedTuple):
    """What a tool has sent, its lines, and those of them by which blocks are found."""

    spot: Spot
    lines: frozenset[str]
    long: frozenset[str]


class _Message(NamedTuple):
    """The results in a message, their long lines, and its place among all messages."""

    number: int
    raw: bytes
    results: Sequence[_Result]
    long: frozenset[str]


class _Before(NamedTuple):
    """The last messages with results among some that begin a conversation."""

    dialect: Dialect
    raws: Sequence[bytes]
    found: Sequence[_Message]


class _Recipe:
    """Only results that themselves have nothing from earlier ones are referred to.

    So no reference leads to another, and what one becomes depends on nothing but what came
    before.
    """

    piece = ""
    contextual = True

    def __init__(self, settings: FreezeSettings) -> None:
        self.rules = Rules(settings.min_tokens, settings.min_gain)
        self.version: tuple[object, ...] = ("again", VERSION)
        self._index = LineIndex(_INDEXED)
        part = settings.memory // 8
        self._read: Generations[int, Sequence[_Result]] = Generations(part)
        self._new: Generations[int, bool] = Generations(part)
        self._before = _Before(Dialect.CHAT, (), ())  # of the message that was looked at last

    def signs(self, dialect: Dialect) -> tuple[bytes, ...]:
        return signs(dialect, users=False)

    def spots(self, dialect: Dialect, raw: bytes, earlier: Sequence[bytes]) -> list[Spot]:
        """The results that share blocks with earlier ones, `about` these and their names."""
        found = []
        before = self._messages(dialect, earlier)
        for one in self._results(dialect, raw) if before else ():
            if len(one.spot.text) < SHORTEST or looks_like_code_or_diff(one.spot.text):
                continue
            about = tuple(
                word for other in islice(self._shared(one, before), _TEXTS) for word in other
            )
            if about:
                found.append(one.spot._replace(about=about))
        return found

    def _shared(self, one: _Result, before: Sequence[_Message]) -> Iterator[Earlier]:
        """The results that may be referred to and share a block, the last message first."""
        for at in range(len(before) - 1, max(-1, len(before) - 1 - _RESULTS), -1):
            message = before[at]
            if one.long.isdisjoint(message.long):
                continue
            shares = [self._shares(one, other) for other in message.results]
            if any(shares) and self._is_new(message, before[max(0, at - _RESULTS) : at]):
                names = named(message.number, [other.spot.text for other in message.results])
                yield from compress(names, shares)

    def _is_new(self, message: _Message, before: Sequence[_Message]) -> bool:
        """Whether a message shares no block with any of the results before it."""
        key = hash((message.raw, *(other.raw for other in before)))
        known = self._new.get(key)
        if known is None:
            known = not any(
                self._shares(one, other)
                for one in message.results
                for earlier in before
                for other in earlier.results
            )
            self._new.put(key, known, 0)
        return known

    def _shares(self, one: _Result, other: _Result) -> bool:
        if one.long.isdisjoint(other.long):
            return False
        text = one.spot.text
        common = (len(line) + 1 for line in text.split("\n") if line in other.lines)
        if sum(common) < SHORTEST:
            return False
        return encode(text, [Earlier("it", other.spot.text)], len, self._index) is not None

    def _messages(self, dialect: Dialect, earlier: Sequence[bytes]) -> Sequence[_Message]:
        """The last messages with results, in order: those referred to, and those before them."""
        wanted, before = self.signs(dialect), self._before
        if before.dialect is not dialect or earlier[: len(before.raws)] != before.raws:
            before = _Before(dialect, (), ())
        new: list[_Message] = []
        for number in range(len(earlier) - 1, len(before.raws) - 1, -1):
            raw = earlier[number]
            if has(raw, wanted):
                results = self._results(dialect, raw)
                long = frozenset[str]().union(*(one.long for one in results))
                new.append(_Message(number, raw, results, long))
                if len(new) == 2 * _RESULTS:
                    break
        found = [*before.found, *new[::-1]][-2 * _RESULTS :]
        self._before = _Before(dialect, earlier, found)
        return found

    def _results(self, dialect: Dialect, raw: bytes) -> Sequence[_Result]:
        key = hash((dialect, raw))
        found = self._read.get(key)
        if found is None:
            found = list(map(_result, spots(dialect, raw, users=False)))
            self._read.put(key, found, 4 * sum(len(one.spot.text) for one in found))
        return found

    def form(self, spot: Spot, count: Count) -> Form:
        words = iter(spot.about)
        earlier = [Earlier(name, text) for name, text in zip(words, words, strict=True)]

        def make() -> Short | None:
            encoded = encode(spot.text, earlier, count, self._index)
            if encoded is None or decode(encoded, earlier) != spot.text:
                return None
            return Short(encoded)

        return shortened(spot.text, count, self.rules, make)


def _result(spot: Spot) -> _Result:
    lines = frozenset(spot.text.split("\n"))
    return _Result(spot, lines, frozenset(line for line in lines if len(line) >= LINE))
