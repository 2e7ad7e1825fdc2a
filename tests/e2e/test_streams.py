"""Nothing is held back and nothing piles up: pieces pass as they come, in both directions."""

import contextlib
import hashlib
import socket
import threading

import pytest

from tests.fakes.penstock import running
from tests.fakes.raw_http import accepted, chunk, connected, head

YAML = """
backends:
  fake: {use: http, base_url: "${FAKE}/v1", retry: {attempts: 1}, breaker: {failures: 0}}
routes: [{send: fake, pipeline: safe}]
"""
PIECE = bytes(range(256)) * 256
PIECES = 3200  # 210 MB
GROWTH = 40_000_000
STREAM = b'{"model":"m","stream":true}'
CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture(scope="module")
def penstock(listener):
    with running(YAML, env={"FAKE": f"http://127.0.0.1:{listener.getsockname()[1]}"}) as server:
        yield server


def reply_head(*lines):
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


EVENTS = [b'data: {"n":%d}\n\n' % n for n in range(5)] + [b"data: [DO", b"NE]\n\n"]


@pytest.mark.parametrize("path", ["chat/completions", "responses", "messages", "audio/speech"])
def test_each_event_arrives_before_the_next_is_sent(penstock, listener, path):
    with connected(penstock.port) as client:
        client.send(head("POST", f"/v1/{path}", [], len(STREAM)), STREAM)
        with accepted(listener) as upstream:
            upstream.until(STREAM)
            upstream.send(
                reply_head("content-type: text/event-stream", "transfer-encoding: chunked")
            )
            client.until(b"\r\n\r\n")
            for event in EVENTS:
                upstream.send(chunk(event))
                client.until(event)
            upstream.send(b"0\r\n\r\n")
            client.until(b"0\r\n\r\n")


def test_half_an_event_arrives_too(penstock, listener):
    with connected(penstock.port) as client:
        client.send(head("POST", "/v1/chat/completions", [], len(STREAM)), STREAM)
        with accepted(listener) as upstream:
            upstream.until(STREAM)
            upstream.send(
                reply_head("content-type: text/event-stream", "transfer-encoding: chunked")
            )
            upstream.send(b"100\r\nda")
            client.until(b"da")
            upstream.send(b"t" * 10)
            client.until(b"t" * 10)


def test_each_piece_of_an_upload_arrives_before_the_next_is_sent(penstock, listener):
    with connected(penstock.port) as client:
        client.send(head("POST", "/v1/files", [CHUNKED]))
        with accepted(listener) as upstream:
            upstream.until(b"\r\n\r\n")
            for piece in (b"one", b"two", b"three"):
                client.send(chunk(piece))
                upstream.until(piece)
            client.send(b"0\r\n\r\n")
            upstream.until(b"0\r\n\r\n")
            upstream.send(reply_head("content-length: 2") + b"ok")
        assert client.response().read() == b"ok"


def test_a_reply_may_overtake_its_upload(penstock, listener):
    with connected(penstock.port) as client:
        client.send(head("POST", "/v1/files", [CHUNKED]), chunk(b"one"))
        with accepted(listener) as upstream:
            upstream.until(b"one")
            upstream.send(b"HTTP/1.1 413 Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
            reply = client.response()
            assert (reply.status, reply.read()) == (413, b"no")


def drain(listener, told, size):
    """An upstream that reads an upload of so many bytes, and hashes it."""
    with accepted(listener) as upstream:
        upstream.until(b"\r\n\r\n")
        digest = hashlib.sha256(upstream.seen)
        left = size - len(upstream.seen)
        while left:
            data = upstream.sock.recv(min(left, 1 << 20))
            assert data
            digest.update(data)
            left -= len(data)
        told.append(digest.hexdigest())
        upstream.send(reply_head("content-length: 2") + b"ok")


def test_a_large_upload_is_not_kept(penstock, listener):
    before = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    after = b"\r\n--b--\r\n"
    size = len(before) + PIECES * len(PIECE) + len(after)
    told = []
    reader = threading.Thread(target=drain, args=(listener, told, size))
    reader.start()
    resting = penstock.rss()
    digest = hashlib.sha256()
    with connected(penstock.port) as client:
        kind = ("Content-Type", "multipart/form-data; boundary=b")
        client.send(head("POST", "/v1/files", [kind], size))
        for piece in (before, *[PIECE] * PIECES, after):
            client.send(piece)
            digest.update(piece)
        assert client.response().read() == b"ok"
    reader.join()
    assert told == [digest.hexdigest()]
    grown = penstock.rss("VmHWM") - resting
    print(f"{size / 1e6:.0f} MB up: {grown / 1e6:.1f} MB more memory at most")
    assert grown < GROWTH


@pytest.mark.parametrize("length", [3, 300_000])
def test_each_piece_of_a_download_arrives_before_the_next_is_sent(penstock, listener, length):
    with connected(penstock.port) as client:
        client.send(head("GET", "/v1/files/x/content"))
        with accepted(listener) as upstream:
            upstream.until(b"\r\n\r\n")
            upstream.send(reply_head("content-type: audio/mpeg", f"content-length: {length}"))
            client.until(b"\r\n\r\n")
            for piece in (b"a", b"b"):
                upstream.send(piece)
                client.until(piece)


def test_many_downloads_at_once_are_not_kept(penstock, listener):
    size = 6 * 1024 * 1024
    resting = penstock.rss()
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            client = stack.enter_context(connected(penstock.port))
            client.send(head("GET", "/v1/files/x/content"))
            upstream = stack.enter_context(accepted(listener))
            upstream.until(b"\r\n\r\n")
            upstream.send(reply_head(f"content-length: {size + 1}"))
            reply = client.response()
            for _ in range(size // len(PIECE)):
                upstream.send(PIECE)
                assert reply.read(len(PIECE)) == PIECE
        assert penstock.rss() - resting < GROWTH


def pour(listener):
    """An upstream that sends a large file as fast as it is taken."""
    with accepted(listener) as upstream:
        upstream.until(b"\r\n\r\n")
        upstream.send(reply_head(f"content-length: {PIECES * len(PIECE)}", "x-kind: binary"))
        for _ in range(PIECES):
            upstream.send(PIECE)


def test_a_large_download_to_a_slow_reader_is_not_kept(penstock, listener):
    writer = threading.Thread(target=pour, args=(listener,))
    writer.start()
    resting = penstock.rss()
    with connected(penstock.port) as client:
        client.send(head("GET", "/v1/files/x/content"))
        reply = client.response()
        assert reply.headers["x-kind"] == "binary"
        writer.join(0.3)  # by now it would have been read into memory
        assert writer.is_alive()
        assert penstock.rss() - resting < GROWTH
        digest = hashlib.sha256()
        while data := reply.read(1 << 20):
            digest.update(data)
    writer.join()
    expected = hashlib.sha256()
    for _ in range(PIECES):
        expected.update(PIECE)
    assert digest.hexdigest() == expected.hexdigest()
    grown = penstock.rss("VmHWM") - resting
    print(f"{PIECES * len(PIECE) / 1e6:.0f} MB down: {grown / 1e6:.1f} MB more memory at most")
    assert grown < GROWTH
