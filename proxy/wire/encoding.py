"""Content encodings that a recording can be freed of."""

from __future__ import annotations

import zlib

from policies.base.call import Headers

_WINDOWS = {
    b"gzip": (31,),
    b"x-gzip": (31,),
    b"deflate": (15, -15),
}  # deflate: often without zlib's frame


def decode(headers: Headers, body: bytes, limit: int) -> bytes | None:
    """`body` without its content encoding, at most `limit` bytes.

    None when it is broken, goes over the limit, or is encoded with what the standard
    library does not read (br, zstd): such a reply is relayed but not stored.
    """
    listed = b",".join([value for name, value in headers if name == b"content-encoding"])
    if not listed:
        return body if len(body) <= limit else None
    plain: bytes | None = body
    for coding in reversed([coding.strip() for coding in listed.lower().split(b",")]):
        if coding in (b"", b"identity") or plain is None:
            continue
        windows = _WINDOWS.get(coding, ())
        tried = (_inflate(plain, window, limit) for window in windows)
        plain = next((found for found in tried if found is not None), None)
    return plain if plain is not None and len(plain) <= limit else None


def _inflate(body: bytes, window: int, limit: int) -> bytes | None:
    """One whole member and nothing after it."""
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        return None
    whole = inflater.eof and not inflater.unused_data and len(plain) <= limit
    return plain if whole else None
