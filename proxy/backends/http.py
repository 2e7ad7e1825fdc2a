"""Any OpenAI-compatible host, and Anthropic's own API, over our upstream client."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from policies.base.call import Call, Headers
from policies.base.policy import Strict
from policies.base.reply import Reply
from policies.base.units import Duration
from proxy.backends.registry import backend
from proxy.backends.wrap.breaker import BreakerSettings
from proxy.backends.wrap.retry import RetrySettings
from proxy.upstream import Client, Request, Timeouts, proxy_for

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WRITTEN = frozenset(("host", "content-length", "transfer-encoding", "connection"))
_KEY_HEADER = {"bearer": b"authorization", "x-api-key": b"x-api-key", "api-key": b"api-key"}


class TimeoutSettings(Strict):
    """How long to wait for a connection, for the first byte of a reply, and between bytes."""

    connect: Duration = 5.0
    first_byte: Duration = 600.0
    idle: Duration = 300.0


class Connection(Strict):
    """What every HTTP backend can be told about its upstream."""

    api_key: SecretStr | None = None
    # Without an `api_key`: pass the caller's own on. Left out: to a route's first choice only.
    forward_key: bool | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    timeouts: TimeoutSettings = TimeoutSettings()
    connections: int = Field(default=1000, ge=1)
    proxy: str | None = None  # default: HTTP(S)_PROXY of the environment
    ca_file: str | None = None
    retry: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
                raise ValueError(f"{name!r} or its value has characters that HTTP forbids")
            if name.lower() in _WRITTEN:
                raise ValueError(f"{name!r} is written by Penstock itself")
        return headers


def origin(url: str) -> str:
    """`url` without a trailing slash; raises `ValueError` if it is not one we can call."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "http+unix") or not parts.netloc:
        raise ValueError("must be an http:// or https:// address, such as https://host/v1")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must not hold a query, a fragment or credentials")
    return url.rstrip("/")


@backend("http")
class Http:
    """One upstream. Replies pass untouched; the caller's key is replaced by `api_key`."""

    class Settings(Connection):
        """`base_url` ends in `/v1`; `auth` says which header carries the key."""

        base_url: str
        auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"

        @field_validator("base_url")
        @classmethod
        def _callable(cls, url: str) -> str:
            return origin(url)

    extra: ClassVar[Headers] = ()  # sent unless the caller sends its own

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._prefix = urlsplit(settings.base_url).path.encode() + b"/"
        self._client = connect(settings.base_url, settings)
        self._key = _key_line(settings)
        self._forward_key = settings.forward_key
        own = [(key.lower().encode(), value.encode()) for key, value in settings.headers.items()]
        self._own: Headers = tuple(own)
        self._own_names = frozenset(key for key, _ in own)

    async def send(self, call: Call) -> Reply:
        """One attempt. Raises `ConnectFailed`, `UpstreamTimeout` or `BrokenReply`."""
        target = self._prefix + call.path.encode("latin-1")
        upload = call.upload
        if upload is not None:
            body = aiter(upload)
            request = Request(call.method, target, self._headers(call), body, upload.length)
        else:
            wire = call.body.wire
            sent = wire if wire or call.method not in ("GET", "HEAD", "OPTIONS") else None
            request = Request(call.method, target, self._headers(call), sent)
        response = await self._client.send(request)
        return Reply(response.status, response.headers, response.chunks, self.name, response.whole)

    def _headers(self, call: Call) -> Headers:
        headers = call.headers
        if self._own_names:
            headers = tuple(pair for pair in headers if pair[0] not in self._own_names) + self._own
        if self.extra:
            sent = {name for name, _ in headers}
            headers += tuple(pair for pair in self.extra if pair[0] not in sent)
        if self._key is not None:
            return (*headers, self._key)
        forward = self._forward_key
        if forward or (forward is None and call.backends[0] == self.name):
            return headers + call.credential
        return headers

    async def aclose(self) -> None:
        """Close idle connections; busy ones close when they are done."""
        await self._client.aclose()


def connect(base_url: str, settings: Connection) -> Client:
    """The client of one upstream, by its settings."""
    waits = settings.timeouts
    tls = None
    if settings.ca_file is not None:
        tls = ssl.create_default_context(cafile=Path(settings.ca_file).expanduser())
    return Client(
        base_url,
        timeouts=Timeouts(waits.connect, waits.first_byte, waits.idle),
        tls=tls,
        proxy=settings.proxy or proxy_for(base_url, os.environ),
        limit=settings.connections,
    )


def _key_line(settings: Http.Settings) -> tuple[bytes, bytes] | None:
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value().encode()
    return _KEY_HEADER[settings.auth], b"Bearer " + key if settings.auth == "bearer" else key


@backend("openai")
class OpenAI(Http):
    """OpenAI's own API, or a host that is its double."""

    class Settings(Http.Settings):
        """As `http`, with OpenAI's address as the default."""

        base_url: str = "https://api.openai.com/v1"


@backend("anthropic")
class Anthropic(Http):
    """Anthropic's own API: its key header, and a version where the caller names none."""

    extra: ClassVar[Headers] = ((b"anthropic-version", b"2023-06-01"),)

    class Settings(Http.Settings):
        """As `http`, with Anthropic's address and key header as the defaults."""

        base_url: str = "https://api.anthropic.com/v1"
        auth: Literal["bearer", "x-api-key", "api-key"] = "x-api-key"
