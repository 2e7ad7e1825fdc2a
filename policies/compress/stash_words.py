"""The words of a text, apart."""

from __future__ import annotations

import re

_STOPS = bytes.maketrans(stops := b"\"'`<>()[]{},;|", b" " * len(stops))
_COMMON = ("\\\\", "\\n", '\\"')  # escapes, the first of which must be replaced first
_long_escape = re.compile(r"\\u[0-9a-fA-F]{4}")
_escape = re.compile(r"\\[^/]")


def spaced(text: str) -> str:
    """The text with blanks, as many, for signs that part words, and for escapes of JSON."""
    if "\\" in text and text.lstrip()[:1] in ("{", "["):
        for escape in _COMMON:
            text = text.replace(escape, "  ")
        text = _escape.sub("  ", _long_escape.sub(" " * 6, text))
    raw = text.encode("utf-8", "surrogatepass").translate(_STOPS)
    return raw.decode("utf-8", "surrogatepass")
