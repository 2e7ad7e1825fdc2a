"""Penstock's own errors in each dialect's form. Sans-IO.

Sources: OpenAI's error object; Anthropic's `{"type":"error","error":{…}}` and its types by
status (400 invalid_request_error, 401 authentication_error, 404 not_found_error,
413 request_too_large, 429 rate_limit_error, 5xx api_error, 529 overloaded_error).
"""

from __future__ import annotations

import math

import msgspec

from policies.base.call import Dialect, Headers
from proxy.errors import ProxyError

_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def error_body(dialect: Dialect, error: ProxyError) -> bytes:
    """The JSON error object."""
    if dialect is Dialect.MESSAGES:
        kind = _ANTHROPIC.get(error.status, "api_error")
        message = f"{error.message} ({error.param})" if error.param else error.message
        return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    inner = {
        "message": error.message,
        "type": error.kind,
        "param": error.param,
        "code": error.code,
    }
    return msgspec.json.encode({"error": inner})


def error_event(dialect: Dialect, error: ProxyError) -> bytes:
    """An event that ends a stream which has begun; it first ends an event cut in half."""
    body = error_body(dialect, error)
    if dialect is Dialect.RESPONSES:
        # Flat, as OpenAI's reference has it, and within `error`, as OpenAI sends it: the SDKs raise
        # that only, and go on to a quiet end after the other.
        flat = {"type": "error", "code": error.code, "message": error.message, "param": None}
        body = msgspec.json.encode(flat | msgspec.json.decode(body))
    name = b"event: error\n" if dialect in (Dialect.MESSAGES, Dialect.RESPONSES) else b""
    return b"\n\n" + name + b"data: " + body + b"\n\n"


def error_headers(error: ProxyError) -> Headers:
    """`content-type`, and `retry-after` where the error knows it."""
    headers: Headers = ((b"content-type", b"application/json"),)
    if error.retry_after is not None:
        headers += ((b"retry-after", b"%d" % math.ceil(error.retry_after)),)
    if error.status == 405:  # which only paths answer with that take nothing else
        headers += ((b"allow", b"POST"),)
    if error.status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    return headers
