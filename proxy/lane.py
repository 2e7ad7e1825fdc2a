"""What one request needs of the running configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from policies.base.call import Call
from policies.base.plan import Outcome, Plan
from policies.base.ports import Backend
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.engine import Engine
from proxy.pipeline import Pipeline


class Books(Protocol):
    """Where plans and outcomes are written down."""

    def close(self, plan: Plan, outcome: Outcome, texts: list[str]) -> None:
        """Account for a finished request; `texts` is its reply, if usage must be counted."""

    async def estimate(self, call: Call, recording: Recording) -> Usage:
        """Count what an upstream did not report."""


class Lane(msgspec.Struct, frozen=True):
    """What one request needs of the running configuration."""

    engine: Engine
    pipeline: Pipeline
    chain: Callable[[tuple[str, ...]], Backend]
    books: Books
    recording_limit: int
