"""The text a model put out, for counting tokens where no usage was reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from policies.base.call import Dialect
from proxy.wire.document import dicts

Piece = tuple[tuple[Any, ...], str]


def texts(dialect: Dialect, docs: Iterable[dict[str, Any]]) -> list[str]:
    """One string per message part, tool call or thought, from a plain reply or its chunks.

    Pieces of one part are joined before they are counted, since tokens cross chunks.
    """
    pieces = _READERS.get(dialect)
    if pieces is None:
        return []
    parts: dict[tuple[Any, ...], list[str]] = {}
    for doc in docs:
        for key, text in pieces(doc):
            parts.setdefault(key, []).append(text)
    return [joined for part in parts.values() if (joined := "".join(part))]


def _chat(doc: dict[str, Any]) -> Iterator[Piece]:
    for choice in dicts(doc.get("choices")):
        index = str(choice.get("index"))
        for message in dicts([choice.get("message"), choice.get("delta")]):
            for name, value in message.items():
                if isinstance(value, str) and name != "role":
                    yield (index, name), value
            for call in dicts(message.get("tool_calls")):
                for text in _called(call):
                    yield (index, "tool", str(call.get("index", call.get("id")))), text
            for text in _called(message):
                yield (index, "function"), text


def _called(call: dict[str, Any]) -> Iterator[str]:
    for function in dicts([call.get("function"), call.get("custom"), call.get("function_call")]):
        yield from (text for text in function.values() if isinstance(text, str))


def _completions(doc: dict[str, Any]) -> Iterator[Piece]:
    for choice in dicts(doc.get("choices")):
        if isinstance(choice.get("text"), str):
            yield (str(choice.get("index")),), choice["text"]


_SPOKEN = ("text", "refusal", "name", "arguments", "input", "code")


def _responses(doc: dict[str, Any]) -> Iterator[Piece]:
    kind = doc.get("type")
    if isinstance(doc.get("delta"), str):
        where = (doc.get("output_index"), doc.get("content_index"), doc.get("summary_index"))
        yield (str(kind), str(where)), doc["delta"]
    for at, item in enumerate(dicts(doc.get("output"))):
        for part in (item, *dicts(item.get("content")), *dicts(item.get("summary"))):
            yield from (((at, name), part[name]) for name in _SPOKEN if _is_text(part, name))


def _messages(doc: dict[str, Any]) -> Iterator[Piece]:
    for delta in dicts([doc.get("delta")]):
        for name in ("text", "thinking", "partial_json"):
            if _is_text(delta, name):
                yield (str(doc.get("index")), name), delta[name]
    for at, block in enumerate(dicts(doc.get("content"))):
        for name in ("text", "thinking", "name"):
            if _is_text(block, name):
                yield (at, name), block[name]
        if isinstance(block.get("input"), dict):
            yield (at, "input"), msgspec.json.encode(block["input"]).decode()


def _is_text(part: dict[str, Any], name: str) -> bool:
    return isinstance(part.get(name), str)


_READERS = {
    Dialect.CHAT: _chat,
    Dialect.COMPLETIONS: _completions,
    Dialect.RESPONSES: _responses,
    Dialect.MESSAGES: _messages,
}
