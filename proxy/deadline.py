"""Run a coroutine under a deadline, at no cost when it does not wait at all.

Most plans answer from memory and never suspend: the caller finishes those with the first
`send(None)`, which ends in `StopIteration`, and needs no timer, which would cost more than
they do.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

_STALLED = 0.005  # seconds by which a timer is late when others have kept the event loop
T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T], first: Any) -> T:
    """The result of `work`, whose first step yielded `first`.

    Raises `TimeoutError` if it still waits after `seconds`. Where the event loop stood still at
    that time, so that `work` could not go on though what it waited for was there, it has as many
    again.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    def ring() -> None:
        now = loop.time()
        limit.reschedule(now + seconds if now > until + _STALLED else now)

    async with asyncio.timeout(None) as limit:
        timer = loop.call_at(until, ring)
        try:
            return await _rest(work, first)
        finally:
            timer.cancel()


@types.coroutine
def _rest(work: Coroutine[Any, Any, T], pending: Any) -> Generator[Any, Any, T]:
    """Await what is left of a coroutine whose first step yielded `pending`."""
    try:
        while True:
            try:
                sent = yield pending
            except BaseException as error:  # noqa: BLE001 - handed on to where it belongs
                pending = work.throw(error)
            else:
                pending = work.send(sent)
    except StopIteration as stop:
        value: T = stop.value
        return value
