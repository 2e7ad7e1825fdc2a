"""Content encodings that a recording can be freed of."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import brotli

from policies.base.call import Headers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WIDEST = 23  # 8 MB, the widest window that zstd may have on the web (RFC 9659)


class _Decoder(Protocol):
    """What `zlib.decompressobj` gives; `eof` once the end of what was encoded is reached."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Brotli:
    """Brotli by the same interface. Data after its end is an error of its own."""

    eof = False
    unused_data = b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most about `max_length` bytes."""
        decoder = brotli.Decompressor()
        plain: bytes = decoder.process(data, output_buffer_limit=max_length)
        self.eof = decoder.is_finished()
        return plain


def _zstd() -> _Decoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WIDEST})


_NONE = (b"", b"identity")
_GZIP = (partial(zlib.decompressobj, 31),)
_SEVERAL = (*_GZIP, _zstd)  # RFC 1952, section 2.2; RFC 8878, section 3
_MEMBERS = 1024  # at most: empty ones would cost more than they weigh
_DECODERS: Mapping[bytes, Sequence[Callable[[], _Decoder]]] = {
    b"gzip": _GZIP,
    b"x-gzip": _GZIP,
    b"deflate": (zlib.decompressobj, partial(zlib.decompressobj, -15)),  # often without a frame
    b"br": (_Brotli,),
    b"zstd": (_zstd,),
}


def readable(listed: bytes) -> bool:
    """Whether each coding of a `content-encoding` is known here."""
    return all(coding in _NONE or coding in _DECODERS for coding in _codings(listed))


def _codings(listed: bytes) -> list[bytes]:
    return [coding.strip() for coding in listed.lower().split(b",")]


def decode(headers: Headers, body: bytes, limit: int) -> bytes | None:
    """`body` without its content encoding, at most `limit` bytes.

    None when it is broken, goes over the limit, or has an encoding that is not known here:
    such a reply is relayed but not stored.
    """
    listed = b",".join([value for name, value in headers if name == b"content-encoding"])
    if not listed:
        return body if len(body) <= limit else None
    try:
        return inflated(listed, body, limit)
    except TooLong:
        return None


class TooLong(Exception):
    """What was encoded goes over the limit."""


def inflated(listed: bytes, body: bytes, limit: int) -> bytes | None:
    """`body` without the content encoding that is `listed`; None where it is broken or unknown.

    Raises `TooLong` for more than `limit` bytes, of which no more than that are inflated.
    """
    plain: bytes | None = body
    for coding in reversed(_codings(listed)):
        if coding in _NONE or plain is None:
            continue
        tried = (_whole(made, plain, limit) for made in _DECODERS.get(coding, ()))
        plain = next((found for found in tried if found is not None), None)
    if plain is not None and len(plain) > limit:
        raise TooLong
    return plain


def _whole(made: Callable[[], _Decoder], body: bytes, limit: int) -> bytes | None:
    """What whole members hold, of which gzip and zstd may have several, and nothing after them."""
    plain: list[bytes] = []
    while body or not plain:
        decoder = made()
        try:
            plain.append(decoder.decompress(body, limit + 1))
        except (zlib.error, zstd.ZstdError, brotli.error):
            return None
        limit -= len(plain[-1])
        body = decoder.unused_data
        most = _MEMBERS if made in _SEVERAL else 1
        if limit < 0:
            raise TooLong
        if not decoder.eof or (body and len(plain) >= most):
            return None
    return b"".join(plain)


class Inflating:
    """A stream in gzip or deflate, freed of it as it comes. Raises `zlib.error`."""

    _PIECE = 16 * 1024  # bytes given at a time

    def __init__(self, coding: bytes) -> None:
        self._deflate = coding == b"deflate"
        self._decoder: Any = None
        self._head = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What this chunk adds, in pieces."""
        if self._decoder is None:
            self._head += chunk
            if len(self._head) < 2:  # by which it is known whether there is a frame
                return
            chunk, self._head = self._head, b""
            framed = chunk[0] & 15 == zlib.DEFLATED and int.from_bytes(chunk[:2]) % 31 == 0
            bare = self._deflate and not framed  # RFC 1950, section 2.2
            self._decoder = zlib.decompressobj(-15 if bare else 47)
        more = True
        while more:
            if self._decoder.eof and chunk:  # gzip may have several members, and zeros behind
                if not chunk.lstrip(b"\0"):
                    return
                self._decoder = zlib.decompressobj(47)
            plain = self._decoder.decompress(chunk, self._PIECE)
            if plain:
                yield plain
            chunk = self._decoder.unconsumed_tail or self._decoder.unused_data
            more = bool(chunk) or len(plain) == self._PIECE


def inflating(listed: bytes) -> Callable[[bytes], Iterator[bytes]] | None:
    """What frees a stream of its content encoding, chunk by chunk; None where that is not known."""
    codings = [coding for coding in _codings(listed) if coding not in _NONE]
    if not codings:
        return lambda chunk: iter((chunk,))
    known = len(codings) == 1 and codings[0] in (b"gzip", b"x-gzip", b"deflate")
    return Inflating(codings[0]).feed if known else None
