"""The head of a response: framing, keeping alive, and what must not get through."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.downstream.request import Request
from proxy.downstream.writer import CHUNKED, CLOSE, LENGTH, NONE, chunk, head

_OLD = {"version": "1.0"}


def lines(status, fields=(), method="GET", *, keep_alive=True, **more):
    text, framing, length, kept = head(
        status, fields, Request(method, keep_alive=True, **more), keep_alive=keep_alive
    )
    assert text.endswith(b"\r\n\r\n")
    return text[:-4].split(b"\r\n"), framing, length, kept


@pytest.mark.parametrize(
    ("status", "fields", "more", "expected", "rest"),
    [
        (200, [(b"content-length", b"7")], {}, [b"content-length: 7"], [LENGTH, 7, True]),
        (200, [(b"Content-Length", b"7")], {}, [b"Content-Length: 7"], [LENGTH, 7, True]),
        (200, [], {}, [b"transfer-encoding: chunked"], [CHUNKED, 0, True]),
        (200, [(b"transfer-encoding", b"chunked"), (b"content-length", b"1")], {},
         [b"transfer-encoding: chunked"], [CHUNKED, 0, True]),
        (200, [(b"connection", b"x, Close"), (b"content-length", b"0")], {},
         [b"content-length: 0", b"connection: close"], [LENGTH, 0, False]),
        (200, [(b"connection", b"keep-alive"), (b"content-length", b"0")], {"keep_alive": False},
         [b"content-length: 0", b"connection: close"], [LENGTH, 0, False]),
        (200, [(b"content-length", b"7")], _OLD,
         [b"content-length: 7", b"connection: keep-alive"], [LENGTH, 7, True]),
        (200, [], _OLD, [b"connection: close"], [CLOSE, 0, False]),
        (204, [(b"content-length", b"0"), (b"a", b"b")], {}, [b"a: b"], [NONE, 0, True]),
        (304, [(b"content-length", b"9")], {}, [b"content-length: 9"], [NONE, 9, True]),
        (304, [], {}, [], [NONE, 0, True]),
        (200, [(b"content-length", b"9")], {"method": "HEAD"},
         [b"content-length: 9"], [NONE, 9, True]),
        (200, [], {"method": "HEAD"}, [], [NONE, 0, True]),
        (200, [(b"set-cookie", b"a"), (b"set-cookie", b"b"), (b"content-length", b"1")], {},
         [b"set-cookie: a", b"set-cookie: b", b"content-length: 1"], [LENGTH, 1, True]),
    ],
)  # fmt: skip
def test_framing(status, fields, more, expected, rest):
    (_, *got), *found = lines(status, fields, **more)
    assert got == expected
    assert found == rest


def test_status_lines():
    assert lines(200)[0][0] == b"HTTP/1.1 200 OK"
    assert lines(529)[0][0] == b"HTTP/1.1 529 "
    with pytest.raises(KeyError):
        lines(101)


@pytest.mark.parametrize("evil", [b"\r\nx: y", b"\n", b"\r", b"\0", b"a\r\n\r\nbody"])
def test_nothing_ends_a_line_early(evil):
    for field in ((b"a" + evil, b"b"), (b"a", b"b" + evil), (b"a", evil + b"b")):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            lines(200, [(b"content-length", b"1"), field])


@pytest.mark.parametrize("length", [b"-1", b"+1", b"1_0", b"", b"0x1", b"1, 1", b"\xb2"])
def test_a_length_is_a_number(length):
    with pytest.raises(ValueError, match="content-length"):
        lines(200, [(b"content-length", length)])


def test_there_is_one_length():
    with pytest.raises(ValueError, match="one content-length"):
        lines(200, [(b"content-length", b"1"), (b"content-length", b"1")])


_name = st.text("abcdefXYZ-", min_size=1, max_size=10).map(lambda n: b"x-" + n.encode())
_value = st.binary(max_size=20)


@given(st.lists(st.tuples(_name, _value), max_size=8), st.integers(0, 10**9))
def test_any_head_is_refused_or_read_back(fields, length):
    fields = [*fields, (b"content-length", b"%d" % length)]
    try:
        text, *_ = head(200, fields, Request("GET", keep_alive=True), keep_alive=True)
    except ValueError:
        assert any(set(b"\r\n\0") & set(name + value) for name, value in fields)
        return
    assert not any(set(b"\r\n\0") & set(name + value) for name, value in fields)
    if any(set(value) & {*range(32), 127} - {9} for _, value in fields):
        return  # what h11 does not take; it cannot break the framing
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.receive_data(text)
    got = client.next_event().headers
    assert list(got) == [(name.lower(), value.strip(b" \t")) for name, value in fields]


@given(st.lists(st.binary(max_size=40), min_size=1))
def test_chunks_are_read_back(pieces):
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head(200, (), Request("GET", keep_alive=True), keep_alive=True)[0])
    client.next_event()
    for number, piece in enumerate(pieces, 1):
        if text := chunk(piece, last=number == len(pieces)):
            client.receive_data(text)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"".join(pieces)
