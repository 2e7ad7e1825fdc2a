"""What a policy may reach: a store of its own, per tenant; and what a backend is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from policies.base.call import Call
from policies.base.reply import Reply
from policies.base.terms import Terms


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored value. Times are Unix seconds; `expires` 0 means never."""

    value: bytes
    stored: float
    expires: float
    model: str = ""


class Reader(Protocol):
    """The read half of a store, bound to one policy and one tenant."""

    async def get(self, key: bytes) -> Entry | None:
        """The live entry, or None: also when the store is down."""


class Store(Reader, Protocol):
    """Bytes in, bytes out. A store that is down loses writes and never raises."""

    async def put(self, key: bytes, value: bytes, ttl: float, model: str = "") -> None:
        """Keep `value` for `ttl` seconds (0: for ever)."""

    async def delete(self, key: bytes) -> None:
        """Forget the entry, if there is one."""


Count = Callable[[str], int]  # the tokens of a text


def fourths(model: str) -> Count:  # noqa: ARG001 - the signature of `View.counter`
    """Counts by guess: four bytes to the token."""
    return lambda text: -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def _no_terms(call: Call) -> Terms:  # noqa: ARG001 - the signature of `View.terms`
    return Terms()


class View(msgspec.Struct, frozen=True, gc=False):
    """What planning may read. `now` is Unix seconds; `terms` those of the call's upstream.

    `counter(model)` counts tokens as that model does. It takes milliseconds for long texts,
    and a second before the first: call it in a thread. A plan on `trial` is only looked at: no
    later one may differ for it.
    """

    store: Reader
    now: float
    terms: Callable[[Call], Terms] = _no_terms
    counter: Callable[[str], Count] = fourths
    trial: bool = False


class Backend(Protocol):
    """Something that can be sent a call. Whatever loops, waits or talks is one of these."""

    name: str

    async def send(self, call: Call) -> Reply:
        """The reply, once its head is there. Raises `proxy.errors.ProxyError`s."""

    async def aclose(self) -> None:
        """Release connections; calls in flight may still finish."""
