"""Prompts sent lately, by the digests of their blocks: bounded, and without their text."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter

import msgspec

from policies.base.prompt import Block
from proxy.prediction.layout import Layout

Parameters = tuple[tuple[str, bytes], ...]  # names, each with a digest of its value

_PROMPT = 2_000  # bytes that a prompt takes besides its blocks
_BLOCK = 420  # and for each of them, where no other prompt has it
USUAL_RATIO = 0.25  # tokens in a byte of JSON text, before any were reported
_WEIGHT = 0.1  # of the latest report in the average
_chain = attrgetter("chain")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What a provider keeps of a prompt's beginning; `life` in seconds, the others Unix."""

    ready: float
    until: float
    life: float


class Sent(msgspec.Struct, eq=False):
    """A prompt sent at `at`, in Unix seconds.

    `tokens`: up to the end of each block. The provider had the first `held` blocks before.
    `begun`: numbers of blocks, ascending, each with the time at which others could read that
    many, since the reply to somebody's prompt had begun; the last are all blocks.
    """

    partition: Partition
    blocks: Sequence[Block]
    tokens: array[int]
    layout: Layout
    held: int
    at: float
    begun: Sequence[tuple[int, float]]

    @property
    def size(self) -> int:
        """Bytes of memory, at most."""
        return _PROMPT + _BLOCK * len(self.blocks)

    def ready(self, count: int) -> float:
        """When so many blocks could be read."""
        return next(ready for blocks, ready in self.begun if count <= blocks)


def begun(
    before: Sent | None, held: int, count: int, sent: float, ready: float
) -> Sequence[tuple[int, float]]:
    """`Sent.begun` of `count` blocks, of which `held` were the provider's from `before`.

    What could be read when this prompt was `sent` counts as one, so that there are few.
    """
    long_ago: list[tuple[int, float]] = []
    lately: list[tuple[int, float]] = []
    for blocks, since in () if before is None else before.begun:
        if since >= ready:
            break
        if since <= sent:
            long_ago = [(min(blocks, held), since)]
        else:
            lately.append((min(blocks, held), since))
        if blocks >= held:
            break
    return (*long_ago, *lately, (count, ready))


class Partition:
    """Prompts that can share a cache: of one scope, with the same parameters.

    `latest` is the last prompt that began so, by the chain of that beginning; a beginning of
    one that is there is there too. `entries` are those that were written on purpose.
    """

    __slots__ = ("entries", "latest", "parameters", "scope")

    def __init__(self, scope: Scope, parameters: Parameters) -> None:
        self.scope = scope
        self.parameters = parameters
        self.latest: dict[bytes, Sent] = {}
        self.entries: dict[bytes, Entry] = {}

    def shared(self, found: Sequence[Block]) -> int:
        """With how many of these blocks an earlier prompt began."""
        latest = self.latest
        for number in range(len(found), 0, -1):
            if found[number - 1].chain in latest:
                return number
        return 0


class Scope:
    """All that one tenant sends to one model of one backend: nothing is shared with others.

    `ratio`: tokens in a byte of JSON text, as reported lately. `last`: the latest prompt.
    """

    __slots__ = ("key", "last", "partitions", "ratio")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.ratio = USUAL_RATIO
        self.last: Sent | None = None
        self.partitions: dict[Parameters, Partition] = {}

    def learn(self, size: int, tokens: int) -> None:
        """A prompt of `size` bytes was counted as so many tokens."""
        if size and tokens:
            self.ratio += _WEIGHT * (tokens / size - self.ratio)


Key = tuple[str, str, str]  # tenant, backend, model


class Memory:
    """Holds prompts up to `limit` bytes, and forgets those that were sent longest ago.

    A prompt that another one goes on from is part of that one, and not held besides.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._scopes: dict[Key, Scope] = {}
        self._held: OrderedDict[Sent, None] = OrderedDict()  # the longest ago first

    def scope(self, key: Key) -> Scope | None:
        """The scope, if anything of it is remembered."""
        return self._scopes.get(key)

    def partition(self, key: Key, parameters: Parameters) -> Partition:
        """Where to keep a prompt; made if need be, and from now on the latest of its scope."""
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = Scope(key)
        found = scope.partitions.pop(parameters, None) or Partition(scope, parameters)
        scope.partitions[parameters] = found
        return found

    def keep(self, sent: Sent, before: Sent | None) -> None:
        """Remember a prompt; it must be of a partition that was just asked for.

        `before`: the last one that began with most of the same blocks.
        """
        latest = sent.partition.latest
        if before is not None and len(before.blocks) <= len(sent.blocks):
            last = len(before.blocks) - 1
            if before.blocks[last].chain == sent.blocks[last].chain:
                del self._held[before]
                self._size -= before.size
        latest.update(zip(map(_chain, sent.blocks), repeat(sent)))
        sent.partition.scope.last = sent
        self._held[sent] = None
        self._size += sent.size
        while self._size > self._limit:
            self._forget(self._held.popitem(last=False)[0])

    def _forget(self, sent: Sent) -> None:
        self._size -= sent.size
        partition = sent.partition
        for chain in map(_chain, sent.blocks):
            if partition.latest.get(chain) is sent:
                del partition.latest[chain]
                partition.entries.pop(chain, None)
        scope = partition.scope
        if scope.last is sent:
            scope.last = None
        if not partition.latest and scope.partitions.get(partition.parameters) is partition:
            del scope.partitions[partition.parameters]
        if not scope.partitions and self._scopes.get(scope.key) is scope:
            del self._scopes[scope.key]
