"""Heads of requests: h11 reads back what was meant, and nothing can be smuggled in."""

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.upstream.message import Request
from proxy.upstream.writer import head

FIXED = b"host: up:81\r\n"


def read(wire):
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(wire)
    return conn.next_event()


async def _nothing():
    return
    yield b""


@pytest.mark.parametrize(
    ("request_", "framing"),
    [
        (Request("GET", b"/"), []),
        (Request("POST", b"/"), [(b"content-length", b"0")]),
        (Request("POST", b"/", body=b""), [(b"content-length", b"0")]),
        (Request("DELETE", b"/", body=b"abc"), [(b"content-length", b"3")]),
        (Request("POST", b"/", body=_nothing()), [(b"transfer-encoding", b"chunked")]),
        (Request("POST", b"/", body=_nothing(), length=7), [(b"content-length", b"7")]),
    ],
)
def test_framing_follows_from_the_body(request_, framing):
    event = read(head(request_, b"", FIXED))
    assert event.method.decode() == request_.method
    assert list(event.headers) == [(b"host", b"up:81"), *framing]


def test_absolute_form_for_a_proxy():
    assert head(Request("GET", b"/a?b"), b"http://up:81", FIXED).startswith(
        b"GET http://up:81/a?b HTTP/1.1\r\nhost: up:81\r\n"
    )


@pytest.mark.parametrize(
    "bad", [b"\r", b"\n", b"\0", b"\r\n", b"\r\nx: y", b"\r\n\r\nGET / HTTP/1.1"]
)
def test_no_line_can_be_broken(bad):
    for broken in (
        Request("GET", b"/" + bad),
        Request("GET" + bad.decode(), b"/"),
        Request("GET", b"/", ((b"a" + bad, b"b"),)),
        Request("GET", b"/", ((b"a", b"b" + bad + b"c"),)),
    ):
        with pytest.raises(ValueError, match=r"HTTP forbids|CR, LF or NUL"):
            head(broken, b"", FIXED)


@pytest.mark.parametrize("target", [b"", b"/ HTTP/1.1", b"/a b", b"/\t"])
def test_a_target_is_one_word(target):
    with pytest.raises(ValueError, match="HTTP forbids"):
        head(Request("GET", target), b"", FIXED)


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"connection"])
def test_framing_headers_of_the_caller_are_refused(name):
    with pytest.raises(ValueError, match="written by the client"):
        head(Request("GET", b"/", ((name, b"1"),)), b"", FIXED)


token = st.text("abcdefghijklmnopqrstuvwxyz-_0123456789", min_size=1).map(
    lambda s: b"x-" + s.encode()
)


@given(
    st.lists(st.tuples(token, st.binary(max_size=20)), max_size=8),
    st.binary(max_size=30).map(lambda b: b"/" + b),
)
def test_what_is_written_is_read_back_or_refused(headers, target):
    try:
        wire = head(Request("GET", target, tuple(headers)), b"", FIXED)
    except ValueError:
        return
    try:
        event = read(wire)
    except h11.RemoteProtocolError:
        assume(False)  # control characters and the like: nothing that breaks a line
    assert event.target == target
    assert list(event.headers) == [(b"host", b"up:81"), *((n, v.strip(b" \t")) for n, v in headers)]
    assert wire.count(b"\r\n\r\n") == 1
