"""Whose request it is: keys, tenants that never meet, and an upstream nobody can choose."""

import json
import socket
import subprocess
import threading

import httpx2
import pytest

from tests.fakes.misbehaving import TEXT, Misbehaving
from tests.fakes.penstock import command, environment, running

OPEN = """
backends: {{a: {{use: http, base_url: "{url}/v1", retry: {{attempts: 1}}}}}}
"""
KEYED = """
listen: {{host: "{host}"}}
clients:
  - {{name: team-a, key: "${{KEY_A}}"}}
  - {{name: team-b, key: "${{KEY_B}}"}}
admin_key: ${{ADMIN_KEY}}
backends: {{a: {{use: http, base_url: "{url}/v1"}}, b: {{use: http, base_url: "{url}/v1"}}}}
routes: [{{send: [a]}}]
"""
KEYS = {
    "KEY_A": "sk-team-a-0123456789",
    "KEY_B": "sk-team-b-0123456789",
    "ADMIN_KEY": "root-key-99",
}
_client = httpx2.Client(timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def upstream():
    with Misbehaving() as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream):
    with running(OPEN.format(url=upstream.url)) as made:
        yield made


@pytest.fixture(scope="module")
def keyed(upstream):
    text = KEYED.format(url=upstream.url, host=_everywhere())
    with running(text, env=KEYS) as made:
        yield made


def _everywhere():
    """Both families, where this machine has both: peers look different then."""
    try:
        with socket.create_server(("::", 0), family=socket.AF_INET6):
            return "::"
    except OSError:
        return "0.0.0.0"


def chat(text, **more):
    return {"model": "fake", "messages": [{"role": "user", "content": text}], **more}


def ask(penstock, body, headers=None, path="chat/completions"):
    url = f"{penstock.url}/v1/{path}"
    return _client.post(url, json=body, headers=headers or {})


def bearer(key):
    return {"authorization": f"Bearer {key}"}


# Without clients: each credential is passed on as it came, and is a tenant.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer sk-mine"),
        ("authorization", "Basic dXNlcjpwYXNz"),
        ("x-api-key", "sk-ant-mine"),
        ("api-key", "azure-mine"),
    ],
)
def test_a_credential_is_forwarded_as_it_came(penstock, upstream, name, value):
    assert ask(penstock, chat(f"forward {name} {value}"), {name: value}).status_code == 200
    seen = upstream.requests[-1]
    shown = [
        pair
        for pair in seen.headers
        if pair[0].lower() in ("authorization", "x-api-key", "api-key")
    ]
    assert [(key.lower(), text) for key, text in shown] == [(name, value)]


CREDENTIALS = [
    {},
    bearer("sk-one"),
    bearer("sk-two"),
    {"authorization": "bearer sk-one"},
    {"x-api-key": "sk-one"},
    {"api-key": "sk-one"},
    {**bearer("sk-one"), "x-api-key": "sk-two"},
]


def test_callers_share_no_answers(penstock, upstream):
    before, body = upstream.calls, chat("what is shared?")
    first = [ask(penstock, body, it).headers["x-penstock-cache"] for it in CREDENTIALS]
    again = [ask(penstock, body, it).headers["x-penstock-cache"] for it in CREDENTIALS]
    assert first == ["MISS"] * len(CREDENTIALS)
    assert again == ["HIT"] * len(CREDENTIALS)
    assert upstream.calls - before == len(CREDENTIALS)


def test_a_namespace_narrows_and_cannot_lead_to_another_tenant(penstock, upstream):
    body = chat("whose namespace?")
    ask(penstock, body, bearer("sk-one"))
    for namespace in ("", "default", "caller-1", "../sk-one", "sk-one"):
        headers = {**bearer("sk-three"), "x-penstock-cache-namespace": namespace}
        assert ask(penstock, body, headers).headers["x-penstock-cache"] == "MISS"


def test_callers_share_no_flights(penstock, upstream):
    """Two callers, the same streamed request at the same time, twice each."""
    before, body = upstream.calls, chat("who flies with whom?", stream=True)
    words: list[str] = []

    def fly(key):
        headers = {**bearer(key), "x-fake": "slow:0.04"}
        words.append(ask(penstock, body, headers).headers["x-penstock-cache"])

    threads = [threading.Thread(target=fly, args=(key,)) for key in ("k1", "k2", "k1", "k2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(words) == ["COALESCED", "COALESCED", "MISS", "MISS"]
    shown = sorted(seen.header("authorization") for seen in upstream.requests[before:])
    assert shown == ["Bearer k1", "Bearer k2"]


def test_nobody_shares_the_error_of_another(penstock, upstream):
    body = chat("an error for one")
    assert ask(penstock, body, {**bearer("k1"), "x-fake": "status:401"}).status_code == 401
    assert ask(penstock, body, bearer("k2")).status_code == 200


# A client never chooses the upstream's host.


def raw(penstock, head):
    with socket.create_connection(("127.0.0.1", penstock.port), timeout=5) as client:
        client.sendall(head + b"connection: close\r\n\r\n")
        received = b""
        while data := client.recv(65536):
            received += data
    return received


@pytest.mark.parametrize(
    "target",
    [
        "/v1/files",
        "http://evil.test/v1/files",
        "http://evil.test:80@127.0.0.1/v1/files",
        "/v1//evil.test/files",
        "/v1/@evil.test/files",
        "//evil.test/v1/files",
        "/v1/files?url=http://evil.test/",
    ],
)
@pytest.mark.parametrize(
    "more", ["", "x-forwarded-host: evil.test\r\nforwarded: host=evil.test\r\n"]
)
def test_the_host_is_the_configurations(penstock, upstream, target, more):
    before = upstream.calls
    head = f"GET {target} HTTP/1.1\r\nhost: evil.test\r\n{more}".encode()
    received = raw(penstock, head)
    assert received.startswith(b"HTTP/1.1 ")
    for seen in upstream.requests[before:]:
        assert seen.header("host") == f"127.0.0.1:{upstream.port}"
        assert seen.target.startswith("/v1/")
    assert upstream.calls > before or b" 404 " in received or b" 400 " in received


def test_no_request_line_can_be_smuggled(penstock, upstream):
    before = upstream.calls
    received = raw(penstock, b"GET /v1/files%0d%0aX-Evil:%201 HTTP/1.1\r\nhost: a\r\n")
    assert received.startswith(b"HTTP/1.1 ")
    for seen in upstream.requests[before:]:
        assert not seen.header("x-evil")


# With clients: a key of ours, which goes no further.


def test_the_right_key(keyed, upstream):
    assert ask(keyed, chat("a key"), bearer(KEYS["KEY_A"])).status_code == 200
    seen = upstream.requests[-1]
    assert not seen.header("authorization")
    assert KEYS["KEY_A"].encode() not in seen.head + seen.body


@pytest.mark.parametrize("name", ["x-api-key", "api-key"])
def test_the_right_key_in_the_other_headers(keyed, upstream, name):
    body = {**chat(f"by {name}"), "max_tokens": 5}
    assert ask(keyed, body, {name: KEYS["KEY_A"]}, "messages").status_code == 200
    assert not upstream.requests[-1].header(name)


WRONG = [
    {},
    bearer("sk-team-a-012345678"),
    bearer("sk-team-a-01234567890"),
    {"authorization": "Bearer"},
    {"authorization": "Basic " + KEYS["KEY_A"]},
    {"x-api-key": "no"},
    bearer(KEYS["ADMIN_KEY"]),
    {"authorization": "Bearer \xe9\xff"},
]


@pytest.mark.parametrize("headers", WRONG)
def test_a_wrong_key_or_none(keyed, upstream, headers):
    before = upstream.calls
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("chat/completions", "files", "models"):
        reply = ask(keyed, chat("no key"), sent, path)
        assert reply.status_code == 401
        error = reply.json()["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
        assert KEYS["KEY_A"] not in reply.text
    models = _client.get(f"{keyed.url}/v1/models", headers=sent)
    assert models.status_code == 401
    reply = ask(keyed, chat("no key"), sent, "messages")
    assert (reply.status_code, reply.json()["type"]) == (401, "error")
    assert reply.json()["error"]["type"] == "authentication_error"
    assert upstream.calls == before


def test_clients_share_no_answers(keyed):
    body = chat("shared between teams?")
    keys = [KEYS["KEY_A"], KEYS["KEY_B"]]
    assert [ask(keyed, body, bearer(k)).headers["x-penstock-cache"] for k in keys] == ["MISS"] * 2
    assert [ask(keyed, body, bearer(k)).headers["x-penstock-cache"] for k in keys] == ["HIT"] * 2


def test_one_client_is_one_tenant_whichever_header_it_uses(keyed):
    body = chat("the same team")
    assert ask(keyed, body, bearer(KEYS["KEY_B"])).headers["x-penstock-cache"] == "MISS"
    by_other = ask(keyed, body, {"x-api-key": KEYS["KEY_B"]})
    assert by_other.headers["x-penstock-cache"] == "HIT"


# /admin and /metrics: this machine, or the admin key.

PAGES = [("GET", "/metrics"), ("POST", "/admin/reload"), ("DELETE", "/admin/cache")]


def _addresses():
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False)
    return found.stdout.split()


@pytest.fixture(scope="module")
def outside(keyed):
    """The server's URL by an address of this machine that is not its loopback."""
    for address in _addresses():
        url = f"http://[{address}]" if ":" in address else f"http://{address}"
        try:
            with socket.create_connection((address, keyed.port), timeout=2):
                return f"{url}:{keyed.port}"
        except OSError:
            continue
    return pytest.skip("this machine has no address but its loopback")


@pytest.mark.parametrize(("method", "path"), PAGES)
@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({}, False),
        (bearer("guess"), False),
        (bearer(KEYS["KEY_A"]), False),
        ({"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"}, False),
        (bearer(KEYS["ADMIN_KEY"]), True),
        ({"x-api-key": KEYS["ADMIN_KEY"]}, True),
    ],
)
def test_admin_pages_from_elsewhere(outside, method, path, headers, admitted):
    reply = _client.request(method, outside + path, headers=headers)
    assert reply.status_code == (200 if admitted else 401)
    if not admitted:
        assert reply.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_admin_pages_from_here(keyed, method, path):
    assert _client.request(method, keyed.url + path).status_code == 200


@pytest.mark.parametrize(
    ("filters", "param"), [("modle=a*", "modle"), ("older_than=1h", "older_than")]
)
def test_a_misspelt_purge_purges_nothing(keyed, filters, param):
    reply = _client.delete(f"{keyed.url}/admin/cache?{filters}")
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert _client.delete(f"{keyed.url}/admin/cache?model=a*&older_than=60").status_code == 200


def test_a_method_that_a_page_does_not_take(keyed):
    reply = _client.get(keyed.url + "/admin/reload")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert reply.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_is_for_everybody(outside, method):
    for path in ("/livez", "/readyz", "/health"):
        assert _client.request(method, outside + path).status_code == 200


@pytest.mark.parametrize("args", [("--host", "0.0.0.0"), ("--host", "::"), ("--host", "192.0.2.1")])
def test_no_start_on_an_open_address_without_clients(tmp_path, args):
    found = subprocess.run(
        command("serve", "--port", "0", *args),
        env=environment(tmp_path),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert found.returncode == 2
    assert b"no `clients` are configured" in found.stderr


def test_no_start_with_itself_as_upstream(tmp_path):
    env = environment(tmp_path, {"OPENAI_BASE_URL": "http://localhost:8484/v1"})
    found = subprocess.run(command("serve"), env=env, capture_output=True, timeout=30, check=False)
    assert found.returncode == 2
    assert b"is Penstock's own address" in found.stderr


# Neither a key nor a prompt is written down anywhere but where replies are kept.


def test_no_prompt_and_no_key_in_logs_metrics_or_ledger(penstock, keyed, upstream):
    prompt, key = "MARKED-PROMPT-7141", "sk-MARKED-KEY-7141"
    for server, headers in ((penstock, bearer(key)), (keyed, bearer(KEYS["KEY_A"]))):
        for fake in (
            "chat",
            "status:500",
            "reset",
            "reset-body",
            "too-short",
            "half-chunk",
            "html",
        ):
            for stream in (False, True):
                try:
                    ask(server, chat(prompt, stream=stream), {**headers, "x-fake": fake})
                except httpx2.RemoteProtocolError:
                    assert fake == "half-chunk"
        ask(server, chat(prompt, temperature=prompt), headers)
        ask(server, {"model": prompt, "messages": prompt}, headers)
        ask(server, chat(prompt), {**headers, "x-penstock-policy": "nope"})
        _client.post(
            f"{server.url}/v1/chat/completions", content=f'{{"{prompt}'.encode(), headers=headers
        )
        ask(server, chat(prompt), bearer(key + "-wrong"))
        metrics = _client.get(server.url + "/metrics").text
        assert "penstock_requests_total" in metrics
        server.stop()
        ledger = b"".join(path.read_bytes() for path in server.data.glob("ledger*"))
        assert b"fake" in ledger
        for secret in (prompt, key, KEYS["KEY_A"], TEXT):
            assert secret not in server.output()
            assert secret not in metrics
            assert secret.encode() not in ledger
    assert json.dumps(prompt).encode() in upstream.requests[-1].body
