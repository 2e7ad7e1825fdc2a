"""What a reply's headers say of Penstock's work, read as strictly as the RFCs allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CacheStatus", "Receipt", "cache_status", "receipt"]

_TOKEN = r"[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*"
_KEY = r"[a-z*][a-z0-9_.*-]*"
_ITEM = re.compile(rf"({_TOKEN})((?:; *{_KEY}(?:=(?:-?\d+|{_TOKEN}))?)*)")
_PARAMETER = re.compile(rf"; *({_KEY})(?:=(-?\d+|{_TOKEN}))?")
# RFC 9211, section 2.2
_REASONS = {"bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}


@dataclass(frozen=True)
class CacheStatus:
    """`Cache-Status` of one cache. RFC 9211, section 2."""

    cache: str
    hit: bool = False
    fwd: str | None = None
    ttl: int | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str | None = None


@dataclass(frozen=True)
class Receipt:
    """All that Penstock adds to a reply; durations in the header's own unit."""

    id: str
    cache: str
    backend: str
    overhead_ms: float
    steps: dict[str, str]
    status: CacheStatus
    age: int | None
    tokens: tuple[int, int] | None  # before, after


def cache_status(value: str) -> CacheStatus:
    """Read a header with one member; asserts what the RFC demands of it."""
    match = _ITEM.fullmatch(value)
    assert match, f"not a structured field: {value!r}"
    found: dict[str, object] = {}
    for name, argument in _PARAMETER.findall(match.group(2)):
        found[name] = int(argument) if re.fullmatch(r"-?\d+", argument) else argument or True
    status = CacheStatus(match.group(1), **found)
    assert status.hit != (status.fwd is not None), "exactly one of hit and fwd"
    assert status.fwd is None or status.fwd in _REASONS
    assert status.fwd or not (status.stored or status.collapsed), "they go with fwd only"
    assert status.hit or status.ttl is None or status.stored
    return status


def receipt(headers: Mapping[str, str]) -> Receipt:
    """Read the receipt of a reply; asserts that its parts agree."""
    status = cache_status(headers["cache-status"])
    age = headers.get("age")
    assert (age is not None) == status.hit
    tokens = re.fullmatch(r"before=(\d+) after=(\d+)", headers.get("x-penstock-tokens", ""))
    found = Receipt(
        id=headers["x-penstock-request-id"],
        cache=headers["x-penstock-cache"],
        backend=headers["x-penstock-backend"],
        overhead_ms=float(headers["x-penstock-overhead-ms"]),
        steps=dict(re.findall(r"([a-z_.]+)=([^,]+)", headers.get("x-penstock-steps", ""))),
        status=status,
        age=None if age is None else int(age),
        tokens=(int(tokens[1]), int(tokens[2])) if tokens else None,
    )
    assert ("x-penstock-tokens" in headers) == (tokens is not None)
    assert status.hit == (found.cache in {"HIT", "SEMANTIC_HIT"})
    assert status.collapsed == (found.cache == "COALESCED")
    assert found.overhead_ms >= 0
    return found
