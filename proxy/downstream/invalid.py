"""What a client gets that does not keep to HTTP."""

from __future__ import annotations

from proxy.errors import BadRequest


class InvalidHttp(BadRequest):
    """The bytes are no request that can be served; the connection closes after this."""

    code = "invalid_http"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
