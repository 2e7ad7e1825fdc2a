"""Everything Penstock itself can answer instead of an upstream, in one tree.

ProxyError
├── BadRequest        400 (413 too large, 404 unknown model, 405 wrong method): the client's to mend
├── Unauthorized      401
├── Refused           a policy's limit was hit
├── NotCached         504: only a stored answer was wanted
├── Overloaded        503: no backend may be tried at present
└── UpstreamError     502: the upstream could not be reached or did not keep to HTTP
    ├── ConnectFailed 502: nothing was sent
    ├── BrokenReply   502: it hung up or sent what is not HTTP
    └── UpstreamTimeout 504

Errors of an upstream that did answer are not here: they pass untouched.
`ConfigError` stands apart: it ends a start or a reload, never a request.
"""

from __future__ import annotations


class ProxyError(Exception):
    """An error with its place on the wire."""

    status = 500
    kind = "server_error"
    code = "internal_error"
    attempts = 0  # at an upstream

    def __init__(
        self, message: str, *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        # They may quote a client's text with lone surrogates, which UTF-8 cannot carry.
        self.message = message.encode("utf-8", "replace").decode()
        self.param = None if param is None else param.encode("utf-8", "replace").decode()
        self.retry_after = retry_after


class BadRequest(ProxyError):
    """The request cannot be served as it stands."""

    status = 400
    kind = "invalid_request_error"
    code = "invalid_request"


class UnknownModel(BadRequest):
    """No route leads to this model."""

    status = 404
    code = "model_not_found"


class WrongMethod(BadRequest):
    """The path does not take this method."""

    status = 405
    code = "method_not_allowed"


class TooLarge(BadRequest):
    """The request body is over the limit."""

    status = 413
    code = "request_too_large"


class Unauthorized(ProxyError):
    """The caller's key is not one of ours."""

    status = 401
    kind = "invalid_request_error"
    code = "invalid_api_key"


class Refused(ProxyError):
    """A policy refused the request; `status` and `code` are the policy's."""

    kind = "penstock_refused"

    def __init__(self, message: str, status: int, code: str, retry_after: float | None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.code = code


class NotCached(ProxyError):
    """The caller wanted a stored answer or none (RFC 9111, section 5.2.1.7)."""

    status = 504
    kind = "penstock_refused"
    code = "not_cached"


class Overloaded(ProxyError):
    """No backend may be tried at present."""

    status = 503
    kind = "penstock_overloaded"
    code = "backend_unavailable"


class UpstreamError(ProxyError):
    """The upstream could not be reached or did not keep to HTTP."""

    status = 502
    kind = "upstream_error"
    code = "upstream_error"
    attempts = 1


class ConnectFailed(UpstreamError):
    """No connection could be made; nothing was sent."""

    code = "upstream_unreachable"


class BrokenReply(UpstreamError):
    """The upstream hung up in mid-reply or sent what is not HTTP."""

    code = "upstream_broken_reply"


class UpstreamTimeout(UpstreamError):
    """The upstream took too long to connect, to begin or to go on."""

    status = 504
    code = "upstream_timeout"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` are `file:line:col: path: message` lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
