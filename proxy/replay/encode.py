"""Text to tokens for the cache rules: o200k and the like, each text encoded once."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

from proxy.simulation.tokens import WIDTH
from proxy.tokens import encoding_name
from proxy.vocabulary import Vocabulary

_DIGEST = 64


class Encoder:
    """Encodes for one model, and remembers what it has encoded, in `memory` bytes."""

    def __init__(self, model: str, memory: int = 256 << 20) -> None:
        self._name = encoding_name(model)
        self._left = memory
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._vocabulary: Vocabulary | None = None  # half a second to load
        self._lock = Lock()  # policies count in threads of their own

    def __call__(self, text: str) -> bytes:
        """The tokens of `text`; special tokens count as the text they are."""
        with self._lock:
            found = self._known.get(text)
            if found is not None:
                self._known.move_to_end(text)
                return found
            found = array("I", self._table().encode(text)).tobytes()
            self._known[text] = found
            self._left -= len(text) + len(found)
            while self._left < 0:
                old, tokens = self._known.popitem(last=False)
                self._left += len(old) + len(tokens)
            return found

    def _table(self) -> Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(self._name)
        return self._vocabulary


def blocks(grain: int, text: str) -> bytes:
    """The tokens of `"3 1 4/100"`: blocks named by hash, `grain` tokens each, the last 100.

    Equal names have equal tokens. Raises `ValueError` for any other text.
    """
    names, _, last = text.partition("/")
    made = [_block(grain, name) for name in names.split()]
    if made and last:
        made[-1] = made[-1][: int(last) * WIDTH]
    return b"".join(made)


def _block(grain: int, name: str) -> bytes:
    digest = blake2b(name.encode(), digest_size=_DIGEST).digest()
    return (digest * (grain * WIDTH // _DIGEST + 1))[: grain * WIDTH]
