"""What one tenant's traffic to one model on one route taught: how often it reads what again."""

from __future__ import annotations

from collections.abc import Container, Sequence
from hashlib import sha256

import msgspec

from policies.base.prompt import Block
from policies.base.usage import Usage
from policies.prefix.affinity import shards
from policies.prefix.boundaries import Boundaries
from policies.prefix.flights import Flights
from policies.prefix.forest import Forest, Node
from policies.prefix.hazard import Hazard, Watch
from policies.prefix.placing import Point

# How likely a prompt is read again, before anything is known of its kind: by whether it has
# tools, and by what is known of the one before it in its conversation.
_FIRST_GUESS = {
    "head": 0.4,  # instructions seen for the first time: most are some program's
    "opening": 0.1,
    "opening with tools": 0.8,
    "next of unknown": 0.8,
    "next": 0.85,
    "next after a pause": 0.3,
    "next of a branch": 0.7,  # another reply was gone on from before, as where a user asks again
    "next of a fork": 0.1,  # so it was, and none was ever asked for, as with few-shot examples
}
_DIRECT = {"opening": 0.35}  # where providers write without being told, until it is seen to be lost
_TOGETHER = 0.9  # that a head is read again which others are asking with right now
_TRUST = 0.5  # of what should have been read: less is a miss
_RATIO = (1.5, 12.0)  # bytes of JSON text per token, within reason


class Visit(msgspec.Struct, frozen=True, gc=False):
    """One request's way through the forest, kept from planning to settling.

    `keys` of its boundaries, of which number `tail` is the request's end and `previous` that
    of the request before it (-1: none); `kind` of its tail; `tokens` at each; `now` in Unix
    seconds; `size` in bytes; `warm`: the number of the boundary it should read, or -1;
    `shards`: over how many keys its kind of traffic is spread. Within the lifetime `seen`
    tokens were asked before, and `lead` up to where an earlier request ended; `whole` are all.
    """

    keys: tuple[bytes, ...]
    tokens: tuple[float, ...]
    tail: int
    previous: int
    head: int
    kind: str
    now: float
    size: int
    warm: int
    shards: int
    seen: float
    lead: float
    whole: float


class Shared:
    """What all traffic of a provider's taught, by which new traffic is first judged."""

    def __init__(self) -> None:
        self._told = {kind: Hazard(guess) for kind, guess in _FIRST_GUESS.items()}
        by_itself = _FIRST_GUESS | _DIRECT
        self._by_itself = {kind: Hazard(guess) for kind, guess in by_itself.items()}

    def of(self, kind: str, *, told: bool) -> Hazard:
        """See `Traffic` for `told`."""
        return (self._told if told else self._by_itself)[kind]


class Traffic:
    """Learns from visits. All probabilities are those of a visit within `lifetime` seconds."""

    def __init__(
        self, forest: Forest, whose: str, lifetime: float, shared: Shared, *, told: bool
    ) -> None:
        """`told`: the provider writes nothing without a mark; `shared`: by all such traffic."""
        self.flights = Flights()
        self._forest = forest
        self._told = told
        self._shared = shared
        self._salt = sha256(whose.encode()).digest()[:8]
        self.lifetime = lifetime
        self._watch = Watch()
        self._hazards: dict[str, Hazard] = {}
        self._ratio = 4.0

    def survey(
        self, found: Sequence[Block], at: Boundaries, now: float, *, waits: bool
    ) -> tuple[list[Point], Visit]:
        """The boundaries as points, ascending, and what `learn` must be told afterwards.

        `waits`: the request may be held until one like it that is under way can be read.
        """
        keys = [self._salt + found[block].chain for block in at.blocks]
        nodes = [self._forest.get(key) for key in keys]
        kind = self._kind(nodes, keys, at, now)
        tokens = [size / self._ratio for size in at.sizes]
        points: list[Point] = []
        again, warm = 0.0, -1
        seen = lead = 0.0
        joined = at.head >= 0 and self.flights.of(keys[at.head], now)
        for number in range(len(keys) - 1, -1, -1):
            node, block = nodes[number], found[at.blocks[number]]
            base = 0.0
            if number == at.tail:
                base = self._likely(kind)
            elif block.place != "message":
                base = self._likely("head")
            again = max(again, self._again(node, base, now))
            hot = node is not None and node.warm > now
            known = node is not None and abs(now - node.last) <= self.lifetime
            if number == at.head and joined and joined[0]:
                again, known = max(again, _TOGETHER), True
                hot = hot or (joined[1] and waits)
            if known:
                seen = max(seen, tokens[number] if block.markable else 0.0)
            if node is not None and node.ended and abs(now - node.ended) <= self.lifetime:
                lead = max(lead, tokens[number])
            warm = max(warm, number if hot else -1)
            points.append(
                Point(
                    at.blocks[number],
                    tokens[number],
                    again,
                    hot,
                    self._told and node is None and number == at.previous,
                    block.place != "message",
                    block.markable,
                )
            )
        points.reverse()
        visit = Visit(
            *(tuple(keys), tuple(tokens), at.tail, at.previous, at.head),
            *(kind, now, at.total, warm, _shards(nodes, at.head)),
            *(seen, lead, at.total / self._ratio),
        )
        return points, visit

    def lost(self, visit: Visit) -> tuple[float, float]:
        """Of prompts of the visit's kind: how many a lifetime left unread, how many not."""
        hazard = self._hazards.get(visit.kind)
        return (0.0, 0.0) if hazard is None else (hazard.lost, hazard.reread)

    def depart(self, visit: Visit, *, writes: bool) -> None:
        """The request is sent; `writes`: its head too."""
        if visit.head >= 0:
            self.flights.begin(visit.keys[visit.head], visit.now, writes=writes)

    def land(self, visit: Visit) -> None:
        """The upstream has answered, or will not. Once for each that has departed."""
        if visit.head >= 0:
            self.flights.end(visit.keys[visit.head])

    def _likely(self, kind: str) -> float:
        """By what this traffic taught of the kind or, before it did, all such traffic."""
        return (self._hazards.get(kind) or self._shared.of(kind, told=self._told)).likely

    def _kind(
        self, nodes: Sequence[Node | None], keys: Sequence[bytes], at: Boundaries, now: float
    ) -> str:
        if at.previous < 0:
            return "opening with tools" if at.tools else "opening"
        before = nodes[at.previous]
        if before is None:
            return "next of unknown"
        forks = before.forks or before.child not in (0, _short(keys[at.tail]))
        if forks and not before.ended:
            return "next of a fork"
        if now - before.last > self.lifetime:
            return "next after a pause"
        return "next of a branch" if forks else "next"

    def _again(self, node: Node | None, base: float, now: float) -> float:
        """A boundary's own gaps, this one included; its kind counts as one of them."""
        if node is None:
            return base
        short = node.short + (now - node.last <= self.lifetime)
        return (base + short) / (2.0 + node.gaps)

    def learn(self, visit: Visit, cached: Container[int], usage: Usage | None) -> None:
        """Count a visit that the upstream has answered, and was to cache up to these numbers."""
        now, lifetime = visit.now, self.lifetime
        self._watch.grow_older(now, lifetime)
        told = usage if usage is not None and not usage.estimated and usage.input else None
        if told is not None and visit.size:
            low, high = _RATIO
            ratio = min(high, max(low, visit.size / told.input))
            self._ratio += 0.2 * (ratio - self._ratio)
        expected = visit.tokens[visit.warm] if visit.warm >= 0 else 0.0
        missed = told is not None and told.read < _TRUST * expected
        kept = told is None or told.read + told.write > 0
        for number in range(len(visit.keys) - 1, -1, -1):  # the deepest is forgotten first
            node, fresh = self._forest.reach(visit.keys[number])
            node.visit(now, lifetime)
            if fresh:
                self._begin(node, number, visit)
            if missed and number <= visit.warm:
                node.short = max(0.0, node.short - 1.0)
            if number in cached or (number == visit.warm and not missed):
                node.warm = now + lifetime if kept else 0.0
            if number == visit.tail or visit.tokens[number] == visit.lead:
                node.ended = now
            if number == visit.head + 1:
                node.shards = node.shards or visit.shards
            if number == visit.previous:
                child = _short(visit.keys[visit.tail])
                node.forks = node.forks or node.child not in (0, child)
                node.child = child

    def _begin(self, node: Node, number: int, visit: Visit) -> None:
        if number not in (visit.tail, visit.head):
            return
        kind = visit.kind if number == visit.tail else "head"
        hazard = self._hazards.get(kind)
        if hazard is None:
            shared = self._shared.of(kind, told=self._told)
            hazard = self._hazards[kind] = Hazard(shared.likely, shared)
        self._watch.begin(node, hazard, visit.now)


def _shards(nodes: Sequence[Node | None], head: int) -> int:
    """As many as when the conversation was first seen, so that it stays under its key."""
    opening = nodes[head + 1] if head + 1 < len(nodes) else None
    if opening is not None and opening.shards:
        return opening.shards
    shared = nodes[head] if head >= 0 else None
    return shards(shared.rate) if shared is not None else 1


def _short(key: bytes) -> int:
    return int.from_bytes(key[-7:], "big") + 1
