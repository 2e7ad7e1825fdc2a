"""What a trace is made of: conversations, each a sequence of requests with recorded replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from policies.base.call import Dialect
from proxy.simulation.rules import RuleName


class Malformed(ValueError):
    """A line of a trace that is no request or conversation. The message quotes nothing of it."""


class Target(msgspec.Struct, frozen=True):
    """The model that requests are sent to instead of their own, and its cache rule."""

    model: str
    rule: RuleName


class Request(msgspec.Struct, frozen=True):
    """One request. `body` is JSON as a client would send it.

    `answer` is the recorded reply: an assistant message of the dialect, or the text that
    followed a bare prompt; None where the trace has none. `output` is its length in tokens
    where the trace says so. `grain`: tokens of one block in a trace of block hashes, whose
    body names blocks instead of text; 0 for text.
    """

    dialect: Dialect
    path: str
    body: bytes
    answer: dict[str, Any] | str | None = None
    output: int | None = None
    grain: int = 0


class Talk(msgspec.Struct, frozen=True):
    """`size` requests that follow each other. `key` tells conversations apart.

    `at` is the trace's own time in seconds; None where the trace has none.
    """

    key: str
    at: float | None
    size: int
    requests: Iterator[Request]
