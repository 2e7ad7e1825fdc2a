"""The text of requests and replies that is billed as tokens, for each dialect.

Images, audio and files are left out: their price does not follow from their bytes.
Documents come from clients: whatever is not of the expected type is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policies.base.call import Dialect

# Overheads of the chat format, from OpenAI's cookbook "How to count tokens with tiktoken".
_PER_MESSAGE = 3
_PER_NAME = 1
_PRIMING = 3  # every reply is opened with <|start|>assistant<|message|>

_DEEPEST = 16
_FIELDS = (  # of messages, parts, blocks and items; strings count, lists and objects are entered
    "content",
    "text",
    "refusal",
    "reasoning_content",
    "reasoning",
    "thinking",
    "name",
    "arguments",
    "output",
    "summary",
    "title",
    "context",
    "tool_calls",
    "function_call",
    "function",
    "custom",
)
_SCHEMAS = {  # top-level fields that are billed as the JSON they are
    Dialect.CHAT: ("tools", "functions", "response_format"),
    Dialect.RESPONSES: ("tools", "text"),
    Dialect.MESSAGES: ("tools", "output_config"),
}


def request_texts(dialect: Dialect, doc: Mapping[str, Any]) -> list[str]:
    """Every text of a request that is billed as input. Never raises."""
    found: list[str] = []
    match dialect:
        case Dialect.CHAT:
            _enter(doc.get("messages"), found)
        case Dialect.RESPONSES:
            _enter(doc.get("instructions"), found)
            _enter(doc.get("input"), found)
        case Dialect.MESSAGES:
            _enter(doc.get("system"), found)
            _enter(doc.get("messages"), found)
        case Dialect.COMPLETIONS:
            _enter(doc.get("prompt"), found)
            _enter(doc.get("suffix"), found)
        case Dialect.EMBEDDINGS:
            _enter(doc.get("input"), found)
        case Dialect.OPAQUE:
            pass
    found += [_json(doc[field]) for field in _SCHEMAS.get(dialect, ()) if doc.get(field)]
    return found


def request_extra(dialect: Dialect, doc: Mapping[str, Any]) -> int:
    """Input tokens that are no text: what frames each message, and tokens sent as numbers."""
    match dialect:
        case Dialect.CHAT | Dialect.MESSAGES:
            return _frames(doc.get("messages"))
        case Dialect.RESPONSES:
            items = doc.get("input")
            return _PER_MESSAGE + _PRIMING if isinstance(items, str) else _frames(items)
        case Dialect.COMPLETIONS:
            return _numbers(doc.get("prompt"))
        case Dialect.EMBEDDINGS:
            return _numbers(doc.get("input"))
        case Dialect.OPAQUE:
            return 0


def reply_texts(dialect: Dialect, doc: Mapping[str, Any]) -> list[str]:
    """Every text of a whole reply (not of a stream's event) that is billed as output."""
    found: list[str] = []
    match dialect:
        case Dialect.CHAT:
            for choice in _objects(doc.get("choices")):
                _enter(choice.get("message"), found)
        case Dialect.COMPLETIONS:
            _enter(doc.get("choices"), found)
        case Dialect.RESPONSES:
            _enter(doc.get("output"), found)
        case Dialect.MESSAGES:
            _enter(doc.get("content"), found)
        case Dialect.EMBEDDINGS | Dialect.OPAQUE:
            pass
    return found


def _enter(value: Any, found: list[str], depth: int = 0) -> None:
    """Collect the text of a string, a list or an object with the known fields."""
    if isinstance(value, str):
        if value:
            found.append(value)
    elif depth >= _DEEPEST:
        return
    elif isinstance(value, list):
        for item in value:
            _enter(item, found, depth + 1)
    elif isinstance(value, dict):
        for field in _FIELDS:
            if field in value:
                _enter(value[field], found, depth + 1)
        _input(value.get("input"), found)
        source = value.get("source")
        if isinstance(source, dict) and source.get("type") == "text":
            _enter(source.get("data"), found, depth + 1)


def _input(value: Any, found: list[str]) -> None:
    """The input of a tool call: text, or an object that is billed as JSON."""
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        found.append(_json(value))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _frames(messages: Any) -> int:
    framed = [item for item in _objects(messages) if "role" in item]
    if not framed:
        return 0
    names = sum(isinstance(message.get("name"), str) for message in framed)
    return _PER_MESSAGE * len(framed) + _PER_NAME * names + _PRIMING


def _numbers(value: Any) -> int:
    """How many token numbers a prompt or an input of embeddings holds."""
    if not isinstance(value, list):
        return 0
    inner = sum(_numbers(item) for item in value if isinstance(item, list))
    return inner + sum(isinstance(item, int) for item in value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return ""
