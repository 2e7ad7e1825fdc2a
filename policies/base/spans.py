"""Where values lie in JSON text, so that an edit replaces its own bytes only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Path = tuple[str | int, ...]

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_key = re.compile(rb'(?:\{|\s*,)\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)
_gap = re.compile(rb"(?:\[|\s*,)\s*")
_token = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[:,]|[^\s"{}\[\]:,]+', re.DOTALL)


def members(text: bytes) -> Iterator[tuple[str | int, int, int]]:
    """`(key or index, start, end)` of each value of the outermost object or array.

    `text` must be valid JSON without leading white space or repeated keys.
    """
    listed = text[:1] == b"["
    values = enumerate(_array(text)) if listed else _object(text).items()
    before = _gap.match if listed else _key.match
    at = 0
    for key, raw in values:
        found = before(text, at)
        if found is None:
            raise ValueError("not the JSON text it was taken for")
        at = found.end()
        yield key, at, (at := at + len(memoryview(raw)))


def splice(text: bytes, values: Mapping[Path, Any]) -> bytes:
    """`text` with the value at each path replaced; raises `KeyError` for an absent path."""
    lead = len(text) - len(text.lstrip())
    cuts = sorted(_cuts(text[lead:], lead, {path: values[path] for path in values}))
    parts: list[bytes] = []
    at = 0
    for start, end, new in cuts:
        parts += [text[at:start], new]
        at = end
    return b"".join([*parts, text[at:]])


def _cuts(text: bytes, offset: int, values: dict[Path, Any]) -> Iterator[tuple[int, int, bytes]]:
    """`(start, end, replacement)` for each path, in coordinates of the outermost text."""
    below: dict[str | int, dict[Path, Any]] = {}
    for path, value in values.items():
        below.setdefault(path[0], {})[path[1:]] = value
    for key, start, end in members(text) if text[:1] in (b"{", b"[") else ():
        inner = below.pop(key, None)
        if inner is None:
            continue
        if () in inner:
            yield offset + start, offset + end, msgspec.json.encode(inner[()])
        else:
            yield from _cuts(text[start:end], offset + start, inner)
    if below:
        raise KeyError(next(iter(below)))


def outline(raw: bytes) -> dict[str, Any]:
    """The scalars at the top level of an object nested too deep to parse, by scanning.

    Raises `ValueError` when brackets do not match or the text is not an object.
    """
    found: dict[str, Any] = {}
    stack: list[bytes] = []
    key: str | None = None
    for match in _token.finditer(raw):
        token = match.group()
        if token in (b"{", b"["):
            stack.append(b"}" if token == b"{" else b"]")
        elif token in (b"}", b"]"):
            if not stack or stack.pop() != token:
                raise ValueError("brackets do not match")
            key = None if len(stack) == 1 else key
        elif len(stack) == 1 and token not in (b":", b","):
            if key is None:
                key = json.loads(token)
            else:
                found[key] = json.loads(token)
                key = None
    if stack or not raw.lstrip().startswith(b"{"):
        raise ValueError("not one JSON object")
    return found
