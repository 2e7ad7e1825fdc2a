"""The exact form: JSON text without the white space between its tokens.

White space is all that is dropped: number literals, key order, repeated keys and the
spelling of every string stay as they came.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode
_wide = re.compile(r"[^\x00-\x7e]+")


class Spelling(NamedTuple):
    """How a writer escaped more than RFC 8259 demands.

    `wide`: all but printable ASCII, as Python's `json.dumps` does; `slash`: `/`, as PHP's
    `json_encode` does (with `wide` too, unless told otherwise).
    """

    wide: bool
    slash: bool

    def apply(self, text: str) -> str:
        """JSON text with the fewest escapes, spelled this way."""
        if self.wide:
            text = _wide.sub(_escaped, text)
        return text.replace("/", "\\/") if self.slash else text


class Exact(NamedTuple):
    """JSON text taken apart.

    `text`: the exact form; `doc`: its value, fractions as `Raw`; `plain`: the exact form with
    the fewest escapes, from which `spelling` makes `text`.
    """

    text: str
    plain: str
    doc: Any
    spelling: Spelling


_SPELLINGS = tuple(Spelling(wide, slash) for wide in (False, True) for slash in (False, True))


def minified(text: str) -> str | None:
    """The exact form of JSON text; None when it is not one RFC 8259 value in UTF-8."""
    found = _taken(text)
    return found and found[0]


def exact(text: str) -> Exact | None:
    """What a writer of `text` meant, if `plain` and a spelling restore the exact form.

    They do not where a key stands twice in one object, or strings or integers are spelled in
    no common way: -0, or an escape that only one string has.
    """
    found = _taken(text)
    if found is None:
        return None
    short, doc = found
    plain = _encode(doc).decode()
    for spelling in _SPELLINGS:
        if spelling.apply(plain) == short:
            return Exact(short, plain, doc, spelling)
    return None


def _taken(text: str) -> tuple[str, Any] | None:
    """The exact form and its value."""
    try:
        short = msgspec.json.format(text.encode(), indent=-1)
        doc = _decode(short)  # `format` alone is lenient about what stands inside strings
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return short.decode(), doc


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
