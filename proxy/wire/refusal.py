"""What an upstream says that it does not take."""

from __future__ import annotations

from policies.base.reply import Chunks, Reply
from proxy.wire.beginning import beginning
from proxy.wire.encoding import decode

_LONGEST = 64 * 1024  # bytes of an error that is read


async def said(reply: Reply) -> bytes:
    """The beginning of a refusal's body, without its encoding; b"" where that cannot be read.

    What was read of the reply is in its `chunks` again.
    """
    if reply.whole is not None:
        return decode(reply.headers, reply.whole, _LONGEST) or b""
    body = await beginning(reply.chunks, _LONGEST)
    reply.chunks = _Again(body, reply.chunks)
    return decode(reply.headers, body, _LONGEST) or b""


class _Again:
    """What was read of a body, and then the rest of it."""

    def __init__(self, read: bytes, rest: Chunks) -> None:
        self._read: bytes | None = read
        self._rest = rest

    def __aiter__(self) -> _Again:
        return self

    async def __anext__(self) -> bytes:
        read, self._read = self._read, None
        return await self._rest.__anext__() if read is None else read

    async def aclose(self) -> None:
        """Give up what has not arrived yet."""
        await self._rest.aclose()
