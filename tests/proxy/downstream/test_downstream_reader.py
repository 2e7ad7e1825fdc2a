"""The reader alone: limits, trailers, upgrades, and that cuts do not matter."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.downstream.invalid import InvalidHttp
from proxy.downstream.reader import HEAD_LIMIT, HEADER_LIMIT, Reader

_BASE = {"root_path": ""}
_GET = b"GET /next HTTP/1.1\r\nhost: h\r\n\r\n"


def read(*pieces, base=_BASE):
    """What became of each request, and the status of the refusal if there was one."""
    begun = []
    reader = Reader(base, lambda request, scope: begun.append((request, scope)))
    status = None
    try:
        for piece in pieces:
            reader.feed(piece)
    except InvalidHttp as error:
        status = error.status
    reader.close()
    found = [
        (r.method, s["path"], s["headers"], r.take(), r.complete, r.keep_alive, r.version)
        for r, s in begun
    ]
    return found, status


def cut(data, *at):
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_names_in_lower_case_values_without_the_space_around():
    found, _ = read(b"GET /a HTTP/1.1\r\nX-Y:  b c \t\r\nZ:\r\n\r\n")
    assert found == [("GET", "/a", [(b"x-y", b"b c"), (b"z", b"")], b"", True, True, "1.1")]


def test_trailers_are_no_headers_of_this_request_or_the_next():
    data = (
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        b"authorization: stolen\r\nx: y\r\n\r\n" + _GET
    )
    for at in range(len(data)):
        found, status = read(*cut(data, at))
        assert status is None
        assert [headers for _, _, headers, *_ in found] == [
            [(b"transfer-encoding", b"chunked")],
            [(b"host", b"h")],
        ]


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: 3\r\n", b"abc"),
        (b"transfer-encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
        (b"", b""),
    ],
)
def test_an_offer_to_upgrade_is_ignored_and_the_body_read(framing, body):
    head = b"POST /u HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n" + framing + b"\r\n"
    data = (head + body) * 2 + _GET
    for at in range(len(data)):
        found, status = read(*cut(data, at))
        assert status is None, at
        assert [(path, text, done) for _, path, _, text, done, *_ in found] == [
            ("/u", b"abc" if body else b"", True),
            ("/u", b"abc" if body else b"", True),
            ("/next", b"", True),
        ], at


def test_thousands_of_offers_to_upgrade_at_once():
    found, status = read(b"GET /u HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n" * 2000)
    assert (len(found), status) == (2000, None)


def test_nothing_follows_a_last_request():
    for last in (
        b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nconnection: close, upgrade\r\nupgrade: x\r\n\r\n",
        b"POST / HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        for at in range(len(last + _GET)):
            found, status = read(*cut(last + _GET, at))
            assert ([path for _, path, *_ in found], status) == (["/"], None)
            assert found[0][5] is False


def test_versions():
    assert read(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")[0][0][5:] == (True, "1.0")
    assert read(b"GET / HTTP/1.0\r\n\r\n")[0][0][5:] == (False, "1.0")
    assert read(b"GET / HTTP/1.1\r\nconnection: keep-alive\r\n\r\n")[0][0][5:] == (True, "1.1")
    assert read(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")[0][0][5:] == (False, "1.1")
    assert read(b"GET / HTTP/2.0\r\n\r\n") == ([], 505)
    assert read(b"GET /\r\n\r\n") == ([], 505)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"identity", b"xchunked"])
def test_a_transfer_coding_that_we_cannot_undo(coding):
    assert read(b"POST / HTTP/1.1\r\ntransfer-encoding: " + coding + b"\r\n\r\n") == ([], 501)


def head_of(size, *, fields=1):
    """A head of about `size` bytes."""
    name = b"x: " + b"a" * ((size - 40) // fields - 5) + b"\r\n"
    return b"GET / HTTP/1.1\r\n" + name * fields + b"\r\n"


@pytest.mark.parametrize("step", [1000, 65536, 10**6])
def test_a_head_has_a_size(step):
    def pieces(data):
        return [data[at : at + step] for at in range(0, len(data), step)]

    for fields in (1, 100):
        assert read(*pieces(head_of(HEAD_LIMIT - 200, fields=fields)))[1] is None
        assert read(*pieces(head_of(HEAD_LIMIT + 2000, fields=fields)))[1] == 431
    endless = [b"GET /" + b"a" * step] + [b"a" * step] * (1 + 2 * HEAD_LIMIT // step)
    assert read(*endless)[1] == 431
    post = b"POST / HTTP/1.1\r\ncontent-length: 300000\r\n\r\n" + b"b" * 300_000
    assert read(*pieces(post + head_of(HEAD_LIMIT - 200)))[1] is None
    assert read(*pieces(post + head_of(HEAD_LIMIT + 2000)))[1] == 431


def test_headers_have_a_number():
    assert read(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * HEADER_LIMIT + b"\r\n")[1] is None
    many = b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEADER_LIMIT + 1)
    assert read(many + b"\r\n")[1] == 431
    assert read(many + b"c")[1] == 431  # the end need not come


@pytest.mark.parametrize("part", [b"a: b\r\n", b"a"])
def test_trailers_and_chunk_extensions_have_a_size(part):
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    endless = [part * (1000 // len(part))] * 200
    assert read(head, b"0\r\n", *endless)[1] == 431
    assert read(head, b"1;", *[b"a" * 1000] * 200)[1] == 431
    assert read(*[b"\r\n" * 500] * 200)[1] == 431  # before a first request


def test_a_large_body_in_small_chunks_is_no_large_head():
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    found, status = read(head, *[b"1;" + b"x" * 900 + b"\r\na\r\n"] * 500, b"0\r\n\r\n")
    assert (status, found[0][3]) == (None, b"a" * 500)


def test_a_root_path_is_put_before():
    begun = []
    reader = Reader({"root_path": "/r"}, lambda _, scope: begun.append(scope))
    reader.feed(b"GET /a%20b?c HTTP/1.1\r\n\r\n")
    assert (begun[0]["path"], begun[0]["raw_path"]) == ("/r/a b", b"/r/a%20b")
    reader.close()


def test_what_the_sink_raises_comes_out():
    def sink(*_):
        raise ZeroDivisionError

    reader = Reader(_BASE, sink)
    with pytest.raises(ZeroDivisionError):
        reader.feed(_GET)
    reader.close()


_token = st.text("abcXYZ-", min_size=1, max_size=12).map(str.encode)
_value = st.binary(max_size=20).map(lambda b: bytes(c for c in b if 33 <= c < 127))
_body = st.binary(max_size=60)


@st.composite
def _requests(draw):
    headers = draw(st.lists(st.tuples(_token.map(lambda n: b"x-" + n), _value), max_size=4))
    body = draw(_body)
    lines = b"".join(n + b": " + v + b"\r\n" for n, v in headers)
    if draw(st.booleans()):
        framing, text = b"content-length: %d\r\n" % len(body), body
    else:
        framing = b"transfer-encoding: chunked\r\n"
        text = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    upgrade = draw(st.sampled_from([b"", b"connection: upgrade\r\nupgrade: websocket\r\n"]))
    data = b"POST /p HTTP/1.1\r\n" + upgrade + lines + framing + b"\r\n" + text
    return data, [(n.lower(), v) for n, v in headers], body


@given(st.lists(_requests(), min_size=1, max_size=4), st.data())
def test_any_requests_are_read_alike_however_cut(requests, data):
    text = b"".join(wire for wire, _, _ in requests)
    at = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    found, status = read(*cut(text, *at))
    assert status is None
    got = [([h for h in hs if h[0][:2] == b"x-"], body) for _, _, hs, body, *_ in found]
    assert got == [(headers, body) for _, headers, body in requests]
    assert all(complete for *_, complete, _, _ in found)


@given(st.lists(st.binary(max_size=80) | st.sampled_from([_GET, b"\r\n", b"GET / HTTP/1.1\r\n"])))
def test_any_bytes_are_read_or_refused(pieces):
    read(*pieces)
