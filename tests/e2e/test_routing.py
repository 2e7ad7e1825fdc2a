"""Where requests go that Penstock does not read, and whose key goes with them."""

import json

import brotli
import httpx2
import pytest
from backports import zstd

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running

YAML = """
version: 1
backends:
  first: {{use: http, base_url: "{first}/echo"}}
  second: {{use: http, base_url: "{second}/echo"}}
  dead: {{use: http, base_url: "http://127.0.0.1:9/v1", retry: {{attempts: 1}}}}
routes:
  - {{when: {{model: "b-*"}}, send: second}}
  - {{when: {{model: "c-*"}}, send: [dead, second]}}
  - {{send: first}}
"""


@pytest.fixture(scope="module")
def fakes():
    with Misbehaving() as first, Misbehaving() as second:
        yield first, second


@pytest.fixture(scope="module")
def client(fakes):
    first, second = fakes
    yaml = YAML.format(first=first.url.rstrip("/"), second=second.url.rstrip("/"))
    with (
        running(yaml) as penstock,
        httpx2.Client(base_url=penstock.url, headers={"authorization": "Bearer sk-secret"}) as it,
    ):
        yield it


def asked(fake):
    return fake.requests[-1].head.lower()


def test_a_json_body_that_is_only_passed_on_is_routed_by_its_model(client, fakes):
    before = fakes[1].calls
    client.post("/v1/images/generations", json={"model": "b-1", "prompt": "x"})
    assert fakes[1].calls == before + 1
    client.get("/v1/models/b-2?x=1")
    assert fakes[1].calls == before + 2
    client.get("/v1/models/b-" + "x" * 300)  # no name that could be written down
    assert fakes[1].calls == before + 2


@pytest.mark.parametrize(("coding", "squeeze"), [("br", brotli.compress), ("zstd", zstd.compress)])
def test_a_compressed_body_is_routed_by_its_model(client, fakes, coding, squeeze):
    before = fakes[1].calls
    body = squeeze(json.dumps({"model": "b-1", "messages": []}).encode())
    client.post("/v1/chat/completions", content=body, headers={"content-encoding": coding})
    assert fakes[1].calls == before + 1
    assert fakes[1].requests[-1].body == body


def test_the_callers_key_goes_to_the_first_choice_only(client, fakes):
    client.post("/v1/chat/completions", json={"model": "b-1", "messages": []})
    assert b"sk-secret" in asked(fakes[1])
    client.post("/v1/chat/completions", json={"model": "c-1", "messages": []})
    assert b"sk-secret" not in asked(fakes[1])


@pytest.mark.parametrize(
    "path",
    ["/v1/files/%2e%2e/x", "/v1/files/..%2f..%2fadmin", "/v1/a%5c..%5cb"],
)
def test_a_path_cannot_leave_its_place(client, fakes, path):
    before = fakes[0].calls
    request = httpx2.Request("GET", client.base_url.join("/v1/x"))
    request.url = request.url.copy_with(raw_path=path.encode())
    request.headers["host"] = "x"
    reply = client.send(request)
    assert reply.status_code == 400
    assert fakes[0].calls == before
