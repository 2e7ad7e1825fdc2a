"""`embeddings`: unit vectors by feature hashing, so that texts with common words are near."""

from __future__ import annotations

import re
from array import array
from base64 import b64encode
from hashlib import blake2b
from math import sqrt
from typing import Any

from proxy.simulation.completions import prompts
from proxy.simulation.fields import Invalid, integer, need, take
from proxy.simulation.tokens import Encode, count

_MOST = 2048  # inputs in one request
_word = re.compile(r"\w+")


def embed(doc: dict[str, Any], encode: Encode) -> dict[str, Any]:
    """The reply to a request. Raises `Invalid`."""
    model = need(doc, "model", str)
    inputs = prompts(need(doc, "input", str, list), "input", encode)
    if len(inputs) > _MOST:
        raise Invalid(f"Invalid 'input': more than {_MOST} inputs.", "input")
    if not all(text for text, _ in inputs):
        raise Invalid("Invalid 'input': input cannot be an empty string.", "input")
    form = take(doc, "encoding_format", str) or "float"
    if form not in ("float", "base64"):
        raise Invalid(f"Invalid value: '{form}'.", "encoding_format")
    size = integer(doc, "dimensions", 1, 8192) or (3072 if "large" in model else 1536)
    vectors = [vector(text, size) for text, _ in inputs]
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": b64encode(v.tobytes()).decode() if form == "base64" else v.tolist(),
        }
        for index, v in enumerate(vectors)
    ]
    tokens = sum(count(encoded) for _, encoded in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def vector(text: str, size: int) -> array[float]:
    """A unit vector of 32-bit floats; a text without a word gets one of its own."""
    values = [0.0] * size
    for word in _word.findall(text.lower()) or [text]:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        for at in range(0, 32, 4):
            slot = int.from_bytes(digest[at : at + 4])
            values[(slot >> 1) % size] += 1.0 if slot & 1 else -1.0
    length = sqrt(sum(value * value for value in values))
    if length == 0.0:  # opposite signs met in a very short vector
        values[0] = length = 1.0
    return array("f", [value / length for value in values])
