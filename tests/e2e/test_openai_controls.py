"""What a caller can ask of Penstock by header, the receipts it gets, and how it is refused."""

import time

import openai
import pytest

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running
from tests.fakes.receipt_headers import receipt

YAML = """
clients:
  - {name: one, key: "${ONE}"}
  - {name: two, key: "${TWO}"}
backends:
  model: {use: simulated, models: [gpt-4o]}
  fake: {use: http, base_url: "${FAKE}/v1", api_key: "${UPSTREAM}", retry: {attempts: 1}}
pipelines:
  default: [{use: cache.exact, ttl: 1h}]
routes:
  - {when: {model: "gpt-*"}, send: model, pipeline: default}
  - {when: {model: "fake"}, send: fake, pipeline: default}
"""
KEYS = {"ONE": "sk-one", "TWO": "sk-two", "UPSTREAM": "sk-upstream"}
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why is water wet?"}]}


@pytest.fixture(scope="module")
def fake():
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module")
def penstock(fake):
    with running(YAML, env={**KEYS, "FAKE": fake.url}) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(penstock):
    """Makes clients by key and headers; they share their connections."""
    with openai.OpenAI(base_url=penstock.url + "/v1", api_key="sk-one", max_retries=0) as base:

        def made(key="sk-one", **headers):
            return base.with_options(api_key=key, default_headers=headers)

        yield made


@pytest.fixture
def namespace(request):
    return {"x-penstock-cache-namespace": request.node.name.encode().hex()}


@pytest.fixture
def send(sdk, namespace):
    """Ask with these headers; the receipt."""
    client = sdk(**namespace)

    def asked(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = client.chat.completions.with_raw_response.create(**QUESTION, extra_headers=named)
        assert raw.parse().choices
        return receipt(raw.headers)

    return asked


def test_a_miss_and_a_hit_in_every_header(send):
    miss, hit = send(), send()
    assert (miss.cache, miss.backend, miss.steps) == ("MISS", "model", {"cache.exact": "miss"})
    assert (miss.status.fwd, miss.status.stored, miss.age) == ("uri-miss", True, None)
    before, after = miss.tokens
    assert before == after > 0
    assert (hit.cache, hit.backend, hit.steps) == ("HIT", "none", {"cache.exact": "hit"})
    assert (hit.status.hit, hit.status.detail) == (True, "exact")
    assert 3590 <= hit.status.ttl <= 3600
    assert 0 <= hit.age <= 10
    assert hit.tokens == (before, 0)
    assert hit.id != miss.id


@pytest.mark.parametrize(
    ("headers", "word", "fwd", "kept"),
    [
        ({"x_penstock_cache": "off"}, "BYPASS", "bypass", False),
        ({"x_penstock_bypass": "cache"}, "BYPASS", "bypass", False),
        ({"x_penstock_bypass": "all"}, "BYPASS", "bypass", False),
        ({"x_penstock_cache": "refresh"}, "REFRESH", "request", True),
        ({"cache_control": "no-cache"}, "REFRESH", "request", True),
        ({"cache_control": "no-cache, no-store"}, "BYPASS", "bypass", False),
        ({"cache_control": "no-store"}, "MISS", "uri-miss", False),
        ({"x_penstock_cache": "on"}, "MISS", "uri-miss", True),
        ({"cache_control": "max-age=60"}, "MISS", "uri-miss", True),
    ],
    ids=str,
)
def test_the_first_of_its_kind(send, headers, word, fwd, kept):
    first = send(**headers)
    assert (first.cache, first.status.fwd, first.status.stored) == (word, fwd, kept)
    assert send().cache == ("HIT" if kept else "MISS")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"x_penstock_cache": "off"}, "BYPASS"),
        ({"x_penstock_cache": "refresh"}, "REFRESH"),
        ({"cache_control": "no-cache"}, "REFRESH"),
        ({"cache_control": "no-store"}, "HIT"),
        ({"cache_control": "only-if-cached"}, "HIT"),
        ({"cache_control": "max-age=0"}, "MISS"),
        ({"cache_control": "max-age=3600"}, "HIT"),
        ({"x_penstock_cache_ttl": "1h"}, "HIT"),
        ({"x_penstock_bypass": "compress, prefix"}, "HIT"),
        ({"x_penstock_unknown": "1"}, "HIT"),
    ],
    ids=str,
)
def test_with_an_answer_kept(send, headers, word):
    send()
    assert send(**headers).cache == word
    assert send().cache == "HIT"


def test_nothing_but_what_is_kept(send):
    with pytest.raises(openai.InternalServerError) as caught:
        send(cache_control="only-if-cached")
    assert (caught.value.status_code, caught.value.code) == (504, "not_cached")
    assert send().cache == "MISS"


@pytest.mark.parametrize(
    "headers",
    [
        {"cache_control": "only-if-cached, no-cache"},
        {"cache_control": "only-if-cached", "x_penstock_cache": "refresh"},
        {"cache_control": "only-if-cached, no-store", "x_penstock_cache": "off"},
        {"cache_control": "only-if-cached, max-age=0"},
    ],
    ids=str,
)
def test_nothing_but_what_is_kept_and_that_will_not_do(send, headers):
    """RFC 9111, section 5.2.1.7: there is no stored answer that may be used, so 504."""
    send()
    with pytest.raises(openai.InternalServerError) as caught:
        send(**headers)
    assert (caught.value.status_code, caught.value.code) == (504, "not_cached")
    assert send().cache == "HIT"


def test_a_time_to_live_of_the_callers_own(send):
    assert send(x_penstock_cache_ttl="1").status.stored
    hit = send()
    assert hit.cache == "HIT"
    assert hit.status.ttl <= 1
    time.sleep(1.05)
    assert send().cache == "MISS"


def test_namespaces_and_clients_are_apart(sdk, namespace):
    def word(key, **headers):
        client = sdk(key, **headers)
        raw = client.chat.completions.with_raw_response.create(**QUESTION)
        return receipt(raw.headers).cache

    other = {"x-penstock-cache-namespace": "other" + namespace["x-penstock-cache-namespace"]}
    assert word("sk-one", **namespace) == "MISS"
    assert word("sk-one", **other) == "MISS"
    assert word("sk-two", **namespace) == "MISS"
    assert word("sk-one", **namespace) == "HIT"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-penstock-cache", "sometimes"),
        ("x-penstock-cache-ttl", "soon"),
        ("x-penstock-bypass", "everything"),
        ("x-penstock-policy", "none-such"),
    ],
)
def test_a_control_that_cannot_be_read_is_named(sdk, name, value):
    client = sdk(**{name: value})
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**QUESTION)
    assert caught.value.param == name
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": 7}, "model"),
        ({"messages": "hello"}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 1.5}, "n"),
        ({"seed": "x"}, "seed"),
        ({"tools": {}}, "tools"),
        ({"stream_options": []}, "stream_options"),
    ],
    ids=str,
)
def test_a_wrong_type_is_named_and_goes_nowhere(sdk, fake, more, param):
    calls = fake.calls
    client = sdk()
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body={**QUESTION, "model": "fake", **more})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert fake.calls == calls


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", b'{"model": "gpt-4o", "model": "fake"}', b"\xff{}"],
    ids=repr,
)
def test_what_is_no_json_object_goes_nowhere(sdk, fake, body):
    calls = fake.calls
    client = sdk()
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/chat/completions",
            cast_to=object,
            content=body,
            options={"headers": {"content-type": "application/json"}},
        )
    assert caught.value.code == "invalid_request"
    assert "request body" in caught.value.message or caught.value.param == "model"
    assert fake.calls == calls


def test_an_unknown_model(sdk):
    client = sdk()
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(**QUESTION | {"model": "nobody"})
    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")
    assert "nobody" in caught.value.message


def test_a_model_that_cannot_be_written_down(sdk):
    client = sdk()
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/chat/completions", cast_to=object, content=b'{"model": "\\ud800"}')
    assert caught.value.param == "model"


@pytest.mark.parametrize("key", ["sk-other", "sk-on", "sk-upstream"])
def test_a_wrong_key(sdk, key):
    client = sdk(key)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(**QUESTION)
    assert caught.value.code == "invalid_api_key"
    assert key not in caught.value.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (403, openai.PermissionDeniedError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstreams_error_is_its_own(sdk, status, kind, stream):
    client = sdk()
    with pytest.raises(kind) as caught:
        client.chat.completions.create(
            **QUESTION | {"model": "fake"},
            stream=stream,
            extra_headers={"x-fake": f"status:{status}:retry-after=7:x-mine=yes"},
        )
    assert caught.value.status_code == status
    assert f"fake {status}" in caught.value.message
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-mine"] == "yes"


def test_a_clients_key_stays_here_and_ours_goes_upstream(sdk, fake):
    sdk().chat.completions.create(**QUESTION | {"model": "fake"})
    seen = fake.requests[-1]
    assert seen.header("authorization") == "Bearer sk-upstream"
    assert "sk-one" not in seen.head.decode()
    assert "x-penstock" not in seen.head.decode().lower()
