"""The reader against h11 on the same bytes, cut everywhere, and fuzzed."""

from collections import deque
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_corpus import CASES

from proxy.errors import BrokenReply
from proxy.upstream.failures import NoReply
from proxy.upstream.reader import HEAD_LIMIT, Reader

HOP = {b"connection", b"keep-alive", b"proxy-authenticate", b"transfer-encoding", b"upgrade"}
BROKEN = "broken"


def ours(method, parts):
    """`(status, headers, body, keep_alive)`; only the first three when the reply breaks off."""
    reader = Reader()
    reader.begin(bodiless=method == "HEAD")
    try:
        for part in parts:
            if part:
                reader.feed(part)
        reader.eof(clean=True)
    except BrokenReply:
        return BROKEN, reader.status, reader.headers, b"".join(reader.body)
    return reader.status, reader.headers, b"".join(reader.body), reader.keep_alive


def theirs(method, parts):
    conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    conn.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    conn.send(h11.EndOfMessage())
    status, headers, body = 0, (), b""
    try:
        for part in [*(p for p in parts if p), b""]:
            conn.receive_data(part)
            while (event := conn.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    status, headers = event.status_code, tuple(event.headers)
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    named = {
                        token.strip()
                        for name, value in headers
                        if name == b"connection"
                        for token in value.lower().split(b",")
                    }
                    kept = tuple(h for h in headers if h[0] not in HOP | named)
                    return status, kept, body, conn.their_state is h11.DONE
                elif isinstance(event, h11.ConnectionClosed):
                    return (BROKEN,)
    except h11.RemoteProtocolError:
        pass
    return (BROKEN,)


def cuts(wire):
    yield [wire]
    if len(wire) < 1000:
        yield [wire[i : i + 1] for i in range(len(wire))]
    step = 1 if len(wire) < 1000 else len(wire) // 50
    for at in range(1, len(wire), step):
        yield [wire[:at], wire[at:]]


@pytest.mark.parametrize("name", CASES)
def test_reads_the_same_however_it_is_cut(name):
    case = CASES[name]
    for parts in cuts(case.wire):
        read = ours(case.method, parts)
        if case.body is None:
            assert read[0] == BROKEN, parts
        else:
            status, _, body, keep_alive = read
            assert (status, body, keep_alive) == (case.status, case.body, case.keep_alive), parts


@pytest.mark.parametrize("name", [name for name in CASES if "h11" not in CASES[name].differs])
def test_reads_what_h11_reads(name):
    case = CASES[name]
    for parts in cuts(case.wire):
        mine, other = ours(case.method, parts), theirs(case.method, parts)
        assert mine[:1] == other[:1], parts
        if mine[0] != BROKEN:
            assert mine[:3] == other[:3], parts
            assert other[3] or not mine[3], parts  # we never reuse where h11 would not


def test_what_came_before_the_break_is_kept():
    reader = Reader()
    with pytest.raises(BrokenReply):
        reader.feed(CASES["chunk longer than its size"].wire)
    assert (reader.status, reader.body) == (200, [b"he"])


def test_one_reply_after_another_on_the_same_parser():
    reader = Reader()
    for name in ("sized", "chunked", "trailers", "204", "304 with length", "100 first", "empty"):
        case = CASES[name]
        for byte in case.wire:
            reader.feed(bytes([byte]))
        assert (reader.complete, reader.keep_alive) == (True, True), name
        assert (reader.status, b"".join(reader.body)) == (case.status, case.body)
        reader.begin()


def test_eof_before_any_byte_is_told_apart():
    reader = Reader()
    with pytest.raises(NoReply):
        reader.eof(clean=True)
    reader.feed(b"H")
    with pytest.raises(BrokenReply) as caught:
        reader.eof(clean=True)
    assert not isinstance(caught.value, NoReply)


def test_a_reset_never_completes_a_body():
    reader = Reader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    with pytest.raises(BrokenReply):
        reader.eof(clean=False)


@pytest.mark.parametrize(
    "endless", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: y\r\n"]
)
def test_an_endless_head_is_refused(endless):
    reader = Reader()
    wire = endless if b"100" in endless else b"HTTP/1.1 200 OK\r\n"
    more = endless if b"100" in endless else b"x: yyyyyyyyyyyyyyyy\r\n"
    reader.feed(wire)
    feeds = (reader.feed(more) for _ in range(HEAD_LIMIT))
    with pytest.raises(BrokenReply):
        deque(feeds, maxlen=0)
    assert len(reader._fields) < HEAD_LIMIT


@pytest.mark.parametrize("endless", [b"x: y\r\n", b"x"])
def test_endless_trailers_are_refused(endless):
    reader = Reader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    feeds = (reader.feed(endless) for _ in range(HEAD_LIMIT + 1))
    with pytest.raises(BrokenReply):
        deque(feeds, maxlen=0)


def test_a_head_of_exactly_the_limit_passes_and_one_byte_more_does_not():
    start, end = b"HTTP/1.1 200 OK\r\nx: ", b"\r\ncontent-length: 1\r\n\r\n"
    fill = b"y" * (HEAD_LIMIT - len(start) - len(end))
    for cut in (1, 100, HEAD_LIMIT - 1, HEAD_LIMIT):
        wire = start + fill + end + b"a"
        assert ours("GET", [wire[:cut], wire[cut:]])[0] == 200
        wire = start + fill + b"y" + end + b"a"
        assert ours("GET", [wire[:cut], wire[cut:]])[0] == BROKEN


@st.composite
def mutated(draw):
    wire = draw(st.sampled_from([c.wire for c in CASES.values() if len(c.wire) < 1000]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(wire)))
        gone = draw(st.integers(0, 3))
        new = draw(
            st.sampled_from([b"", b"\r\n", b"\n", b" ", b":", b"0", b"\0", b";", b","])
        ) + draw(st.binary(max_size=2))
        wire = wire[:at] + new + wire[at + gone :]
    return wire


@given(
    st.one_of(st.binary(max_size=200), mutated()),
    st.lists(st.integers(0, 400)),
    st.sampled_from(["GET", "HEAD"]),
)
def test_any_bytes_in_any_cut_give_one_result_or_a_declared_error(wire, places, method):
    at = [0, *sorted(p for p in places if p < len(wire)), len(wire)]
    parts = [wire[a:b] for a, b in pairwise(at)]
    whole = ours(method, [wire])
    assert ours(method, parts) == whole
    other = theirs(method, [wire])
    if whole[0] != BROKEN and other[0] != BROKEN:
        assert whole[:3] == other[:3]
