"""The words of a text, by which it is soon known what cannot stand in it."""

from __future__ import annotations

import re

_STOPS = bytes.maketrans(stops := b"\"'`<>()[]{},;|", b" " * len(stops))
_COMMON = ("\\\\", "\\n", '\\"')  # escapes, the first of which must be replaced first
_long_escape = re.compile(r"\\u[0-9a-fA-F]{4}")
_escape = re.compile(r"\\[^/]")

_letters = bytes(sign for sign in range(128) if chr(sign).isalpha() or chr(sign) in "_-!")
_others = bytes(sign for sign in range(128) if sign not in _letters)
_APART = bytes.maketrans(_others, b" " * len(_others))


def spaced(text: str) -> str:
    """The text with blanks, as many, for signs that part words, and for escapes of JSON."""
    if "\\" in text and text.lstrip()[:1] in ("{", "["):
        for escape in _COMMON:
            text = text.replace(escape, "  ")
        text = _escape.sub("  ", _long_escape.sub(" " * 6, text))
    raw = text.encode("utf-8", "surrogatepass").translate(_STOPS)
    return raw.decode("utf-8", "surrogatepass")


def vocabulary(text: str) -> bytes:
    """Each word once, in small letters, as UTF-8: a word is made of letters, `_`, `-` and `!`.

    A sign made of these that is not in it is not in the text either.
    """
    raw = text.encode("utf-8", "surrogatepass").translate(_APART).lower()
    return b" ".join(set(raw.split()))
