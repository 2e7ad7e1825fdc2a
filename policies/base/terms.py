"""By which rule, and for what price, the upstream of a call caches prompts."""

from __future__ import annotations

import msgspec

SHORTEST = 1.5  # bytes of JSON text that a token takes, at least: what is shorter is not cached


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Dollars are USD per token, None where the price is unknown; `lifetime` in seconds.

    `read` and `write` multiply `input`; `minimum` and `granularity` in tokens. `rule` is a
    name of `config/prices.yaml` (`none`: no prompt cache). `backend` is the kind that takes
    the call (`openai`, `anthropic`, `vllm`, `http`, `simulated`), `host` the name in its URL.
    """

    rule: str = "none"
    input: float | None = None
    output: float | None = None
    read: float = 1.0
    write: float = 1.0
    minimum: int = 0
    granularity: int = 1
    lifetime: float | None = None
    backend: str = ""
    host: str = ""

    def too_short(self, size: int) -> bool:
        """Whether a body of `size` bytes is surely below what the upstream caches."""
        return size < SHORTEST * self.minimum
