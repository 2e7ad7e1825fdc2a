"""What each request should find in its provider's prompt cache, from what was sent before."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from policies.base.call import Call
from policies.base.prompt import Block
from policies.base.terms import Terms
from policies.base.usage import Usage
from proxy.prediction.difference import Difference, in_blocks, in_parameters
from proxy.prediction.memory import USUAL_RATIO, Memory, Partition, Scope, Sent, begun
from proxy.prediction.reading import Reader, Reading
from proxy.prediction.rules import Asked, Lack, asked, cached, held, note, readable, step_of

LIMIT = 16 * 1024 * 1024  # bytes of memory
_SIBLINGS = 4  # sets of parameters that a prompt is compared with, the latest
_NO_LACK: Lack = ""


class Prediction(msgspec.Struct, frozen=True):
    """Tokens, by estimate: `cached` of `total` should be read from the cache.

    `shared`: those with which the closest earlier prompt began too; it was sent `age` seconds
    before, None where there is none. `lacks`: why not all of these can be read. `step`: by
    how many tokens the provider counts.
    """

    cached: int
    total: int
    shared: int
    step: int
    lacks: Lack = ""
    age: float | None = None
    difference: Difference | None = None


class _Closest(msgspec.Struct, frozen=True):
    """The earlier prompt that begins with most of the same blocks, and how many."""

    sent: Sent | None
    shared: int


class Predictions:
    """Remembers digests of what was sent, in at most `limit` bytes; of no prompt the text.

    One per process: what other workers sent is not known, so that a provider may have more.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._memory = Memory(limit)
        self._reader = Reader()

    def predict(self, call: Call, terms: Terms, now: float) -> Prediction | None:
        """What a call that is sent `now` (Unix seconds) to its first backend should find.

        None where nothing is cached, or the prompt's shape is not known.
        """
        if terms.rule == "none":
            return None
        reading = self._reader.read(call)
        return None if reading is None else self._predicted(reading, asked(call, terms), now)

    def settle(
        self, call: Call, terms: Terms, usage: Usage | None, sent: float, ready: float
    ) -> Prediction | None:
        """The same for a call that was `sent`, and remember it for those to come.

        To be called once a reply has come to the call as it was forwarded, from its first
        backend. `ready`: when the reply began. Both in Unix seconds.
        """
        if terms.rule == "none":
            return None
        reading = self._reader.read(call)
        if reading is None:
            return None
        look = asked(call, terms)
        prediction = self._predicted(reading, look, sent)
        partition = self._memory.partition(reading.key, reading.parameters)
        known = partition.shared(reading.blocks)
        before = partition.latest[reading.blocks[known - 1].chain] if known else None
        reported = 0 if usage is None or usage.estimated else usage.input
        tokens = _counted(reading, before, known, partition.scope.ratio, reported)
        partition.scope.learn(reading.size, reported)
        alive = held(look, reading.blocks[:known], partition, sent)
        source = partition.latest[reading.blocks[alive - 1].chain] if alive else None
        since = begun(source, alive, len(reading.blocks), sent, ready)
        made = Sent(partition, reading.blocks, tokens, reading.layout, alive, sent, since)
        note(look, made)
        self._memory.keep(made, before)
        return prediction

    def _predicted(self, reading: Reading, look: Asked, now: float) -> Prediction:
        found, terms = reading.blocks, look.terms
        scope = self._memory.scope(reading.key)
        own = None if scope is None else scope.partitions.get(reading.parameters)
        known = 0 if own is None else own.shared(found)
        closest = _closest(scope, own, known, found)
        sent, shared = closest.sent, closest.shared
        common = sent.tokens[shared - 1] if sent is not None and shared else 0
        ratio = USUAL_RATIO if scope is None else scope.ratio
        total = common + round(ratio * sum([block.size for block in found[shared:]]))
        read, lacks = 0, _NO_LACK
        if own is not None and known:
            can = readable(look, found[:known], own, now)
            lacks = can.lacks
            if can.blocks:
                latest = own.latest[found[can.blocks - 1].chain]
                read = cached(latest.tokens[can.blocks - 1], total, terms)
                lacks = lacks if read or lacks else "short"
        age = None if sent is None else max(0.0, now - sent.at)
        difference = _difference(reading, closest)
        return Prediction(read, total, common, step_of(terms), lacks, age, difference)


def _closest(
    scope: Scope | None, own: Partition | None, known: int, found: Sequence[Block]
) -> _Closest:
    """Of the call's `own` partition, which shares `known` blocks, if no other shares more."""
    if scope is None:
        return _Closest(None, 0)
    best, most = own, known
    if known < len(found):
        for other in list(reversed(scope.partitions.values()))[:_SIBLINGS]:
            shared = 0 if other is own else other.shared(found)
            if shared > most:
                best, most = other, shared
    if best is None or not most:
        return _Closest(scope.last, 0)
    return _Closest(best.latest[found[most - 1].chain], most)


def _difference(reading: Reading, closest: _Closest) -> Difference | None:
    """None where a prompt is the earlier one, or goes on from it, or is its beginning."""
    sent, shared = closest.sent, closest.shared
    if sent is not None and shared:
        theirs = dict(sent.partition.parameters)
        ours = dict(reading.parameters)
        if ours != theirs:
            names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
            return in_parameters(reading.layout, sent, names)
        if shared in (len(reading.blocks), len(sent.blocks)):
            return None
    return in_blocks(reading.blocks, reading.layout, shared, sent)


def _counted(
    reading: Reading, before: Sent | None, known: int, ratio: float, reported: int
) -> array[int]:
    """The tokens up to the end of each block; `reported` are all there are, 0: not known.

    What was counted for the first `known` blocks stays; the rest is spread by bytes.
    """
    tokens = array("I") if before is None else before.tokens[:known]
    counted = tokens[-1] if tokens else 0
    sizes = [block.size for block in reading.blocks[known:]]
    if reported > counted:
        ratio = (reported - counted) / max(1, sum(sizes))
    tokens.extend([counted + round(size * ratio) for size in accumulate(sizes)])
    if reported > counted:
        tokens[-1] = reported
    return tokens
