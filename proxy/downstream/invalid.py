"""What a client gets that does not keep to HTTP, or whose request broke the application."""

from __future__ import annotations

from policies.base.call import Dialect, Headers
from proxy.errors import BadRequest, ProxyError
from proxy.wire.error_form import error_body, error_headers


class InvalidHttp(BadRequest):
    """The bytes are no request that can be served; the connection closes after this."""

    code = "invalid_http"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answer(error: ProxyError) -> tuple[Headers, bytes]:
    """Headers and body in OpenAI's form: which dialect was meant cannot be known here."""
    body = error_body(Dialect.CHAT, error)
    return (*error_headers(error), (b"content-length", b"%d" % len(body))), body
