"""Keys that send a conversation to the machine that holds its prefix."""

from __future__ import annotations

from hashlib import sha256
from math import ceil

_PER_KEY = 12.0  # requests a minute; providers spill over at about 15


def shards(rate: float) -> int:
    """Over how many keys traffic of `rate` requests a minute is spread."""
    return max(1, ceil(rate / _PER_KEY))


def cache_key(parts: tuple[str, ...], prefix: bytes, conversation: bytes, count: int) -> str:
    """A `prompt_cache_key` for those who share `parts` and `prefix`, in one of `count` buckets.

    The bucket is the one of highest random weight, so that few conversations move when
    another is added. At most 64 characters, which is what OpenAI takes.
    """
    weights = (sha256(conversation + bucket.to_bytes(4)).digest() for bucket in range(count))
    bucket = max(enumerate(weights), key=lambda pair: pair[1])[0]
    return _digest(*(part.encode() for part in parts), prefix, bucket.to_bytes(4))


def session_id(tenant: str, conversation: bytes) -> str:
    """A name for a conversation that tells nothing of it."""
    return _digest(tenant.encode(), conversation)


def cache_salt(tenant: str) -> str:
    """What keeps a tenant's prefixes apart in vLLM: 32 hexadecimal digits."""
    return _digest(b"salt", tenant.encode())


def _digest(*parts: bytes) -> str:
    whole = sha256()
    for part in parts:
        whole.update(len(part).to_bytes(4) + part)
    return whole.hexdigest()[:32]
