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

T = TypeVar("T")


async def within(seconds: float, work: Coroutine[Any, Any, T], first: Any) -> T:
    """The result of `work`, whose first step yielded `first`.

    Raises `TimeoutError` if it still waits after `seconds`.
    """
    async with asyncio.timeout(seconds):
        return await _rest(work, first)


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
