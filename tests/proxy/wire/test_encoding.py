import gzip
import zlib

import pytest

from proxy.wire.encoding import decode

TEXT = b'{"a": 1}' * 100
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW.compress(TEXT) + RAW.flush()
LIMIT = 10_000


def encoded(*codings):
    return tuple((b"content-encoding", coding) for coding in codings)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), TEXT),
        (encoded(b"identity"), TEXT),
        (encoded(b"gzip"), gzip.compress(TEXT, mtime=0)),
        (encoded(b"GZIP "), gzip.compress(TEXT, mtime=0)),
        (encoded(b"x-gzip"), gzip.compress(TEXT, mtime=0)),
        (encoded(b"deflate"), zlib.compress(TEXT)),
        (encoded(b"deflate"), RAW_DEFLATED),
        (encoded(b"deflate, gzip"), gzip.compress(zlib.compress(TEXT), mtime=0)),
        (encoded(b"deflate", b"gzip"), gzip.compress(zlib.compress(TEXT), mtime=0)),
    ],
)
def test_known_encodings_are_undone(headers, body):
    assert decode(headers, body, LIMIT) == TEXT
    assert decode(headers, body, len(TEXT)) == TEXT
    assert decode(headers, body, len(TEXT) - 1) is None


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, br", b"nonsense"])
def test_unknown_encodings_are_not_stored(coding):
    assert decode(encoded(coding), gzip.compress(TEXT, mtime=0), LIMIT) is None


@pytest.mark.parametrize(
    "body", [b"", b"text", gzip.compress(TEXT, mtime=0)[:-1], gzip.compress(TEXT, mtime=0) + b"x"]
)
def test_a_broken_encoding_is_not_stored(body):
    assert decode(encoded(b"gzip"), body, LIMIT) is None


def test_a_bomb_stays_within_the_limit():
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    assert decode(encoded(b"gzip, gzip"), bomb, LIMIT) is None
