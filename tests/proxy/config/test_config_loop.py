import socket

import pytest

from proxy.config.load import loads
from proxy.config.loop import loops


def one(url, environ=None):
    text = f'version: 1\nbackends: {{b: {{use: http, base_url: "{url}"}}}}\n'
    return loads(text, "file", environ or {"HOME": "/"})


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8484/v1", "127.0.0.1"),
        ("http://localhost:8484/v1", "127.0.0.1"),
        ("http://LOCALHOST:8484/v1", "localhost"),
        ("http://0.0.0.0:8484/v1", "127.0.0.1"),
        ("https://127.0.0.1:8484/v1", "127.0.0.1"),
        ("http://127.0.0.1:8484/v1", "0.0.0.0"),
        ("http://127.0.0.1:8484/v1", "::"),
        ("http://127.9.9.9:8484/v1", "0.0.0.0"),
        (f"http://{socket.gethostname()}:8484/v1", "0.0.0.0"),
    ],
)
def test_a_backend_that_is_penstock(url, host):
    assert loops(one(url), host, 8484) == [
        f"file:2:15: backends.b: {url} is Penstock's own address"
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8485/v1", "127.0.0.1"),
        ("http://127.0.0.1/v1", "127.0.0.1"),
        ("http://127.0.0.2:8484/v1", "127.0.0.1"),
        ("http://192.0.2.1:8484/v1", "0.0.0.0"),
        ("http://nobody.invalid:8484/v1", "127.0.0.1"),
        ("http+unix://%2Frun%2Fx.sock/v1", "127.0.0.1"),
    ],
)
def test_a_backend_that_is_another(url, host):
    assert loops(one(url), host, 8484) == []


def test_ports_that_go_without_saying():
    assert loops(one("http://127.0.0.1/v1"), "127.0.0.1", 80)
    assert loops(one("https://127.0.0.1/v1"), "127.0.0.1", 443)


def test_every_replica_counts():
    text = (
        "version: 1\nbackends:\n"
        '  b: {use: vllm, replicas: ["http://127.0.0.1:8000", "http://127.0.0.1:8484"]}\n'
    )
    found = loops(loads(text, "file", {"HOME": "/"}), "127.0.0.1", 8484)
    assert found == ["file:3:6: backends.b: http://127.0.0.1:8484 is Penstock's own address"]


def test_the_sdks_variable_in_the_servers_shell():
    environ = {"HOME": "/", "OPENAI_BASE_URL": "http://localhost:8484/v1"}
    (line,) = loops(loads("version: 1", "defaults", environ), "127.0.0.1", 8484)
    assert line.startswith("OPENAI_BASE_URL (http://localhost:8484/v1) is Penstock's own address")
