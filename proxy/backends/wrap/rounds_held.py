"""Replies of which it has been read what they say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from policies.base.reply import Reply
from proxy.backends.wrap.rounds_chunks import Unreadable, decoded
from proxy.wire.document import read
from proxy.wire.encoding import decode

PLAIN, STREAM = b"application/json", b"text/event-stream"
OF_THE_BODY = frozenset({b"content-length", b"content-encoding", b"etag"})
_LARGEST = 64 * 1024**2  # bytes of a reply without its content encoding


class Held(NamedTuple):
    """A reply, and its document where it is plain, has been read and is JSON."""

    reply: Reply
    doc: dict[str, Any] | None


def kind(reply: Reply) -> bytes:
    """Its media type."""
    return (reply.header(b"content-type") or b"").partition(b";")[0].strip().lower()


async def opened(reply: Reply) -> Held:
    """A reply that comes as a stream, in plain bytes."""
    streams = reply.status == 200 and kind(reply) == STREAM
    return Held(await decoded(reply) if streams else reply, None)


async def read_whole(reply: Reply) -> Held:
    """A reply that is there whole, and what a plain one says. Raises `Unreadable`."""
    body = reply.whole
    try:
        if body is None:
            body = b"".join([chunk async for chunk in reply.chunks])
    finally:  # also where the client has gone
        await reply.chunks.aclose()
    plain = decode(reply.headers, body, _LARGEST) if kind(reply) == PLAIN else None
    if plain is None and reply.status == 200 and reply.header(b"content-encoding") is not None:
        raise Unreadable("the upstream's reply is in a content-encoding that cannot be read")
    return Held(once(reply, body, reply.headers), None if plain is None else read(plain))


def once(reply: Reply, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> Reply:
    """The reply with this body and these headers."""

    async def chunks() -> AsyncGenerator[bytes]:
        yield body

    return Reply(
        reply.status, headers, chunks(), reply.backend, whole=body, attempts=reply.attempts
    )
