"""JSON objects as they stand on the wire."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec


class _Choice(TypedDict, total=False):
    index: Any
    finish_reason: Any
    error: Any


class _Choices(TypedDict, total=False):
    """Of a chat or completions document, what tells how it ended and what it cost."""

    choices: list[_Choice]
    usage: Any
    error: Any
    type: Any


_decode = msgspec.json.Decoder().decode
_skim = msgspec.json.Decoder(_Choices).decode


def read(data: bytes) -> dict[str, Any] | None:
    """The object that `data` is strict JSON for; None when it is anything else."""
    try:
        doc = _decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return doc if isinstance(doc, dict) else None


def skim(data: bytes) -> dict[str, Any] | None:
    """As `read`, less what the choices say: at half the price, and it is most of a reply."""
    try:
        return dict(_skim(data))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return read(data)


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; none when it is not an array."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
