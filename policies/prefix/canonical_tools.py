"""When two tool lists are the same set of tools."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Literal

import msgspec

from policies.base.call import Dialect
from policies.base.canonical import every_key_once, parse
from policies.base.errors import MalformedBody
from policies.prefix.canonical_memo import Recent
from policies.prefix.canonical_outline import is_text, items

MARKS = (b'"cache_control"', b'"prompt_cache_breakpoint"', b'"cachePoint"')

_sorted = msgspec.json.Encoder(order="sorted").encode
_in_order = msgspec.json.Encoder().encode
_ORDERED = "properties"  # what a model writes follows the order of these

# In which tools the order of properties counts: a function of the Responses API is strict
# unless it says otherwise, one of other dialects only if it says so.
_Order = Literal["strict", "if strict", "unless loose"]


class _Tool(msgspec.Struct, frozen=True, gc=False):
    """`name` tells tools apart; `identity` is equal for tools that mean the same."""

    name: tuple[str, str]
    identity: bytes


class ToolSets:
    """Remembers the identity of tools by their text, since they come in every request."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of tools to remember."""
        self._tools: Recent[tuple[bytes, _Order], tuple[_Tool | None]] = Recent(limit)

    def key(self, text: bytes, dialect: Dialect, *, forced: bool = False) -> bytes | None:
        """32 bytes that are equal for equal sets of tools, whatever order they stand in.

        None where the list must be left alone: a shape that is not known, two tools of one
        name, a client's cache mark, or a repeated key. `forced`: the order of properties
        counts in all tools, not only in those that are strict.
        """
        listed = items(text)
        if listed is None or not listed[0]:
            return None
        order: _Order = "strict"
        if not forced:
            order = "unless loose" if dialect is Dialect.RESPONSES else "if strict"
        tools = [self._tool(raw, order) for raw in listed[0]]
        known = [tool for tool in tools if tool is not None]
        if len(known) < len(tools) or len({tool.name for tool in known}) < len(tools):
            return None
        return sha256(b"".join(sorted(tool.identity for tool in known))).digest()

    def _tool(self, raw: bytes, order: _Order) -> _Tool | None:
        found = self._tools.get((raw, order))
        if found is None:
            found = (_read(raw, order),)
            self._tools.put((raw, order), found, len(raw))
        return found[0]


def _read(raw: bytes, order: _Order) -> _Tool | None:
    parsed = parse(raw) if is_text((raw,)) else None
    if parsed is None or not isinstance(parsed.doc, dict):
        return None
    doc = parsed.doc
    name = _name(doc)
    text = _sorted(doc)
    if name is None or any(mark in text for mark in MARKS):
        return None
    try:
        if not every_key_once(raw):
            return None
    except (MalformedBody, ValueError, RecursionError):
        return None
    parts = [text]
    if order == "strict" or _is_strict(doc, order):
        parts += _orders(doc)
    return _Tool(name, sha256(b"\0".join(parts)).digest())


def _name(doc: dict[str, Any]) -> tuple[str, str] | None:
    """`(type, name)`; None where a tool has no name, since nothing then tells it apart."""
    kind = doc.get("type", "")
    inner = doc.get(kind) if kind in ("function", "custom") else None
    name = (
        inner.get("name") if isinstance(inner, dict) else doc.get("name", doc.get("server_label"))
    )
    if name is None and isinstance(kind, str) and kind not in ("", "function", "custom"):
        name = ""  # a tool of the provider's own, such as web search: one of a kind
    return (kind, name) if isinstance(kind, str) and isinstance(name, str) else None


def _is_strict(doc: dict[str, Any], order: _Order) -> bool:
    inner = doc.get("function")
    said = doc.get("strict", inner.get("strict") if isinstance(inner, dict) else None)
    if said is None:
        return order == "unless loose"
    return said is not False


def _orders(value: Any) -> Iterator[bytes]:
    """The order of the properties of every schema within, met in a fixed order."""
    if isinstance(value, list):
        for each in value:
            yield from _orders(each)
    elif isinstance(value, dict):
        named = value.get(_ORDERED)
        if isinstance(named, dict):
            yield _in_order(list(named))
        for key in sorted(value):
            yield from _orders(value[key])
