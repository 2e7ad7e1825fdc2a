"""The sending half of ASGI: a whole reply, or an error in the caller's dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from policies.base.call import Dialect, Headers
from proxy.errors import ProxyError
from proxy.wire.error_form import error_body, error_headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]


class ClientGone(Exception):
    """The client hung up before its request was whole."""


async def send_whole(
    send: Send, status: int, headers: Headers, body: bytes, method: str = "POST"
) -> None:
    """A complete reply; `content-length` is added where it is missing and can be known."""
    known = status >= 200 and status not in (204, 304) and method != "HEAD"
    if known and b"content-length" not in [name for name, _ in headers]:
        headers = (*headers, (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_error(send: Send, dialect: Dialect, error: ProxyError, extra: Headers = ()) -> None:
    """An error of Penstock's own, instead of a reply."""
    body = error_body(dialect, error)
    await send_whole(send, error.status, error_headers(error) + extra, body)
