"""The simulated model's bytes: compact JSON and server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

_encode = msgspec.json.Encoder().encode


class Frame(NamedTuple):
    """One event of a stream. `token`: it carries output, so it is worth the time of a token."""

    data: bytes
    token: bool


def dumps(value: Any) -> bytes:
    """Compact JSON; echoes of lone surrogates and huge integers are written as they came."""
    try:
        return _encode(value)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def data(value: Any, *, token: bool = False) -> Frame:
    """An event without a name, as chat and completions send."""
    return Frame(b"data: " + dumps(value) + b"\n\n", token)


def event(value: dict[str, Any], *, token: bool = False) -> Frame:
    """An event named by its `type`, as responses and messages send."""
    name: str = value["type"]
    return Frame(b"event: " + name.encode() + b"\ndata: " + dumps(value) + b"\n\n", token)


def ended(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames and OpenAI's terminal `[DONE]`."""
    yield from frames
    yield Frame(b"data: [DONE]\n\n", token=False)
