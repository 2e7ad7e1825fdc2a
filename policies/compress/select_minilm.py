"""all-MiniLM-L6-v2, or any BERT encoder that sentence-transformers averages, run by numpy.

The weights are read from `model.safetensors`, the words from `tokenizer.json`, the shape from
`config.json`, as they stand in a folder of that model. Six layers of 384 numbers need no more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

_LONGEST = 256  # tokens of a text that count, as the model's own settings say
_BATCH = 16_384  # tokens at a time, padding included
_FILES = ("config.json", "model.safetensors", "tokenizer.json")
_MASKED = -1e9
_ROWS, _COLUMNS = (0, 2, 1, 3), (0, 2, 3, 1)  # of text, place, head and number
# erf by Abramowitz and Stegun 7.1.26, to 1.5e-7
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


class Shape(msgspec.Struct, frozen=True):
    """What is read of `config.json`."""

    num_attention_heads: int
    num_hidden_layers: int
    model_type: str = "bert"
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12


class MiniLM:
    """Embeds texts. Loading takes a second, 1,000 tokens about another of one core.

    Raises `ModuleNotFoundError` where numpy or tokenizers are not installed, `ValueError`
    with what to do where the folder holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        import numpy  # noqa: PLC0415, ICN001 - heavy: only where it is needed
        import tokenizers  # noqa: PLC0415 - the same

        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise ValueError(f"no {' and no '.join(missing)} in {folder}")
        self._np = numpy
        self._shape = _shape(folder / "config.json")
        if (self._shape.model_type, self._shape.hidden_act) != ("bert", "gelu"):
            raise ValueError(f"the model in {folder} is no BERT encoder")
        self._weights = _weights(folder / "model.safetensors", numpy)
        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_LONGEST)

    def embed(self, texts: Sequence[str]) -> Any:
        """An array of one row of length 1 for each text: their products are cosines."""
        encoded = [each.ids for each in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda place: len(encoded[place]))
        size = self._weights["embeddings.LayerNorm.weight"].size
        found = self._np.empty((len(texts), size), self._np.float32)
        while order:
            widest = len(encoded[order[-1]])
            places = order[-max(1, _BATCH // widest) :]
            del order[-len(places) :]
            found[places] = self._encoded([encoded[place] for place in places])
        return found

    def _encoded(self, rows: Sequence[Sequence[int]]) -> Any:
        np, weights = self._np, self._weights
        width = max(map(len, rows))
        ids = np.zeros((len(rows), width), np.int64)
        mask = np.zeros((len(rows), width), np.float32)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        words, places, kinds = (
            weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        )
        state = self._norm("embeddings", words[ids] + places[:width] + kinds[0])
        masked = (1 - mask)[:, None, None, :] * _MASKED
        for layer in range(self._shape.num_hidden_layers):
            state = self._layer(f"encoder.layer.{layer}", state, masked)
        mean = (state * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def _layer(self, name: str, state: Any, masked: Any) -> Any:
        np, heads = self._np, self._shape.num_attention_heads
        count, width, size = state.shape
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", state)
            .reshape(count, width, heads, size // heads)
            .transpose(axes)
            for part, axes in (("query", _ROWS), ("key", _COLUMNS), ("value", _ROWS))
        )
        # Laid out anew, since products of what lies scattered are a hundred times slower.
        whole = np.ascontiguousarray
        scores = whole(query) @ whole(key)
        scores /= np.float32((size // heads) ** 0.5)
        scores += masked
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        seen = (scores @ whole(value)).transpose(_ROWS).reshape(count, width, size)
        seen = self._linear(f"{name}.attention.output.dense", seen)
        state = self._norm(f"{name}.attention.output", state + seen)
        inner = self._gelu(self._linear(f"{name}.intermediate.dense", state))
        return self._norm(f"{name}.output", state + self._linear(f"{name}.output.dense", inner))

    def _linear(self, name: str, state: Any) -> Any:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        flat = state.reshape(-1, state.shape[-1]) @ weight.T
        flat += bias
        return flat.reshape(*state.shape[:-1], -1)

    def _norm(self, name: str, state: Any) -> Any:
        scale = self._weights[f"{name}.LayerNorm.weight"]
        shift = self._weights[f"{name}.LayerNorm.bias"]
        centred = state - state.mean(-1, keepdims=True)
        spread = self._np.sqrt((centred**2).mean(-1, keepdims=True) + self._shape.layer_norm_eps)
        return centred / spread * scale + shift

    def _gelu(self, state: Any) -> Any:
        np = self._np
        size = np.abs(state)
        size *= np.float32(0.5**0.5)
        step = 1 / (1 + np.float32(0.3275911) * size)
        tail = np.zeros_like(step)
        for term in _ERF:
            tail += np.float32(term)
            tail *= step
        np.multiply(size, -size, out=size)
        tail *= np.exp(size, out=size)
        np.subtract(1, tail, out=tail)  # erf of the size
        np.copysign(tail, state, out=tail)
        tail += 1
        tail *= state
        tail *= np.float32(0.5)
        return tail


def _shape(path: Path) -> Shape:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Shape)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from None


def _weights(path: Path, np: Any) -> dict[str, Any]:
    """The arrays of a safetensors file: a length, a JSON header, and numbers one after another.

    Mapped, not read. Raises `ValueError` where they are not 32-bit.
    """
    data = np.memmap(path, np.uint8, "r")
    length = int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8 : 8 + length].tobytes())
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in ("F32", "I64"):
            raise ValueError(f"{path} holds {entry['dtype']} numbers; 32-bit ones are needed")
        start, end = (8 + length + place for place in entry["data_offsets"])
        kind = np.float32 if entry["dtype"] == "F32" else np.int64
        found[name.removeprefix("bert.")] = data[start:end].view(kind).reshape(entry["shape"])
    return found
