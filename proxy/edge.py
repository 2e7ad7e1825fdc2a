"""From an ASGI scope to a `Call`: headers, tenant, body, route."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterable
from functools import lru_cache
from urllib.parse import unquote

from policies.base.apart import apart
from policies.base.body import Body
from policies.base.call import OPAQUE, Call, Dialect
from policies.base.errors import MalformedBody
from proxy.errors import BadRequest, TooLarge
from proxy.generation import Generation
from proxy.send import CLIENT, Client, ClientGone, Receive, Scope
from proxy.wire import envelope
from proxy.wire.encoding import TooLong, inflated, readable
from proxy.wire.headers import Head, split

_PREFIX = b"/v1/"
_SLASH = rb"(?:/|\\|%2f|%5c)"
_DOTS = re.compile(rb"(?:^|" + _SLASH + rb")(?:\.|%2e){1,2}(?:" + _SLASH + rb"|$)", re.IGNORECASE)
_count = itertools.count(1)


class Upload:
    """A request body that is passed on as it comes. `received` once all of it has."""

    def __init__(self, receive: Receive, length: int | None) -> None:
        self._receive = receive
        self.length = length
        self.received = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.received:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self.received = not message.get("more_body", False)
            if message["body"]:
                yield message["body"]


@lru_cache(maxsize=64)  # a handful of paths makes up nearly all requests
def _addressed(method: str, path: str, raw: bytes, query: bytes) -> tuple[Dialect, str, str]:
    """Which of the bodies we read a request has, if any; where it goes below `/v1/`, as it came.

    With the query, and without.
    """
    if not raw.startswith(_PREFIX):
        raise BadRequest("the path must begin with /v1/ as it stands, without escapes")
    below = raw[len(_PREFIX) :]
    if (b"." in below or b"%" in below) and _DOTS.search(below):
        raise BadRequest("the path must not hold '.' or '..' segments")
    dialect = OPAQUE
    if method == "POST":
        dialect = envelope.DIALECTS.get(path[len(_PREFIX) :], OPAQUE)
    target = below + b"?" + query if query else below
    return dialect, target.decode("latin-1"), below.decode("latin-1")


def endpoint_scope(path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    """The scope of a POST to an endpoint below `/v1/`, for requests that are only planned."""
    whole = f"/v1/{path}"
    return {
        "method": "POST",
        "path": whole,
        "raw_path": whole.encode(),
        "query_string": b"",
        "headers": headers,
        "extensions": {},
    }


async def read_call(
    scope: Scope, receive: Receive, generation: Generation, tenant: str | None = None
) -> Call:
    """Raises `BadRequest`s, `Unauthorized`, or `ClientGone`.

    `tenant` is for those who may speak for any; others are known by their credential.
    """
    place = scope["method"], scope["path"], scope["raw_path"], scope["query_string"]
    dialect, target, endpoint = _addressed(*place)
    headers = scope["headers"]
    head = split(tuple([pair for pair in headers if pair[0] != b"content-length"]))
    if tenant is None:
        tenant = generation.clients.tenant(head.credential)
    model, stream, upload = "", False, None
    body = _EMPTY
    if dialect is OPAQUE:
        length = _length(headers)
        if length and length <= _INLINE and _is_json(head):
            body = Body(b"", await _whole(receive, length, _INLINE))
            model = _model_of(body.wire)
        elif length != 0:
            upload = Upload(receive, length)
        if target.startswith("models/"):
            named = unquote(target[len("models/") :].partition("?")[0])
            model = named if len(named) <= envelope.LONGEST_NAME else ""
    else:
        limit = generation.config.limits.body
        wire = _there(scope, limit)
        if wire is None:
            wire = await _whole(receive, _length(headers), limit)
        encoding = head.encoding
        if encoding is None and generation.repeats.is_quick(wire):
            body = Body(wire)
            model, stream = generation.repeats.read(dialect, body)
        elif encoding is None or readable(encoding):
            body = await apart(_inflated, wire, encoding or b"", limit)
            model, stream = await apart(generation.repeats.read_new, dialect, body)
        else:
            dialect, body = OPAQUE, Body(b"", wire)
    route = generation.router.find(model, endpoint)
    return Call(
        id=f"{generation.stamp}{next(_count):x}",
        dialect=dialect,
        method=scope["method"],
        path=target,
        headers=head.forward,
        body=body,
        tenant=tenant,
        credential=() if generation.clients.named else head.credential,
        model=model,
        stream=stream,
        route=route.name,
        pipeline=route.pipeline,
        backends=route.backends,
        effects=route.effects,
        controls=head.controls,
        upload=upload,
    )


def _is_json(head: Head) -> bool:
    kind = head.header(b"content-type") or b""
    return kind.startswith(b"application/json") and not head.encoding


def _model_of(text: bytes) -> str:
    """The model that a body names which is otherwise not ours to read, for routing."""
    try:
        model = Body(text).json().get("model")
    except MalformedBody:
        return ""
    return model if isinstance(model, str) and len(model) <= envelope.LONGEST_NAME else ""


_EMPTY = Body(b"")
_INLINE = 128 * 1024  # bytes of a body that is read for routing only


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The length of the body, 0 without one and None when it is chunked."""
    length: int | None = 0
    for name, value in headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            length = None
    return length


def _there(scope: Scope, limit: int) -> bytes | None:
    """The request body, at most `limit` bytes, if all of it has come."""
    client: Client | None = scope["extensions"].get(CLIENT)
    there = client.take() if client is not None else None
    if there is not None and len(there) > limit:
        raise _too_large(limit)
    return there


async def _whole(receive: Receive, length: int | None, limit: int) -> bytes:
    """The request body, at most `limit` bytes."""
    if (length or 0) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message["body"])
        size += len(message["body"])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request body is over the limit of {limit} bytes (limits.body)")


def _inflated(wire: bytes, encoding: bytes, limit: int) -> Body:
    """The JSON text that `wire` carries."""
    try:
        raw = inflated(encoding, wire, limit)
    except TooLong:
        raise _too_large(limit) from None
    if raw is None:
        why = "the request body is not what its content-encoding says"
        raise BadRequest(why, param="content-encoding")
    return Body(raw, wire)
