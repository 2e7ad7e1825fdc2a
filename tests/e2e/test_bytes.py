"""What goes in comes out: bodies, headers, targets and replies, byte for byte."""

import gzip
import hashlib
import http.client
import itertools
import json
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running
from tests.fakes.raw_http import chunk, connected, head

YAML = """
backends:
  fake: {use: http, base_url: "${FAKE}/v1", retry: {attempts: 1}, breaker: {failures: 0}}
routes: [{send: fake, pipeline: safe}]
"""
CHAT = "/v1/chat/completions"
ECHO = ("x-fake", "echo")


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={"FAKE": fake.url}) as server:
        yield server


@pytest.fixture(scope="module")
def connection(penstock):
    made = http.client.HTTPConnection("127.0.0.1", penstock.port, timeout=30)
    yield made
    made.close()


space = st.text(" \t\r\n", max_size=3)
escaped = st.sampled_from(
    [r"\u00e9", r"\ud83d\ude00", r"\ud800", r"\udfff", r"\u0000", r"\/", r"\n", "\\\\", '\\"']
)
letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\')
string = st.lists(letters | escaped, max_size=5).map(lambda parts: f'"{"".join(parts)}"')
number = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "0.10", "1E400", "1e-400", "NaN", "Infinity", "-Infinity", "9" * 5000]),
)
scalar = st.one_of(string, number, st.sampled_from(["true", "false", "null"]))


def spaced(parts, opening, closing):
    """Members with white space of any kind around them."""
    return st.tuples(parts, space, space).map(
        lambda found: opening + found[1] + (found[2] + "," + found[1]).join(found[0]) + closing
    )


def nested(inner):
    pair = st.tuples(string, space, inner).map(lambda found: f"{found[0]}{found[1]}:{found[2]}")
    return spaced(st.lists(inner, max_size=3), "[", "]") | spaced(
        st.lists(pair, max_size=3), "{", "}"
    )


value = st.recursive(scalar, nested, max_leaves=8)
members = st.lists(st.tuples(string, value).map(":".join), max_size=3)
envelope = st.sampled_from(['"model":"m"', '"model" : "m", "messages":[]', '"stream":true'])
bodies = st.one_of(
    st.tuples(envelope, members).map(lambda found: "{" + ",".join([found[0], *found[1]]) + "}"),
    st.tuples(space, value, space).map("".join),
).map(str.encode) | st.binary(max_size=40)
marks = st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"])
DEEP = b'{"model":"m","messages":' + b"[" * 10_000 + b"]" * 10_000 + b"}"


ENCODE = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "zstd, gzip": lambda body: gzip.compress(zstd.compress(body), mtime=0),
}


def forms(body, encoding, cuts):
    """Headers and pieces of a request body, compressed or not, chunked or not."""
    headers = {ECHO[0]: ECHO[1], "Content-Type": "application/json"}
    if encoding:
        body = ENCODE[encoding](body)
        headers["Content-Encoding"] = encoding
    if cuts is None:
        return headers, body, body
    ends = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    return headers, body, (body[a:b] for a, b in itertools.pairwise(ends))


cuts = st.none() | st.lists(st.integers(1, 99))
asked = st.tuples(bodies, marks, st.sampled_from(["", "", *ENCODE]), cuts)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked)
@example((DEEP, b"", "", None))
@example((b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"", "", [5, 70_000]))
@example((b'{"x":NaN,"y":"\\ud800","z":' + b"9" * 10_000 + b"}", b"\xef\xbb\xbf", "", None))
@example((b'{"model":"m","model":"n"}', b"", "", None))
@example((b'{"\\ud800":1,"\\ud800":2}', b"", "", None))
@example((b'{"model":"m"}' + b" " * 300_000, b"", "gzip", [100, 200]))
def test_a_body_arrives_as_it_was_sent_or_not_at_all(fake, connection, request_body):
    body, mark, encoding, cuts = request_body
    headers, sent, pieces = forms(mark + body, encoding, cuts)
    calls = fake.calls
    connection.request("POST", CHAT, pieces, headers, encode_chunked=cuts is not None)
    reply = connection.getresponse()
    told = reply.read()
    if reply.status == 200:
        assert fake.calls == calls + 1
        assert fake.requests[-1].body == sent
        assert json.loads(told)["sha256"] == hashlib.sha256(sent).hexdigest()
    else:
        assert 400 <= reply.status < 500, (reply.status, told)
        assert json.loads(told)["error"]["type"] == "invalid_request_error"
        assert fake.calls == calls


@pytest.mark.parametrize(
    "body",
    [
        b' \n{ "messages" : [ ] ,\t"model":"m" }\r\n',
        b'{"model":"m","b":1,"a":1.0,"c":1e2,"d":-0,"e":123456789012345678901234567890}',
        b'{"model":"m","x":"\\u00e9\\/\\ud83d\\ude00 \xc3\xa9"}',
        b'{"model":"m","x":"\\ud800"}',
        b'{"model":"m","x":NaN}',
        b'\xef\xbb\xbf{"model":"m"}',
        b'{"model":"m","inner":{"a":1,"a":2}}',
        DEEP,
    ],
    ids=range(8),
)
@pytest.mark.parametrize("encoding", ["", *ENCODE])
def test_odd_but_readable_bodies_do_arrive(fake, connection, body, encoding):
    headers, sent, _ = forms(body, encoding, None)
    connection.request("POST", CHAT, sent, headers)
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()
    reply.read()
    assert fake.requests[-1].body == sent
    assert fake.requests[-1].header("content-encoding") == encoding


def test_headers_pass_but_for_those_of_the_connection_and_our_own(penstock, fake):
    passing = [
        ("x-fake", "echo"),
        ("accept", "*/*"),
        ("x-mixed-Case", "Value: with, all; sorts=1"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("openai-organization", "org"),
        ("user-agent", "mine"),
        ("accept-encoding", "gzip, br"),
        ("cache-control", "no-cache"),
        ("x-latin", "\xe9"),
        ("traceparent", "00-aa-bb-01"),
    ]
    ours = [("X-Penstock-Cache", "off"), ("x-penstock-session", "s")]
    hop = [
        ("Connection", "keep-alive, X-Named"),
        ("X-Named", "no"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic eA=="),
    ]
    body = b'{"model":"m"}'
    with connected(penstock.port) as client:
        client.send(head("POST", CHAT, [*passing, *ours, *hop], len(body)), body)
        assert client.response().status == 200
    seen = fake.requests[-1].headers
    names = [name.lower() for name, _ in seen]
    assert [pair for pair in seen if pair[0] in dict(passing) or pair[0] == "x-mixed-case"] == [
        (name.lower(), text) for name, text in passing
    ]
    assert sorted(set(names) - {name.lower() for name, _ in passing}) == ["content-length", "host"]
    assert fake.requests[-1].header("host") == f"127.0.0.1:{fake.port}"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/files?purpose=a%20b&&limit=5&x",
        "/v1/files?a=b;c=%2F%C3%A9?d",
        "/v1/vector_stores/a%2Fb/files",
        "/v1/threads/x//y",
        "/v1/fine_tuning/jobs/",
    ],
)
def test_targets_pass_as_they_are(penstock, fake, target):
    with connected(penstock.port) as client:
        client.send(head("GET", target, [ECHO]))
        assert client.response().status == 200
    assert fake.requests[-1].target == target


@pytest.mark.parametrize("target", ["/v1/../admin", "/v1/a/%2e%2E/b", "/v1/./x"])
def test_targets_that_climb_go_nowhere(penstock, fake, target):
    calls = fake.calls
    with connected(penstock.port) as client:
        client.send(head("GET", target, [ECHO]))
        assert 400 <= client.response().status < 500
    assert fake.calls == calls


def test_head_and_options(penstock, fake):
    with connected(penstock.port) as client:
        client.send(head("HEAD", "/v1/files/x", [ECHO]))
        reply = client.response("HEAD")
        assert (reply.status, reply.read()) == (200, b"")
        assert int(reply.headers["content-length"]) > 0
        client.send(head("OPTIONS", "/v1/files", [ECHO]))
        reply = client.response("OPTIONS")
        assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
        reply.read()
        client.send(head("DELETE", "/v1/files/x", [ECHO]))
        told = json.loads(client.response("DELETE").read())
        assert (told["method"], told["target"]) == ("DELETE", "/v1/files/x")


@pytest.mark.parametrize("path", [CHAT, "/v1/files"])
def test_a_client_that_waits_to_be_asked_for_its_body(penstock, fake, path):
    body = b'{"model":"m"}'
    with connected(penstock.port) as client:
        client.send(head("POST", path, [ECHO, ("Expect", "100-continue")], len(body)))
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(body)
        assert client.response().status == 200
    assert fake.requests[-1].body == body


@pytest.mark.parametrize("path", [CHAT, "/v1/audio/speech", "/v1/threads"])
@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500, 503])
def test_an_upstreams_refusal_passes_untouched(penstock, connection, path, status):
    how = f"status:{status}:x-ratelimit-remaining-tokens=0:set-cookie=a=1:set-cookie=b=2"
    connection.request("POST", path, b'{"model":"m"}', {"x-fake": how})
    reply = connection.getresponse()
    kind = "rate_limit_error" if status == 429 else "server_error"
    error = {"message": f"fake {status}", "type": kind, "param": None, "code": None}
    assert reply.status == status
    assert reply.read() == json.dumps({"error": error}).encode()
    assert reply.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert reply.headers["x-ratelimit-remaining-tokens"] == "0"
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("size", [0, 1, 65_536, 262_144, 262_145, 3_000_000])
@pytest.mark.parametrize("path", [CHAT, "/v1/files/x/content"])
def test_replies_of_any_size_and_kind(connection, size, path):
    body = b'{"model":"m","user":"%d"}' % size  # or it could share the reply before it
    connection.request("POST", path, body, {"x-fake": f"download:{size}"})
    reply = connection.getresponse()
    data = reply.read()
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/octet-stream"
    assert data == (bytes(range(256)) * (size // 256 + 1))[:size]


def test_a_compressed_reply_stays_compressed(connection):
    connection.request("POST", CHAT, b'{"model":"m"}', {"x-fake": "gzip"})
    reply = connection.getresponse()
    assert reply.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(reply.read()))["object"] == "chat.completion"


def test_a_chunked_upload_keeps_its_chunks_bytes(penstock, fake):
    pieces = [b"one", b"two" * 5000, b"3"]
    with connected(penstock.port) as client:
        client.send(head("POST", "/v1/files", [ECHO, ("Transfer-Encoding", "chunked")]))
        client.send(*map(chunk, pieces), b"0\r\n\r\n")
        assert client.response().status == 200
    assert fake.requests[-1].body == b"".join(pieces)
    assert fake.requests[-1].header("transfer-encoding") == "chunked"
