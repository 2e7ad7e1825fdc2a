"""JSON in fewer tokens, with an exact inverse.

`encode` chooses, by counted tokens, between JSON without white space and the compact notation
of `json_writer`, with tables and a legend where they pay. `decode` restores the exact form
(see `json_exact`) from either.
"""

from __future__ import annotations

from collections.abc import Callable

from policies.compress import json_legend, native
from policies.compress.json_exact import Exact, Spelling, exact, minified
from policies.compress.json_reader import read
from policies.compress.json_writer import TooDeep, Writer

_LIMIT = 1 << 20  # characters
_LEFT_ALONE = 8  # limits
_CLEAR = 0.75  # of the exact form's characters: below, tokens fall without being counted
_SPELLINGS = {
    Spelling(wide=True, slash=False): "#non-ASCII as \\u\n",
    Spelling(wide=False, slash=True): "#/ as \\/\n",
    Spelling(wide=True, slash=True): "#non-ASCII as \\u, / as \\/\n",
}


def encode(text: str, count: Callable[[str], int], limit: int = _LIMIT) -> str | None:
    """JSON text in fewer tokens; None when it is no JSON or nothing is gained.

    `count` gives the tokens of a text. Texts of more than `limit` characters besides white space
    only lose that, those of more than eight times as many are left alone. Deterministic if `count`
    is. The compact notation has been decoded and compared before it is returned.
    """
    if text[:1] not in "{[" and text.lstrip()[:1] not in ("{", "["):
        return None
    if len(text) > _LEFT_ALONE * limit:
        return None
    try:
        return native.json_encode(text, count, limit)
    except native.Unfit:
        return _encoded(text, count, limit)


def decode(encoded: str) -> str:
    """The exact form of what `encode` was given. Raises `ValueError` on foreign text."""
    text = _restored(encoded)
    if minified(text) != text:
        raise ValueError("this is not the compact notation of JSON")
    return text


def _restored(encoded: str) -> str:
    """The same, without a look at whether foreign text gives JSON."""
    if minified(encoded) == encoded:
        return encoded
    text = json_legend.expand(encoded)
    for spelling, line in _SPELLINGS.items():
        if text.startswith(line):
            return spelling.apply(read(text[len(line) :]))
    return read(text)


def _encoded(text: str, count: Callable[[str], int], limit: int) -> str | None:
    """What `encode` makes of JSON, in Python: what the native one must give, byte for byte."""
    found = exact(text) if len(text) <= limit else None
    short = found.text if found else minified(text)
    if short is not None and len(short) <= limit < len(text):
        found = exact(short)
    compact = found and _compact(found, count)
    if compact:
        return compact
    return short if short is not None and len(short) < len(text) else None


def _compact(found: Exact, count: Callable[[str], int]) -> str | None:
    """The compact notation, when it is shorter and reads back as it must."""
    writer = Writer(count)
    try:
        body = _SPELLINGS.get(found.spelling, "") + writer.write(found.doc)
        compact = json_legend.add(body, writer.objects, count)
        for candidate in (compact, body) if compact != body else (body,):
            if _restored(candidate) == found.text:
                break
        else:
            return None
    except (TooDeep, RecursionError, ValueError):
        return None
    clear = len(candidate) < _CLEAR * len(found.text)
    return candidate if clear or count(candidate) < count(found.text) else None
