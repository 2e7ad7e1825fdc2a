"""Leave an upstream alone that keeps failing, and try it again after a while."""

from __future__ import annotations

import time

from pydantic import Field

from policies.base.call import Call
from policies.base.policy import Strict
from policies.base.ports import Backend
from policies.base.reply import Reply
from policies.base.units import Duration
from proxy.errors import Overloaded, UpstreamError

_FAILURES = frozenset({500, 502, 503, 504, 529})  # 429 is about the caller, not the host


class BreakerSettings(Strict):
    """Opens after `failures` in a row and stays open for `rest`; 0 failures: never opens."""

    failures: int = Field(default=8, ge=0)
    rest: Duration = 10.0


class Breaker:
    """Closed: passes. Open: refuses at once. After the rest one call may probe."""

    def __init__(self, inner: Backend, settings: BreakerSettings) -> None:
        self.name = inner.name
        self._inner = inner
        self._settings = settings
        self._failed = 0
        self._open_until = 0.0
        self._probing = False

    async def send(self, call: Call) -> Reply:
        """Raises `Overloaded` while open."""
        if self._failed and self._is_open():
            left = max(0.0, self._open_until - time.monotonic())
            raise Overloaded(
                f"backend '{self.name}' failed {self._failed} times in a row and is resting",
                retry_after=left,
            )
        probing = self._probing
        try:
            reply = await self._inner.send(call)
        except UpstreamError:
            self._count(failed=True)
            raise
        finally:
            if probing:
                self._probing = False
        if self._failed or reply.status in _FAILURES:
            self._count(failed=reply.status in _FAILURES)
        return reply

    def _is_open(self) -> bool:
        if not self._settings.failures or self._failed < self._settings.failures:
            return False
        if time.monotonic() < self._open_until or self._probing:
            return True
        self._probing = True
        return False

    def _count(self, *, failed: bool) -> None:
        self._failed = self._failed + 1 if failed else 0
        if failed and self._failed >= max(1, self._settings.failures):
            self._open_until = time.monotonic() + self._settings.rest

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()
