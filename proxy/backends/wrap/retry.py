"""Try again what may succeed: connect errors, 429 and 5xx, under a budget.

Never after the first byte of a reply has reached the caller, and only where no work can have
been done twice: what is not known to be safe is tried again when it was not sent at all, or
was turned away with a 429. A body that was streamed is gone once a connection was made.
"""

from __future__ import annotations

import asyncio
import random
import time
from calendar import timegm
from email.utils import parsedate_tz

from pydantic import Field

from policies.base.call import Call
from policies.base.policy import Strict
from policies.base.ports import Backend
from policies.base.reply import Reply
from policies.base.units import Duration
from proxy.errors import ConnectFailed, Overloaded, UpstreamError
from proxy.upstream import NoReply

_STATUSES = frozenset({429, 500, 502, 503, 504, 529})
_TURNED_AWAY = 429
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class RetrySettings(Strict):
    """`budget`: retries allowed per request sent, on average, with a small reserve.

    An upstream that asks for more patience than `max_wait` has its answer passed on.
    """

    attempts: int = Field(default=3, ge=1, le=10)
    backoff: Duration = 0.25
    max_wait: Duration = 10.0
    budget: float = Field(default=0.2, ge=0, le=1)


class Budget:
    """Earns a share of a retry per request, so that retries cannot multiply an outage."""

    _RESERVE = 10.0

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = self._RESERVE

    def earn(self) -> None:
        """A request was sent for the first time."""
        if self._left < self._RESERVE:
            self._left = min(self._RESERVE, self._left + self._share)

    def spend(self) -> bool:
        """Whether one more retry is allowed; if so it is paid for."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Retry:
    """Sends to `inner` up to `attempts` times."""

    def __init__(self, inner: Backend, settings: RetrySettings) -> None:
        self.name = inner.name
        self._inner = inner
        self._settings = settings
        self._budget = Budget(settings.budget)

    async def send(self, call: Call) -> Reply:
        """The first good reply, or the last attempt's reply or error."""
        self._budget.earn()
        attempts = self._settings.attempts
        last: Reply | UpstreamError | None = None
        for attempt in range(1, attempts + 1):
            try:
                reply = await self._inner.send(call)
            except Overloaded:
                if isinstance(last, Reply):
                    return last
                if last is not None:  # what made the breaker open says more than that it did
                    raise last from None
                raise
            except (ConnectFailed, NoReply) as error:
                last = error
                error.attempts = attempt
                unsent = isinstance(error, ConnectFailed)
                if not (unsent or _repeatable(call)) or not self._again(attempt, attempts):
                    raise
                await asyncio.sleep(self._backoff(attempt))
                continue
            reply.attempts = attempt
            if reply.status not in _STATUSES or not _harmless(call, reply.status):
                return reply
            pause = self._pause(reply, attempt)
            if pause is None or not self._again(attempt, attempts):
                return reply
            last = None if reply.whole is None else reply
            await reply.chunks.aclose()
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _again(self, attempt: int, attempts: int) -> bool:
        return attempt < attempts and self._budget.spend()

    def _backoff(self, attempt: int) -> float:
        """Full jitter: between nothing and an exponentially growing bound."""
        bound = self._settings.backoff * 2 ** (attempt - 1)
        return random.uniform(0, min(bound, self._settings.max_wait))  # noqa: S311 - spreads load

    def _pause(self, reply: Reply, attempt: int) -> float | None:
        """Seconds to wait; None when the upstream asks for more than we may wait."""
        asked = retry_after(reply)
        if asked is None:
            return self._backoff(attempt)
        return asked if asked <= self._settings.max_wait else None

    async def aclose(self) -> None:
        """Close what it wraps."""
        await self._inner.aclose()


def retry_after(reply: Reply) -> float | None:
    """Seconds named by `retry-after-ms` or by `retry-after`, as a number or a date, or None."""
    for name, unit in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        value = reply.header(name)
        if value is not None:
            try:
                return max(0.0, float(value) * unit)
            except ValueError:
                continue
    until = _date(reply.header(b"retry-after"))
    if until is None:
        return None
    sent = _date(reply.header(b"date"))  # by the upstream's own clock, whatever ours says
    return max(0.0, until - (time.time() if sent is None else sent))


def _date(value: bytes | None) -> float | None:
    """Unix seconds of an HTTP date (RFC 9110, section 5.6.7), or None."""
    try:
        found = parsedate_tz((value or b"").decode("latin-1"))
        return None if found is None else timegm(found[:9]) - (found[9] or 0)
    except (ValueError, OverflowError):
        return None


def _repeatable(call: Call) -> bool:
    """Whether sending twice is safe: generation is, unknown writes are not."""
    if call.upload is not None:
        return False
    return bool(call.body.raw) or call.method in _IDEMPOTENT


def _harmless(call: Call, status: int) -> bool:
    """Whether sending again after this status is safe."""
    return _repeatable(call) or (status == _TURNED_AWAY and call.upload is None)
