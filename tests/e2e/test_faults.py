"""An upstream that misbehaves, and requests that make no sense: a clear error, nothing kept."""

import gzip
import http.client
import itertools
import json
import re
import time
import zlib

import brotli
import httpx2
import openai
import pytest
from backports import zstd

from tests.fakes.misbehaving import TEXT, Misbehaving
from tests.fakes.misbehaviours import chat_body, chat_events
from tests.fakes.penstock import running

LIMIT = 65536
CONFIG = """
limits: {{body: {limit}}}
backends:
  plain:
    use: http
    base_url: {url}/v1
    timeouts: {{connect: 1s, first_byte: 250ms, idle: 250ms}}
    retry: {{attempts: 1}}
    breaker: {{failures: 0}}
  dead: {{use: http, base_url: "{refused}/v1", retry: {{attempts: 1}}, breaker: {{failures: 0}}}}
  retried: {{use: http, base_url: "{url}/v1", retry: {{backoff: 10ms}}, breaker: {{failures: 0}}}}
  stingy:
    use: http
    base_url: {url}/v1
    retry: {{backoff: 1ms, attempts: 10, budget: 0}}
    breaker: {{failures: 0}}
  broken:
    use: http
    base_url: {url}/v1
    retry: {{attempts: 1}}
    breaker: {{failures: 2, rest: 300ms}}
routes:
  - {{when: {{model: "dead"}}, send: dead}}
  - {{when: {{model: "retried"}}, send: retried}}
  - {{when: {{model: "stingy"}}, send: stingy}}
  - {{when: {{model: "broken"}}, send: broken}}
  - {{when: {{model: "second"}}, send: [dead, plain]}}
  - {{when: {{model: "third"}}, send: [broken, plain]}}
  - {{when: {{model: "fake"}}, send: plain}}
  - {{when: {{endpoint: "files*"}}, send: plain}}
"""
_prompts = itertools.count()


@pytest.fixture(scope="module")
def upstream():
    with Misbehaving() as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream):
    text = CONFIG.format(url=upstream.url, refused=upstream.refused, limit=LIMIT)
    with running(text) as made:
        yield made


@pytest.fixture
def client(penstock):
    with httpx2.Client(base_url=penstock.url, timeout=10, trust_env=False) as made:
        yield made


def chat(model="fake", **more):
    message = {"role": "user", "content": f"question {next(_prompts)}"}
    return {"model": model, "messages": [message], **more}


def ask(client, body, fake=None, path="chat/completions"):
    headers = {"x-fake": fake} if fake else {}
    return client.post(f"/v1/{path}", json=body, headers=headers)


def assert_nothing_kept(client, body):
    """The upstream is well again: its answer is fetched anew, and only that is kept."""
    first, second = ask(client, body), ask(client, body)
    assert first.headers["x-penstock-cache"] == "MISS"
    assert second.headers["x-penstock-cache"] == "HIT"
    assert _said(first) == _said(second) == TEXT.replace(" ", "")


def _said(reply):
    """The answer without spaces: the fake's stream has none."""
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return reply.json()["choices"][0]["message"]["content"].replace(" ", "")
    lines = [line[6:] for line in reply.text.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


# An upstream that misbehaves before it has said anything.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fake", "status", "code"),
    [
        ("hang", 504, "upstream_timeout"),
        ("reset", 502, "upstream_broken_reply"),
        ("close", 502, "upstream_broken_reply"),
        ("not-http", 502, "upstream_broken_reply"),
        ("huge-header", 502, "upstream_broken_reply"),
        ("too-short", 502, "upstream_broken_reply"),
    ],
)
def test_no_usable_reply_is_an_error_of_ours(client, fake, status, code, stream):
    body = chat(stream=stream)
    reply = ask(client, body, fake)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.json()["error"].keys() == {"message", "type", "param", "code"}
    assert reply.headers["x-penstock-request-id"]
    assert_nothing_kept(client, body)


def test_an_upstream_that_refuses_connections(client):
    reply = ask(client, chat("dead"))
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_unreachable")


def test_errors_on_messages_are_in_anthropics_form(client):
    body = {**chat(), "max_tokens": 5}
    reply = ask(client, body, "reset", path="messages")
    assert reply.status_code == 502
    assert reply.json()["type"] == "error"
    assert reply.json()["error"]["type"] == "api_error"


# What the upstream did say passes as it came, and is not kept unless it is whole.


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503, 529])
def test_an_upstreams_error_passes_untouched(client, status):
    body = chat()
    reply = ask(client, body, f"status:{status}:x-request-id=req_7:retry-after=3")
    assert reply.status_code == status
    assert reply.json()["error"]["message"] == f"fake {status}"
    assert reply.headers["x-request-id"] == "req_7"
    assert reply.headers["retry-after"] == "3"
    assert_nothing_kept(client, body)


def test_a_page_instead_of_an_answer(client):
    body = chat()
    reply = ask(client, body, "html")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html"
    assert reply.content == b"<html><body>Sign in</body></html>"
    assert_nothing_kept(client, body)


def test_more_bytes_than_were_declared(client):
    body = chat()
    reply = ask(client, body, "too-long")
    assert reply.content == chat_body()[:-5]
    assert_nothing_kept(client, body)


def test_an_answer_that_hit_the_length_limit_is_not_kept(client):
    body = chat()
    assert ask(client, body, "length").json()["choices"][0]["finish_reason"] == "length"
    assert_nothing_kept(client, body)


def test_half_a_chunk_breaks_the_connection(client):
    body = chat()
    with pytest.raises(httpx2.RemoteProtocolError):
        ask(client, body, "half-chunk")
    assert_nothing_kept(client, body)


def test_an_answer_before_the_upload_is_done(client, upstream):
    body = chat(padding="x" * 50_000)
    reply = ask(client, body, "early:413")
    assert (reply.status_code, reply.json()["error"]["message"]) == (413, "fake 413")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_compressed_answer_passes_as_it_came_and_is_kept(client, coding):
    body = chat()
    reply = ask(client, body, coding)
    assert reply.headers["content-encoding"] == coding
    assert reply.headers["x-penstock-tokens"]  # so its usage was read
    again = ask(client, body)
    assert again.headers["x-penstock-cache"] == "HIT"
    assert "content-encoding" not in again.headers
    assert again.json()["choices"] == json.loads(chat_body())["choices"]


def test_interim_responses_and_a_close_as_the_end(client):
    for fake in ("interim", "until-close"):
        body = chat()
        assert ask(client, body, fake).json() == json.loads(chat_body())
        assert ask(client, body).headers["x-penstock-cache"] == "HIT"


# A stream that goes wrong.


@pytest.mark.parametrize(
    ("fake", "code"),
    [
        ("reset-body", "upstream_broken_reply"),
        ("hang-body", "upstream_timeout"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_event(client, fake, code):
    body = chat(stream=True)
    reply = ask(client, body, fake)
    first, last = reply.text.strip().split("\n\n\n\n")
    assert first + "\n\n" == chat_events()[0].decode()
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == code
    assert_nothing_kept(client, body)


def test_broken_streams_in_the_other_dialects_forms(client):
    body = chat(stream=True)
    events = ask(client, {**body, "max_tokens": 5}, "reset-body", "messages").text.split("\n\n")
    kind, data = events[-2].split("\n")
    assert kind == "event: error"
    assert json.loads(data[6:])["error"]["type"] == "api_error"
    asked = {"model": "fake", "input": body["messages"], "stream": True}
    kind, data = ask(client, asked, "reset-body", "responses").text.split("\n\n")[-2].split("\n")
    assert kind == "event: error"
    assert json.loads(data[6:])["type"] == "error"
    assert json.loads(data[6:])["code"] == "upstream_broken_reply"
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="k", max_retries=0) as sdk:
        stream = sdk.responses.create(**asked, extra_headers={"x-fake": "reset-body"})
        with pytest.raises(openai.APIError, match="upstream"):
            list(stream)


@pytest.mark.parametrize(
    ("fake", "relayed"),
    [
        ("cut-sse", chat_events()[0] + chat_events()[1][:20]),
        ("no-done", b"".join(chat_events()[:-1])),
        ("error-event", None),
        ("invalid-sse", b"data: {not json}\n\n\xff\xfe what\n\n: \x00\n\ndata: [DONE]\n\n"),
        ("html", None),
        ("length", None),
    ],
)
def test_an_odd_stream_passes_byte_for_byte(client, fake, relayed):
    body = chat(stream=True)
    reply = ask(client, body, fake)
    assert reply.status_code == 200
    assert relayed is None or reply.content == relayed
    assert_nothing_kept(client, body)


# Trying again.


def behave(upstream, *script):
    upstream.script[:] = script
    return upstream.calls


@pytest.mark.parametrize("first", ["status:429:retry-after=0", "status:500", "status:503", "close"])
def test_what_may_succeed_is_tried_again(client, upstream, first):
    before = behave(upstream, first)
    reply = ask(client, chat("retried"))
    assert reply.json()["choices"][0]["message"]["content"] == TEXT
    assert upstream.calls - before == 2


def test_retry_after_is_waited_for(client, upstream):
    behave(upstream, "status:429:retry-after-ms=200")
    started = time.monotonic()
    assert ask(client, chat("retried")).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_an_upstream_that_wants_much_patience_is_believed(client, upstream):
    before = behave(upstream, "status:429:retry-after=3600")
    reply = ask(client, chat("retried"))
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3600")
    assert upstream.calls - before == 1


def test_three_attempts_and_then_the_last_answer(client, upstream):
    before = behave(upstream, *["status:500"] * 9)
    reply = ask(client, chat("retried"))
    assert (reply.status_code, upstream.calls - before) == (500, 3)
    behave(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_tried_again_after_the_first_byte(client, upstream, stream):
    before = behave(upstream, "reset-body" if stream else "too-short")
    reply = ask(client, chat("retried", stream=stream))
    assert "upstream_broken_reply" in reply.text
    assert upstream.calls - before == 1


def test_retries_are_under_a_budget(client, upstream):
    """Without any share, the reserve of ten is all there is."""
    before = behave(upstream, *["status:500"] * 30)
    for _ in range(4):
        assert ask(client, chat("stingy")).status_code == 500
    assert upstream.calls - before == 4 + 10
    behave(upstream)


def test_a_breaker_opens_and_recovers(client, upstream):
    before = behave(upstream, "status:500", "status:500")
    for _ in range(2):
        assert ask(client, chat("broken")).status_code == 500
    resting = ask(client, chat("broken"))
    assert (resting.status_code, resting.json()["error"]["code"]) == (503, "backend_unavailable")
    assert int(resting.headers["retry-after"]) >= 1
    assert upstream.calls - before == 2
    elsewhere = ask(client, chat("third"))
    assert elsewhere.headers["x-penstock-backend"] == "plain"
    time.sleep(0.35)
    assert ask(client, chat("broken")).status_code == 200
    assert ask(client, chat("broken")).status_code == 200


def test_the_next_backend_takes_over_and_its_answer_is_not_kept_as_the_firsts(client):
    body = chat("second")
    for _ in range(2):
        reply = ask(client, body)
        assert reply.status_code == 200
        assert reply.headers["x-penstock-backend"] == "plain"
        assert reply.headers["x-penstock-cache"] == "MISS"


# Requests that make no sense: a 4xx in the dialect's form, and nothing forwarded.

MESSAGES = [{"role": "user", "content": "hi"}]
BAD = {
    "nothing": (b"", None),
    "no JSON": (b"{", None),
    "cut": (b'{"model": "fake", "messages": [', None),
    "an array": (b"[]", None),
    "a string": (b'"hi"', None),
    "two values": (b"{} {}", None),
    "not UTF-8": (b'{"model": "\xff"}', None),
    "a key twice": (b'{"model": "fake", "model": "fake", "messages": []}', "model"),
    "model": (b'{"model": 7, "messages": []}', "model"),
    "stream": (b'{"model": "fake", "messages": [], "stream": "yes"}', "stream"),
    "messages": (b'{"model": "fake", "messages": {}}', "messages"),
    "temperature": (b'{"model": "fake", "messages": [], "temperature": "hot"}', "temperature"),
    "a boolean temperature": (
        b'{"model": "fake", "messages": [], "temperature": true}',
        "temperature",
    ),
    "seed": (b'{"model": "fake", "messages": [], "seed": 1.5}', "seed"),
    "n": (b'{"model": "fake", "messages": [], "n": "2"}', "n"),
    "tools": (b'{"model": "fake", "messages": [], "tools": "all"}', "tools"),
}


@pytest.mark.parametrize("path", ["chat/completions", "messages"])
@pytest.mark.parametrize("name", BAD)
def test_a_malformed_body_is_refused(client, upstream, name, path):
    raw, param = BAD[name]
    before = upstream.calls
    reply = client.post(f"/v1/{path}", content=raw)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error"
    if path == "messages":
        assert reply.json()["type"] == "error"
        assert param is None or param in error["message"]
    else:
        assert error["param"] == param
    assert upstream.calls == before


@pytest.mark.parametrize(
    ("headers", "param"),
    [
        ({"x-penstock-cache": "sometimes"}, "x-penstock-cache"),
        ({"x-penstock-bypass": "everything"}, "x-penstock-bypass"),
        ({"x-penstock-cache-ttl": "soon"}, "x-penstock-cache-ttl"),
        ({"x-penstock-max-wait": "-1"}, "x-penstock-max-wait"),
        ({"x-penstock-policy": "nope"}, "x-penstock-policy"),
    ],
)
def test_a_control_header_that_cannot_be_read_is_refused(client, upstream, headers, param):
    before = upstream.calls
    reply = client.post("/v1/chat/completions", json=chat(), headers=headers)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert upstream.calls == before


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses", "embeddings"])
def test_an_unknown_model(client, upstream, path):
    before = upstream.calls
    reply = client.post(f"/v1/{path}", json={"model": "gpt-x", "messages": MESSAGES})
    assert reply.status_code == 404
    if path == "messages":
        assert reply.json()["error"]["type"] == "not_found_error"
    else:
        assert reply.json()["error"]["code"] == "model_not_found"
        assert reply.json()["error"]["param"] == "model"
    assert upstream.calls == before


def test_a_body_over_the_limit(client, upstream):
    before = upstream.calls
    big = json.dumps(chat(padding="x" * LIMIT)).encode()
    plain = client.post("/v1/chat/completions", content=big)
    chunked = client.post(
        "/v1/chat/completions", content=(big[i : i + 9999] for i in range(0, len(big), 9999))
    )
    anthropic = client.post("/v1/messages", content=big)
    for reply in (plain, chunked):
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "request_too_large")
    assert (anthropic.status_code, anthropic.json()["error"]["type"]) == (413, "request_too_large")
    assert upstream.calls == before
    assert ask(client, chat(padding="x" * (LIMIT - 200))).status_code == 200


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("gzip", gzip.compress(b"{}")[:-5]),
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"{}") + b"more"),
        ("br", b"no brotli at all"),
        ("zstd", b"no zstd at all"),
        ("br", brotli.compress(b'{"model": 5}')),
        ("zstd", zstd.compress(b"[]")),
    ],
    ids=["cut", "damaged", "more", "damaged br", "damaged zstd", "bad br", "bad zstd"],
)
def test_a_compressed_body_that_cannot_be_read(client, upstream, coding, raw):
    before = upstream.calls
    headers = {"content-encoding": coding}
    reply = client.post("/v1/chat/completions", content=raw, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_request")
    assert upstream.calls == before


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "zstd, gzip"])
@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_a_compressed_body_over_the_limit(client, upstream, coding, size):
    ways = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstd.compress,
        "zstd, gzip": lambda text: gzip.compress(zstd.compress(text)),
    }
    before = upstream.calls
    raw = ways[coding](b'{"model": "fake", "messages": [], "a": "' + b"x" * size + b'"}')
    reply = client.post("/v1/chat/completions", content=raw, headers={"content-encoding": coding})
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "request_too_large")
    assert "limits.body" in reply.json()["error"]["message"]
    assert upstream.calls == before


@pytest.mark.parametrize(
    "path", ["../admin", "files/../../x", "files/%2e%2E/x", "files/.", "files/%2e"]
)
def test_dots_in_the_path(penstock, upstream, path):
    """By http.client, since other clients take them out."""
    before = upstream.calls
    connection = http.client.HTTPConnection("127.0.0.1", penstock.port, timeout=10)
    connection.request("GET", f"/v1/{path}")
    reply = connection.getresponse()
    assert reply.status == 400
    assert json.loads(reply.read())["error"]["code"] == "invalid_request"
    connection.close()
    assert upstream.calls == before


ODD = {
    "BOM": b'\xef\xbb\xbf{"model": "fake", "messages": []}',
    "nesting": b'{"model": "fake", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "surrogate": b'{"model": "fake", "x": "\\ud800"}',
    "NaN": b'{"model": "fake", "x": NaN}',
    "integer": b'{"model": "fake", "x": ' + b"9" * 5000 + b"}",
    "float": b'{"model": "fake", "x": 1e999}',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_json_is_refused_or_passes_with_every_byte(client, upstream, name):
    before = upstream.calls
    reply = client.post("/v1/chat/completions", content=ODD[name])
    if upstream.calls == before:
        assert reply.status_code == 400
    else:
        assert reply.status_code == 200
        assert upstream.requests[-1].body == ODD[name]


def test_penstock_has_come_through_all_this(penstock, client):
    assert ask(client, chat()).status_code == 200
    assert not re.search("Traceback|Error in|never retrieved|never awaited", penstock.output())
