"""Log probabilities that look like a model's, from the token alone."""

from __future__ import annotations

from zlib import crc32

from proxy.simulation.words import WORDS


def spread(token: str, top: int) -> list[tuple[str, float]]:
    """The token and less likely others, `top` in all, with natural logarithms."""
    seed = crc32(token.encode("utf-8", "surrogatepass"))
    found = {token: -(seed % 500) / 1000}
    for step in range(top - 1):
        found.setdefault(" " + WORDS[(seed + 7 * step) % len(WORDS)], -2.0 - step / 2)
    return list(found.items())
