"""Tokens as fixed-width bytes, so that a prefix of a prompt is a slice of its bytes.

Any tokenizer fits: `array("I", ids).tobytes()` is the form that its ids take here.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable

WIDTH = 4  # bytes of one token

Encode = Callable[[str], bytes]  # text to `WIDTH` bytes a token

_piece = re.compile(r"\s?\w{1,12}|\s?[^\w\s]{1,4}|\s+")


def fourths(text: str) -> bytes:
    """Four UTF-8 bytes are one token: near enough to English, and free of any table."""
    raw = text.encode("utf-8", "surrogatepass")
    return raw + bytes(-len(raw) % WIDTH)


def from_ids(ids: Iterable[int]) -> bytes:
    """Token ids of any tokenizer; each below 2**32."""
    return array("I", ids).tobytes()


def count(tokens: bytes) -> int:
    """How many tokens these bytes are."""
    return len(tokens) // WIDTH


def pieces(text: str) -> list[str]:
    """The tokens that the simulated model emits for a text; joined, they are the text."""
    return _piece.findall(text)
