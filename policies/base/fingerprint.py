"""When two requests are the same request: the key of the exact cache and of coalescing."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import msgspec

from policies.base.call import Call, Dialect

# They choose the form in which the same answer comes, not the answer.
FORM = frozenset({"stream", "stream_options"})

# Members that decide whether a reply may be kept or shared, and in which form.
DECISIVE_FIELDS = (
    "n",
    "best_of",
    "temperature",
    "seed",
    "background",
    "conversation",
    "stream_options",
)

# Request headers that change what a provider answers, or on whose behalf.
_DECISIVE = frozenset(
    {
        b"anthropic-beta",
        b"anthropic-version",
        b"openai-beta",
        b"openai-organization",
        b"openai-project",
    }
)
_RESPONSES = Dialect.RESPONSES
_encode = msgspec.json.Encoder().encode


def fingerprint(call: Call) -> bytes | None:
    """SHA-256 over tenant, endpoint, backend, model, namespace and every generation field.

    Unknown fields count; key order, white space and the streaming form do not. None when
    the body is no strict JSON, so that nothing can be said of it.
    """
    body, whose = call.body, (call.id, call.backends)
    if body.memo[0] == whose:
        return cast("bytes | None", body.memo[1])
    digest = body.digest(FORM)
    found = None if digest is None else _key(call, digest)
    body.memo = (whose, found)
    return found


def _key(call: Call, digest: bytes) -> bytes:
    scope: list[Any] = [
        call.tenant,
        call.dialect,
        call.path,
        call.backends[0],
        call.model,
        call.controls.namespace,
    ]
    for name, value in call.headers:
        if name in _DECISIVE:
            scope.append((name.decode("latin-1"), value.decode("latin-1")))
    return sha256(_encode(scope) + digest).digest()


def is_sampled(call: Call) -> bool:
    """Whether the caller asked for chance: a temperature without a seed, or several choices.

    A temperature that is left out does not count: many models refuse the field, and
    callers who want variety say so.
    """
    field = call.body.field
    if field("temperature") and field("seed") is None:
        return True
    return (field("n") or 1) > 1 or (field("best_of") or 1) > 1


def is_stateful(call: Call) -> bool:
    """Whether the call changes something at the provider besides producing its answer."""
    if call.dialect is not _RESPONSES:
        return False
    return bool(call.body.field("background") or call.body.field("conversation"))
