"""Keys that send a conversation to the machine that holds its prefix."""

from __future__ import annotations

from hashlib import sha256
from math import ceil

_MOST = 1024  # keys
_PER_KEY = 12.0  # requests a minute; providers spill over at about 15


def shards(rate: float) -> int:
    """Over how many keys traffic of `rate` requests a minute is spread."""
    return min(_MOST, max(1, ceil(rate / _PER_KEY)))


def cache_key(parts: tuple[str, ...], prefix: bytes, conversation: bytes, count: int) -> str:
    """A `prompt_cache_key` for those who share `parts` and `prefix`, in one of `count` buckets.

    At most 64 characters, which is what OpenAI takes.
    """
    bucket = 0
    if count > 1:
        bucket = _bucket(int.from_bytes(sha256(conversation).digest()[:8], "big"), count)
    return _digest(*(part.encode() for part in parts), prefix, bucket.to_bytes(4))


def _bucket(key: int, count: int) -> int:
    """Jump consistent hashing (Lamping and Veach, 2014).

    Few conversations move when a bucket is added: those that the new one takes.
    """
    bucket, jump = 0, 0
    while jump < count:
        bucket = jump
        key = (key * 2862933555777941757 + 1) % 2**64
        jump = int((bucket + 1) * (2**31 / ((key >> 33) + 1)))
    return bucket


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
