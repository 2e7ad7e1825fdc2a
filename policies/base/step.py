"""The closed union of what a policy can decide. Each carries `why` and a private memo."""

from __future__ import annotations

import msgspec

from policies.base.body import Body
from policies.base.call import Effect, Headers
from policies.base.local_tool import LocalTool
from policies.base.reply import Recording


class Skip(msgspec.Struct, frozen=True, gc=False):
    """Leave the request as it is.

    `keeps`: the bytes of the largest reply that the policy would store, once it is there.
    """

    why: str
    memo: object = None
    keeps: int = 0


class Edit(msgspec.Struct, frozen=True):
    """Send this body instead. Token counts are of the request, where they were counted.

    `headers` are sent in addition, where the client has not set them. `revocable` names body
    fields that are no part of the prompt and that an upstream may reject: where it does, the
    request is sent once more without this edit, and `settle` is told (`Outcome.revoked`).
    `local`: a tool in the new body that the client is not to see, nor calls of it.

    `instead` is set where the edit changes, on purpose, what earlier turns were sent as: it goes
    on as they did, and is what is done unless reading anew what follows the change pays. Where
    the edit is `known`, an earlier turn of this prompt was sent with it, and `instead` is done
    only if the turn before this one was not.
    """

    body: Body
    effect: Effect
    why: str
    tokens_before: int | None = None
    tokens_after: int | None = None
    memo: object = None
    headers: Headers = ()
    revocable: tuple[str, ...] = ()
    local: LocalTool | None = None
    instead: Edit | Skip | None = None
    known: bool = False

    @property
    def removed(self) -> int:
        """Tokens that the edit has saved, as far as they were counted; may be negative."""
        extra = 0 if self.local is None else self.local.extra
        return (self.tokens_before or 0) - (self.tokens_after or 0) - extra


class Send(msgspec.Struct, frozen=True):
    """Choose the backends, in order, and how long a request may be held (seconds)."""

    backends: tuple[str, ...]
    why: str
    hold: float = 0.0
    priority: int = 0
    memo: object = None


class Answer(msgspec.Struct, frozen=True):
    """Reply from a store. `age` and `ttl` in seconds; `tier` is a word for `Cache-Status`."""

    recording: Recording
    effect: Effect
    why: str
    age: float
    ttl: float
    tier: str
    similarity: float | None = None
    memo: object = None


class Refuse(msgspec.Struct, frozen=True):
    """A limit was hit: answer with this status and error code, send nothing."""

    status: int
    code: str
    why: str
    retry_after: float | None = None
    memo: object = None


Step = Skip | Edit | Send | Answer | Refuse
