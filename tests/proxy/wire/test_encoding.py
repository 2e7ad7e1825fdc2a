import contextlib
import gzip
import tracemalloc
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.encoding import decode, inflating

TEXT = b'{"a": 1}' * 100
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW.compress(TEXT) + RAW.flush()
LIMIT = 10_000


WAYS = {
    b"gzip": lambda text: gzip.compress(text, mtime=0),
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstd.compress,
}


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
        (encoded(b"br"), brotli.compress(TEXT)),
        (encoded(b"zstd"), zstd.compress(TEXT)),
        (encoded(b"zstd, br"), brotli.compress(zstd.compress(TEXT))),
        (encoded(b"deflate, gzip"), gzip.compress(zlib.compress(TEXT), mtime=0)),
        (encoded(b"deflate", b"gzip"), gzip.compress(zlib.compress(TEXT), mtime=0)),
    ],
)
def test_known_encodings_are_undone(headers, body):
    assert decode(headers, body, LIMIT) == TEXT
    assert decode(headers, body, len(TEXT)) == TEXT
    assert decode(headers, body, len(TEXT) - 1) is None


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_several_members_are_one_body(coding):
    parts = [TEXT[:7], b"", TEXT[7:]]
    body = b"".join(map(WAYS[coding], parts))
    assert decode(encoded(coding), body, len(TEXT)) == TEXT
    assert decode(encoded(coding), body, len(TEXT) - 1) is None
    assert decode(encoded(coding), body[:-1], LIMIT) is None
    assert decode(encoded(coding), WAYS[coding](b"") * 100_000, LIMIT) is None


@pytest.mark.parametrize("coding", [b"deflate", b"br"])
def test_one_member_is_all_that_other_encodings_have(coding):
    assert decode(encoded(coding), WAYS[coding](TEXT) * 2, LIMIT) is None


@pytest.mark.parametrize("coding", [b"compress", b"gzip, dcz", b"nonsense"])
def test_unknown_encodings_are_not_stored(coding):
    assert decode(encoded(coding), gzip.compress(TEXT, mtime=0), LIMIT) is None


@pytest.mark.parametrize("coding", WAYS)
def test_a_broken_encoding_is_not_stored(coding):
    good = WAYS[coding](TEXT)
    for body in (b"", b"text", *(good[:end] for end in range(len(good))), good + b"x"):
        assert decode(encoded(coding), body, LIMIT) is None


@given(st.binary(), st.sampled_from([*WAYS]))
def test_foreign_bytes_are_no_fault(body, coding):
    found = decode(encoded(coding), body, LIMIT)
    assert found is None or len(found) <= LIMIT


@given(st.binary(), st.sampled_from([*WAYS]))
def test_what_was_encoded_comes_back(text, coding):
    assert decode(encoded(coding), WAYS[coding](text), LIMIT) == text


@pytest.mark.parametrize("coding", WAYS)
def test_a_bomb_stays_within_the_limit(coding):
    bomb = WAYS[coding](b"\0" * 50_000_000)
    tracemalloc.start()
    assert decode(encoded(coding), bomb, LIMIT) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_wide_window_is_not_taken():
    options = {zstd.CompressionParameter.window_log: 27}
    body = zstd.compress(bytes(range(256)) * 100_000, options=options)
    assert decode(encoded(b"zstd"), body, 1 << 28) is None


@given(st.binary(max_size=60) | st.integers(0, 10**6).map(bytes), st.integers(1, 7), st.data())
def test_a_stream_is_freed_of_its_encoding_however_it_is_cut(text, members, data):
    coding = data.draw(st.sampled_from(["gzip", "x-gzip", "deflate", "raw", "identity", ""]))
    if coding == "raw":
        wire, coding = zlib.compress(text, wbits=-15), "deflate"
    elif coding == "deflate":
        wire = zlib.compress(text)
    elif "gzip" in coding:
        wire, text = gzip.compress(text) * members, text * members
    else:
        wire = text
    inflate = inflating(coding.encode())
    step = data.draw(st.integers(1, max(1, len(wire))))
    plain = [p for at in range(0, len(wire), step) for p in inflate(wire[at : at + step])]
    assert b"".join(plain) == text


@given(st.binary(max_size=40))
def test_foreign_bytes_in_a_stream_raise_one_error(wire):
    for coding in (b"gzip", b"deflate"):
        with contextlib.suppress(zlib.error):
            b"".join(inflating(coding)(wire))


def test_streams_in_other_encodings_are_not_read():
    assert [inflating(listed) for listed in (b"br", b"gzip, gzip", b"x")] == [None] * 3
