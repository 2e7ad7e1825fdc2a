"""Canonical JSON: one byte form per JSON value, with repeated keys found out.

Numbers are compared by value (RFC 8785 and JSON Schema agree that 1.0 is 1): integers
exactly, whatever their size, other numbers as IEEE 754 doubles.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from policies.base.errors import MalformedBody

encode = msgspec.json.Encoder(order="sorted").encode
_LONGEST_PLAIN = 17  # a decimal literal up to here is never written longer than it came
_MAX_EXACT = 2**53


class _OddNumberError(Exception):
    """A literal that may grow when it is written again, such as `1e5`."""


def _plain(literal: str) -> float | int:
    if len(literal) > _LONGEST_PLAIN or "e" in literal or "E" in literal:
        raise _OddNumberError
    value = float(literal)
    return int(value) if value.is_integer() else value


def _odd(literal: str) -> float | int:
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise OverflowError
    return int(value) if value.is_integer() and abs(value) <= _MAX_EXACT else value


_decode_plain = msgspec.json.Decoder(float_hook=_plain).decode
_decode_odd = msgspec.json.Decoder(float_hook=_odd).decode


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """`plain`: no number in the text can be written longer than it came."""

    doc: Any
    plain: bool


def parse(raw: bytes) -> Parsed | None:
    """Strict parse of JSON text; None when it is not RFC 8259 JSON that we can hold."""
    try:
        return Parsed(_decode_plain(raw), plain=True)
    except _OddNumberError:
        pass
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    try:
        return Parsed(_decode_odd(raw), plain=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError):
        return None


def every_key_once(raw: bytes) -> bool:
    """Whether no object repeats a key; raises `MalformedBody` if the outermost does."""
    repeats: list[tuple[dict[str, Any], str]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            repeats.append((found, _first_repeat(pairs)))
        return found

    outermost = json.loads(raw, object_pairs_hook=collect, parse_int=str)
    for where, name in repeats:
        if where is outermost:
            raise MalformedBody(f"the key '{name}' stands twice in the request body", name)
    return not repeats


def _first_repeat(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("no name stands twice")
