"""Errors as the providers write them."""

from __future__ import annotations

from typing import Any

from policies.base.call import Dialect
from proxy.simulation.fields import Invalid


def refusal(dialect: Dialect, error: Invalid) -> dict[str, Any]:
    """The error body: Anthropic's on `messages`, OpenAI's elsewhere."""
    if dialect is Dialect.MESSAGES:
        kind = "not_found_error" if error.status == 404 else "invalid_request_error"
        # Anthropic writes messages.0.role for messages[0].role, and opens the message with it.
        where = (error.param or "").replace("[", ".").replace("]", "")
        message = f"{where}: {error.message}" if where else error.message
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {
        "error": {
            "message": error.message,
            "type": "invalid_request_error",
            "param": error.param,
            "code": error.code,
        }
    }


def unknown_url(method: str, path: str) -> Invalid:
    """Nothing is served there."""
    message = f"Invalid URL ({method} /v1/{path})"
    return Invalid(message, None, "unknown_url", 404)


def unknown_model(model: str) -> Invalid:
    """The model is not listed, and only listed models are served."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    return Invalid(message, "model", "model_not_found", 404)
