"""Base URLs, and which proxy the environment names for them."""

import pytest

from proxy.upstream import proxy_for
from proxy.upstream.origin import Origin, Proxy


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "prefix", "name"),
    [
        ("http://up", "up", 80, b"up", b"", "up:80"),
        ("http://up:80/", "up", 80, b"up", b"", "up:80"),
        ("https://Up.Example/v1/", "up.example", 443, b"up.example", b"/v1", "up.example:443"),
        ("https://up:80/a/v1", "up", 80, b"up:80", b"/a/v1", "up:80"),
        ("http://[::1]:8000/v1", "::1", 8000, b"[::1]:8000", b"/v1", "[::1]:8000"),
        (
            "http://b\u00fccher.example",
            "xn--bcher-kva.example",
            80,
            b"xn--bcher-kva.example",
            b"",
            None,
        ),
        ("http+unix://%2Frun%2FUp.sock/v1", "localhost", 0, b"localhost", b"/v1", "/run/Up.sock"),
    ],
)
def test_base_urls(url, host, port, authority, prefix, name):  # noqa: PLR0917 - a table's columns
    origin = Origin.parse(url)
    assert (origin.host, origin.port, origin.authority) == (host, port, authority)
    assert origin.prefix == prefix
    assert origin.name == name or name is None
    assert origin.tls == url.startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        *("", "up", "//up", "ftp://up", "http://", "http:///v1", "http+unix:///v1", "http://up:x"),
        *("http://up:99999", "http://me:pw@up", "http://up/v1?a", "http://up#a", "http://a..b"),
    ],
)
def test_what_is_no_base_url(url):
    with pytest.raises(ValueError, match=r"."):
        Origin.parse(url)


def test_proxies():
    assert Proxy.parse("http://p:3128") == Proxy("p", 3128, b"")
    assert Proxy.parse("p:3128") == Proxy("p", 3128, b"")
    secret = Proxy.parse("http://me:p%40ss@p")
    assert secret == Proxy("p", 80, b"proxy-authorization: Basic bWU6cEBzcw==\r\n")
    for bad in ("https://p", "socks5://p", "http://"):
        with pytest.raises(ValueError, match="a proxy is given as"):
            Proxy.parse(bad)


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://up", {}, None),
        ("http://up", {"HTTP_PROXY": "p:1"}, "p:1"),
        ("http://up", {"http_proxy": "p:1", "HTTP_PROXY": "p:2"}, "p:1"),
        ("http://up", {"HTTPS_PROXY": "p:1"}, None),
        ("https://up", {"HTTPS_PROXY": "p:1", "HTTP_PROXY": "p:2"}, "p:1"),
        ("http+unix://%2Fa", {"HTTP_PROXY": "p:1"}, None),
    ],
)
def test_the_proxy_of_the_environment(url, environ, expected):
    assert proxy_for(url, environ) == expected


@pytest.mark.parametrize(
    ("url", "spared", "direct"),
    [
        ("http://up.example", "*", True),
        ("http://up.example", "up.example", True),
        ("http://up.example", "other, UP.example ", True),
        ("http://up.example", ".example", True),
        ("http://up.example", "*.example", True),
        ("http://up.example", "example", True),
        ("http://up.example", "p.example", False),
        ("http://up.example", "", False),
        ("http://up.example", ",,", False),
        ("http://up.example", "up.example:80", True),
        ("http://up.example", "up.example:81", False),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3:8000", "10.1.2.3", True),
        ("http://10.1.2.3:8000", "10.1.2.3:8000", True),
        ("http://[::1]:8000", "::1", True),
        ("http://[::1]:8000", "fe80::/10", False),
    ],
)
def test_no_proxy(url, spared, direct):
    proxy = proxy_for(url, {"HTTP_PROXY": "p:1", "NO_PROXY": spared})
    assert proxy == (None if direct else "p:1")
