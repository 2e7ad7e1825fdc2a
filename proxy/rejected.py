"""An upstream that rejects a field which a policy has added, and says so."""

from __future__ import annotations

import msgspec

from policies.base.plan import Plan
from policies.base.reply import Chunks, Reply
from policies.base.step import Edit
from proxy.wire.encoding import decode

_LONGEST = 64 * 1024  # bytes of an error that is read


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Fields that an upstream does not take, and the policy that has added them."""

    policy: str
    fields: tuple[str, ...]


async def rejected(plan: Plan, reply: Reply) -> Rejected | None:
    """The fields of a policy that a 400 or 422 names; None where it names none.

    What was read of the reply to find out is in its `chunks` again.
    """
    edits = [(row.policy, row.step) for row in plan.rows if row.applied]
    named = [(policy, step.revocable) for policy, step in edits if isinstance(step, Edit)]
    if not any(fields for _, fields in named):
        return None
    body = await _read(reply)
    text = decode(reply.headers, body, _LONGEST) or b""
    for policy, fields in named:
        found = tuple(field for field in fields if field.encode() in text)
        if found:
            return Rejected(policy, found)
    return None


async def _read(reply: Reply) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in reply.chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > _LONGEST:
            break
    read = b"".join(parts)
    reply.chunks = _Again(read, reply.chunks)
    return read


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
