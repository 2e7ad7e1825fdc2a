"""How a reply's body begins, of bodies that need not be short."""

from __future__ import annotations

from policies.base.reply import Chunks


async def beginning(chunks: Chunks, limit: int) -> bytes:
    """The whole body, or its first chunks up to one that goes over `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(parts)
