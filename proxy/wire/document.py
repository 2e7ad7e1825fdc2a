"""JSON objects as they stand on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def read(data: bytes) -> dict[str, Any] | None:
    """The object that `data` is strict JSON for; None when it is anything else."""
    try:
        doc = _decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return doc if isinstance(doc, dict) else None


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; none when it is not an array."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
