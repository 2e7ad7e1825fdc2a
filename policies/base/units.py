"""Durations (`90s`, `1h`) and sizes (`64MB`) as YAML writes them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_seconds = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_bytes = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
_bytes |= {"kib": 1024, "mib": 1024**2, "gib": 1024**3}
_quantity = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


def _read(value: Any, units: dict[str, Any], example: str) -> Any:
    if not isinstance(value, str):
        return value
    match = _quantity.fullmatch(value.strip())
    unit = match.group(2) if match else ""
    if match is None or (unit not in units and unit.lower() not in units):
        raise ValueError(f"not a quantity with a unit, such as {example}")
    return float(match.group(1)) * units[unit if unit in units else unit.lower()]


def seconds(value: Any) -> Any:
    """`"90s"` as 90.0; a number is seconds already."""
    return _read(value, _seconds, "500ms, 90s, 1h or 7d")


def size(value: Any) -> Any:
    """`"64MB"` as 64000000; a number is bytes already."""
    found = _read(value, _bytes, "64KB, 32MiB or 1GB")
    return int(found) if isinstance(found, float) else found


_schema = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0), WithJsonSchema(_schema)]
Size = Annotated[int, BeforeValidator(size), Field(ge=0), WithJsonSchema(_schema)]
