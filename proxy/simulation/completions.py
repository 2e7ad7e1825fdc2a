"""`completions`: one or many prompts, as text or token ids."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from proxy.simulation.exchange import Exchange
from proxy.simulation.fields import Invalid, check, integer, need, number, strings, take
from proxy.simulation.logprobs import spread
from proxy.simulation.prompt import Prompt, Segment
from proxy.simulation.tokens import Encode, from_ids, pieces
from proxy.simulation.turn import Ask, End, Turn
from proxy.simulation.wire import Frame, data, ended

_ends = {End.STOP: "stop", End.STOP_SEQUENCE: "stop", End.LENGTH: "length", End.TOOLS: "stop"}


def read(doc: dict[str, Any], encode: Encode) -> list[Ask]:
    """One ask for each prompt. Raises `Invalid`."""
    limit = integer(doc, "max_tokens", 0)
    number(doc, "temperature", 0, 2)
    integer(doc, "logprobs", 0, 5)
    take(doc, "stream_options", dict)
    suffix = take(doc, "suffix", str) or ""
    common = Ask(
        model=need(doc, "model", str),
        prompt=Prompt(()),
        last="",
        limit=16 if limit is None else limit,
        stops=strings(doc, "stop"),
        seed=integer(doc, "seed", -(2**63)),
        n=integer(doc, "n", 1, 128) or 1,
    )
    echo = take(doc, "echo", bool) or False
    asks = []
    for text, tokens in prompts(need(doc, "prompt", str, list), "prompt", encode):
        segments = [Segment(tokens), *([Segment(encode(suffix))] if suffix else [])]
        asks.append(
            msgspec.structs.replace(
                common,
                prompt=Prompt(tuple(segments)),
                last=text[-200:],
                echo=text if echo else "",
            )
        )
    return asks


def prompts(value: Any, path: str, encode: Encode) -> list[tuple[str, bytes]]:
    """`(text, tokens)` of a string, a list of strings, token ids or lists of token ids.

    Token ids have no text here; each is written as its number. Raises `Invalid`.
    """
    if isinstance(value, str):
        return [(value, encode(value))]
    if not value:
        raise Invalid(f"Invalid '{path}': empty array.", path, "empty_array")
    if isinstance(value[0], int):
        ids = [check(item, f"{path}[{i}]", int) for i, item in enumerate(value)]
        if not all(0 <= item < 2**32 for item in ids):
            raise Invalid(f"Invalid '{path}': not a token id.", path)
        return [(" ".join(map(str, ids)), from_ids(ids))]
    found = []
    for i, item in enumerate(value):
        found += prompts(check(item, f"{path}[{i}]", str, list), f"{path}[{i}]", encode)
    return found


def heard(turn: Turn, encode: Encode) -> bytes:
    """The tokens that the answer adds to the text of its prompt."""
    return encode(turn.text)


def whole(x: Exchange) -> dict[str, Any]:
    """The `text_completion`."""
    choices = [
        {
            "text": "".join(shown),
            "index": index,
            "logprobs": _logprobs(x, shown, 0),
            "finish_reason": end,
        }
        for index, (shown, end) in enumerate(_shown(x))
    ]
    return {**_head(x), "choices": choices, "usage": x.usage()}


def _shown(x: Exchange) -> Iterator[tuple[list[str], str]]:
    """`(tokens, finish reason)` of each choice, the echo of its prompt included."""
    for ask, turns in zip(x.asks, x.said, strict=True):
        for turn in turns:
            yield [*pieces(ask.echo), *turn.pieces], _ends[turn.end]


def _head(x: Exchange) -> dict[str, Any]:
    return {
        "id": x.id("cmpl-"),
        "object": "text_completion",
        "created": x.created,
        "model": x.asks[0].model,
        "system_fingerprint": "fp_simulated",
    }


def _logprobs(x: Exchange, pieces: list[str], offset: int) -> dict[str, Any] | None:
    top = integer(x.doc, "logprobs", 0, 5)
    if top is None:
        return None
    spreads = [spread(piece, max(top, 1)) for piece in pieces]
    offsets = []
    for piece in pieces:
        offsets.append(offset)
        offset += len(piece)
    return {
        "tokens": pieces,
        "token_logprobs": [row[0][1] for row in spreads],
        "top_logprobs": [dict(row[:top]) for row in spreads],
        "text_offset": offsets,
    }


def stream(x: Exchange) -> Iterator[Frame]:
    """The chunks; the choices take turns."""
    return ended(_chunks(x))


def _chunks(x: Exchange) -> Iterator[Frame]:
    options = take(x.doc, "stream_options", dict) or {}
    include = options.get("include_usage") is True
    head = _head(x)
    tail = {"usage": None} if include else {}
    for row in zip_longest(*(_deltas(x, i, *shown) for i, shown in enumerate(_shown(x)))):
        for choice in filter(None, row):
            token = choice["finish_reason"] is None
            yield data({**head, "choices": [choice], **tail}, token=token)
    if include:
        yield data({**head, "choices": [], "usage": x.usage()})


def _deltas(x: Exchange, index: int, shown: list[str], end: str) -> Iterator[dict[str, Any]]:
    offset = 0
    for piece in shown:
        logprobs = _logprobs(x, [piece], offset)
        offset += len(piece)
        yield {"text": piece, "index": index, "logprobs": logprobs, "finish_reason": None}
    yield {"text": "", "index": index, "logprobs": None, "finish_reason": end}
