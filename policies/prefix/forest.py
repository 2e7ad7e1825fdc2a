"""Where prompts branch: a compressed trie of block digests, bounded in bytes. No text is kept."""

from __future__ import annotations

import msgspec

from policies.prefix.hazard import Hazard

NODE = 400  # bytes of a node with its key and its place in a dictionary, as measured
_VISITS = 32.0  # gaps after which older ones count half
_MINUTE = 60.0


class Node(msgspec.Struct, gc=False):
    """A boundary. Times are Unix seconds.

    Of the `gaps` between visits, decayed, `short` were within the cache's lifetime. `warm`: until
    when the provider should hold an entry that ends here. `child` tells the next boundary of
    the last visit, `forks` that there was another. `rate`: visits in the last minute, decayed.
    `shards`: over how many keys its traffic was spread when it was first seen; 0: never was.
    `ended`: when a request last ended here, or went on from one that had.
    """

    last: float = 0.0
    gaps: float = 0.0
    short: float = 0.0
    warm: float = 0.0
    rate: float = 0.0
    child: int = 0
    shards: int = 0
    ended: float = 0.0
    forks: bool = False
    awaits: Hazard | None = None

    def visit(self, now: float, lifetime: float) -> None:
        """Count a visit. A clock that went back counts as no time at all."""
        gap = max(0.0, now - self.last)
        if self.last:
            self.gaps += 1.0
            self.short += gap <= lifetime
            if self.gaps > _VISITS:
                self.gaps /= 2.0
                self.short /= 2.0
            if self.awaits is not None and gap <= lifetime:
                self.awaits.returned(gap / lifetime)
            self.awaits = None
        self.rate = self.rate * max(0.0, 1.0 - gap / _MINUTE) + 1.0
        self.last = max(self.last, now)


class Forest:
    """Nodes by digest, in two generations, the older forgotten when the younger is full.

    Whoever visits a boundary visits all before it, so that tails are forgotten first.
    """

    def __init__(self, memory: int) -> None:
        """`memory` in bytes."""
        self._most = max(1, memory // NODE // 2)
        self._young: dict[bytes, Node] = {}
        self._old: dict[bytes, Node] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: bytes) -> Node | None:
        """The node, if it is known."""
        return self._young.get(key) or self._old.get(key)

    def reach(self, key: bytes) -> tuple[Node, bool]:
        """The node, made if need be, and whether it is new."""
        node = self._young.get(key)
        if node is not None:
            return node, False
        node = self._old.pop(key, None)
        fresh = node is None
        if node is None:
            node = Node()
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = node
        return node, fresh
