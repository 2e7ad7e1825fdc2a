"""Where long texts are read: off the event loop, one at a time.

Python runs one thread at a time, and a parser does not let go of it until it is done. With
several of them at work the event loop would come last after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_reader = ThreadPoolExecutor(1, "penstock-reader")


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, which may raise what it likes; it must wait for nothing."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_reader, lambda: work(*args, **kwargs))
