"""The client's side of an exchange: what it is sent, and an error in its own dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from policies.base.call import Dialect, Headers
from proxy.errors import ProxyError
from proxy.wire.error_form import error_body, error_headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Scope = MutableMapping[str, Any]
Listener = Callable[[Callable[[], object]], None]  # given what cancels the application


CLIENT = "penstock.client"  # the ASGI extension that holds a request's `Client`


class ClientGone(Exception):
    """The client hung up before its request was whole."""


class Client(Protocol):
    """Who asked. Once it has gone, what is sent goes nowhere."""

    def take(self) -> bytes | None:
        """The whole request body, where it is there and none of it was received."""

    async def send(self, message: Message) -> None:
        """The head of a reply, or a piece of its body, as ASGI has it."""

    def respond(self, status: int, fields: Headers, body: bytes) -> None:
        """A whole reply at once."""

    def on_disconnect(self, listener: Listener | None) -> None:
        """Have `listener` called if the client goes before its reply is complete."""


def respond(
    client: Client, status: int, headers: Headers, body: bytes, method: str = "POST"
) -> None:
    """A complete reply; `content-length` is added where it is missing and can be known."""
    known = status >= 200 and status not in (204, 304) and method != "HEAD"
    if known and b"content-length" not in dict(headers):
        headers = (*headers, (b"content-length", b"%d" % len(body)))
    client.respond(status, headers, body)


def respond_error(client: Client, dialect: Dialect, error: ProxyError, extra: Headers = ()) -> None:
    """An error of Penstock's own, instead of a reply."""
    body = error_body(dialect, error)
    respond(client, error.status, error_headers(error) + extra, body)
