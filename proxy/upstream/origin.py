"""Where a client connects to, and through which proxy."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True):
    """Host and port, or a Unix socket's `path`. `prefix` is the URL's path, no slash last."""

    tls: bool
    host: str
    port: int
    authority: bytes  # host, and the port where it is not the scheme's own
    prefix: bytes
    path: str = ""

    @property
    def name(self) -> str:
        """What an error message calls it."""
        return self.path or (f"[{self.host}]" if ":" in self.host else self.host) + f":{self.port}"

    @classmethod
    def parse(cls, base_url: str) -> Origin:
        """Of `http://`, `https://` or `http+unix://%2Fpath%2Fto.sock`; else `ValueError`."""
        url = urlsplit(base_url)
        prefix = url.path.rstrip("/").encode("ascii")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("a base URL has no user, query or fragment")
        if url.scheme == "http+unix" and url.netloc:
            return cls(False, "localhost", 0, b"localhost", prefix, unquote(url.netloc))
        host, port = _host(url), url.port or _PORTS.get(url.scheme, 0)
        if not host or not port:
            raise ValueError("a base URL begins with http://host, https://host or http+unix://")
        authority = (f"[{host}]" if ":" in host else host).encode()
        if port != _PORTS[url.scheme]:
            authority += b":%d" % port
        return cls(url.scheme == "https", host, port, authority, prefix)


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy; `credentials` is its `proxy-authorization` header line, or empty."""

    host: str
    port: int
    credentials: bytes

    @classmethod
    def parse(cls, proxy: str) -> Proxy:
        """Of `[http://][user:password@]host[:port]`; else `ValueError`."""
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if url.scheme != "http" or not url.hostname:
            raise ValueError("a proxy is given as http://[user:password@]host:port")
        line = b""
        if url.username is not None:
            user = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
            line = b"proxy-authorization: Basic %b\r\n" % base64.b64encode(user)
        return cls(_host(url), url.port or 80, line)


def proxy_for(base_url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY (either case) name for a URL.

    NO_PROXY lists hosts, domains (also matching below them), `host:port`, addresses and
    networks such as `10.0.0.0/8`, separated by commas; `*` matches all.
    """
    origin = Origin.parse(base_url)
    name = "https_proxy" if origin.tls else "http_proxy"
    proxy = environ.get(name) or environ.get(name.upper())
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or origin.path:
        return None
    return None if any(_spares(entry.strip(), origin) for entry in spared.split(",")) else proxy


def _spares(entry: str, origin: Origin) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(origin.host) in ip_network(entry, strict=False)
    except ValueError:  # not both an address and a network
        domain = entry.lower().removeprefix("*").removeprefix(".")
    host, colon, port = domain.rpartition(":")
    if colon and port.isdigit():
        domain = host if int(port) == origin.port else ""
    return bool(domain) and f".{origin.host}".endswith(f".{domain}")


def _host(url: SplitResult) -> str:
    return (url.hostname or "").encode("idna").decode("ascii")
