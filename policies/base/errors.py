"""What a policy or the contract may raise; `proxy.errors` maps these to the wire."""

from __future__ import annotations


class MalformedBody(ValueError):
    """The request body cannot be used. `param` names the field, where one is to blame."""

    def __init__(self, message: str, param: str | None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
