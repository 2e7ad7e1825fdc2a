"""The misbehaving upstream does what it says, on the bytes of the wire."""

import gzip
import hashlib
import json
import socket
import time
from pathlib import Path

import pytest

from tests.fakes.misbehaving import BEHAVIOURS, TEXT, Misbehaving

HANGS = {"hang", "hang-body"}


@pytest.fixture(scope="module")
def upstream():
    with Misbehaving() as server:
        yield server


def talk(upstream, raw):
    """What comes back for these bytes, until the upstream closes; None after a reset."""
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as peer:
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while data := peer.recv(2**20):
                got += data
        except ConnectionResetError:
            return None
        return got


def request(fake, body=b"{}", method="POST", target="/v1/x"):
    head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nx-fake: {fake}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("fake", "start", "inside"),
    [
        ("chat", b"HTTP/1.1 200", TEXT.encode()),
        ("length", b"HTTP/1.1 200", b'"finish_reason": "length"'),
        ("sse", b"HTTP/1.1 200", b"data: [DONE]\n\n\r\n0\r\n\r\n"),
        ("slow:0.001", b"HTTP/1.1 200", b"data: [DONE]"),
        ("late:0.001", b"HTTP/1.1 200", TEXT.encode()),
        ("br", b"HTTP/1.1 200", b"content-encoding: br"),
        ("zstd", b"HTTP/1.1 200", b"content-encoding: zstd"),
        ("error-event", b"HTTP/1.1 200", b"overloaded"),
        ("invalid-sse", b"HTTP/1.1 200", b"\xff\xfe"),
        ("html", b"HTTP/1.1 200", b"content-type: text/html"),
        ("status:503", b"HTTP/1.1 503", b"fake 503"),
        ("early", b"HTTP/1.1 413", b"fake 413"),
        ("interim", b"HTTP/1.1 102", b"HTTP/1.1 103"),
        ("not-http", b"SSH-", b""),
        ("huge-header:5000", b"HTTP/1.1 200", b"h" * 5000),
        ("until-close", b"HTTP/1.1 200", b"connection: close"),
    ],
)
def test_behaviours_that_send(upstream, fake, start, inside):
    got = talk(upstream, request(fake))
    assert got.startswith(start)
    assert inside in got


def test_broken_framing(upstream):
    def lengths(fake):
        head, _, body = talk(upstream, request(fake)).partition(b"\r\n\r\n")
        return int(head.rpartition(b"content-length: ")[2]), len(body)

    assert lengths("too-long")[0] < lengths("too-long")[1]
    assert lengths("too-short")[0] > lengths("too-short")[1]
    assert talk(upstream, request("half-chunk")).partition(b"\r\n\r\n")[2][:4] == b"40\r\n"
    assert b"[DONE]" not in talk(upstream, request("no-done"))
    assert b'finish_reason": "stop' not in talk(upstream, request("cut-sse"))
    assert talk(upstream, request("close")) == b""
    assert talk(upstream, request("reset")) is None
    assert talk(upstream, request("reset-body")) is None


def test_retries_succeed_in_the_end(upstream):
    got = [talk(upstream, request("fail:2:502", target="/v1/a"))[:12] for _ in range(3)]
    assert got == [b"HTTP/1.1 502", b"HTTP/1.1 502", b"HTTP/1.1 200"]
    first, second = (talk(upstream, request("limited:1", target="/v1/b")) for _ in range(2))
    assert b"retry-after: 1" in first
    assert second.startswith(b"HTTP/1.1 200")


def test_the_path_the_attribute_and_the_script_choose():
    with Misbehaving() as own:
        plain = b"GET /v1/status:418/x HTTP/1.1\r\n\r\n"
        assert talk(own, plain).startswith(b"HTTP/1.1 418")
        own.behaviour = "html"
        own.script = ["status:500", "status:501"]
        got = [talk(own, plain)[9:12] for _ in range(3)]
        assert got == [b"500", b"501", b"200"]
        assert own.calls == own.connections == 4


def test_echo_records_what_came(upstream):
    body = b"5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    head = (
        b"POST /v1/echo?q=%20 HTTP/1.1\r\n"
        b"X-Two: a\r\nx-two: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    told = json.loads(talk(upstream, head + body).partition(b"\r\n\r\n")[2])
    seen = upstream.requests[-1]
    assert (seen.head, seen.raw_body, seen.body) == (head, body, b"hello!")
    assert told["sha256"] == hashlib.sha256(b"hello!").hexdigest()
    assert told["target"] == "/v1/echo?q=%20"
    assert told["headers"][:2] == [["X-Two", "a"], ["x-two", "b"]]
    assert talk(upstream, request("echo", method="HEAD")).endswith(b"\r\n\r\n")
    assert talk(upstream, request("echo", method="OPTIONS")).startswith(b"HTTP/1.1 204")


def test_encoded_and_binary_bodies(upstream):
    packed = talk(upstream, request("gzip")).partition(b"\r\n\r\n")[2]
    assert TEXT.encode() in gzip.decompress(packed)
    got = talk(upstream, request("download:70001")).partition(b"\r\n\r\n")[2]
    assert (len(got), got[:3]) == (70001, b"\0\1\2")


def test_expect_continue_and_keep_alive(upstream):
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as peer:
        for _ in range(2):
            peer.sendall(
                b"POST /v1/echo HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
            )
            assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"{}")
            assert peer.recv(4096).startswith(b"HTTP/1.1 200")
    assert upstream.requests[-1].connection == upstream.requests[-2].connection


@pytest.mark.parametrize("fake", sorted(HANGS))
def test_it_notes_when_the_peer_leaves(upstream, fake):
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as peer:
        before = upstream.calls
        peer.sendall(request(fake))
        if fake == "hang-body":
            assert peer.recv(100)
        while upstream.calls == before:
            time.sleep(0.001)
        seen = upstream.requests[-1]
        assert seen.gone is None
        leaving = time.monotonic()
    assert seen.left.wait(5)
    assert seen.gone >= leaving


def test_nobody_listens_at_refused(upstream):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(upstream.refused.rpartition(":")[2])))


def test_every_behaviour_is_tested():
    source = Path(__file__).read_text()
    assert [name for name in BEHAVIOURS if f'"{name}' not in source] == []
