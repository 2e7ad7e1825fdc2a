"""What a policy sees of one request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from policies.base.body import Body
from policies.base.local_tool import LocalTool

Headers = tuple[tuple[bytes, bytes], ...]
_URGENT = frozenset({"high", "critical"})  # of `x-penstock-priority`


class Effect(StrEnum):
    """What a step may do to the answer, from harmless to not."""

    EXACT = "exact"  # same answer, nothing changed
    LOSSLESS = "lossless"  # same information, fewer tokens
    REORDER = "reorder"
    REUSE = "reuse"  # another request's answer
    LOSSY = "lossy"


class Dialect(StrEnum):
    """Whose error form, stream events and usage fields an endpoint speaks."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"
    OPAQUE = "opaque"  # relayed, never read


OPAQUE = Dialect.OPAQUE  # to look a member up in its class is dear, and every request asks


class CacheMode(StrEnum):
    """What the request's own headers allow the caches."""

    ON = "on"
    OFF = "off"  # neither read nor written
    REFRESH = "refresh"  # not read, written
    READ_ONLY = "read-only"  # `Cache-Control: no-store`
    ONLY = "only"  # `only-if-cached`: 504 on a miss


class Controls(msgspec.Struct, frozen=True, gc=False):
    """The request headers that steer Penstock; durations in seconds."""

    cache: CacheMode = CacheMode.ON
    bypass: frozenset[str] = frozenset()  # of all, cache, compress, prefix, batch
    namespace: str = ""
    ttl: float | None = None
    max_age: float | None = None
    pipeline: str | None = None
    session: str | None = None
    max_wait: float | None = None
    priority: str | None = None

    @property
    def urgent(self) -> bool:
        """Whether the request must never wait for another."""
        return self.priority is not None and self.priority.lower() in _URGENT

    def bypasses(self, family: str) -> bool:
        """Whether policies of this family must leave the request alone."""
        return bool(self.bypass) and (family in self.bypass or "all" in self.bypass)


class Upload(Protocol):
    """A request body on its way in. `length` in bytes, None when it is chunked."""

    length: int | None

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Audience:
    """Who else waits for what a call brings, besides its own client."""

    __slots__ = ("_end", "others")

    def __init__(self) -> None:
        self.others = 0
        self._end: Callable[[], object] | None = None

    def join(self) -> None:
        """Somebody else waits too."""
        self.others += 1

    def leave(self) -> None:
        """One of the others has gone, or has all it came for."""
        self.others -= 1
        if not self.others and self._end is not None:
            self._end()

    def dissolve(self) -> None:
        """The others are looked after without this call."""
        self.others = 0
        if self._end is not None:
            self._end()

    def desert(self, end: Callable[[], object]) -> None:
        """The call's own client has gone: `end` the call, once nobody else waits."""
        if self.others:
            self._end = end
        else:
            end()


class Call(msgspec.Struct, frozen=True):
    """One request, read-only. `headers` are those that go upstream, names in lower case."""

    id: str
    dialect: Dialect
    method: str
    path: str  # below /v1/, with the query: "chat/completions"
    headers: Headers
    body: Body
    tenant: str
    credential: Headers  # the caller's own key as it came; () where Penstock's clients are named
    model: str
    stream: bool
    route: str
    backends: tuple[str, ...]  # first choice first
    effects: frozenset[Effect]
    controls: Controls
    pipeline: str = ""  # the route's; "" where requests are only relayed
    audience: Audience = msgspec.field(default_factory=Audience)
    upload: Upload | None = None  # the body of an opaque call, streamed; `body` is empty then
    local: LocalTool | None = None  # among the body's tools, one that the client does not know
    came: Body | None = None  # the client's own body, where an edit has changed it

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def doc(self) -> dict[str, Any]:
        """The parsed body; callers must not change it."""
        return self.body.json()
