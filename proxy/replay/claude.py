"""OpenAI chat requests in the form of Anthropic's `messages`, so that marks can be replayed.

Follows Anthropic's notes on migrating from OpenAI: `system` on top, tools with `input_schema`,
calls as `tool_use` blocks, results as `tool_result` blocks of the next user message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

MAX_TOKENS = 4096  # the field is required there, and optional in chat
_KEPT = ("temperature", "top_p", "stream")


def request(doc: dict[str, Any]) -> dict[str, Any]:
    """The body of a `messages` request that says the same as a chat body."""
    system, rest = _split(doc["messages"])
    limit = doc.get("max_completion_tokens") or doc.get("max_tokens") or MAX_TOKENS
    made: dict[str, Any] = {"model": doc["model"], "max_tokens": limit}
    if doc.get("tools"):
        made["tools"] = [tool(one) for one in doc["tools"]]
    if system:
        made["system"] = system[0]["text"] if len(system) == 1 else system
    made["messages"] = messages(rest)
    return made | {name: doc[name] for name in _KEPT if name in doc}


def tool(one: dict[str, Any]) -> dict[str, Any]:
    """A tool's definition."""
    function = one.get("function", one)
    made = {"name": function.get("name"), "description": function.get("description", "")}
    return made | {"input_schema": function.get("parameters") or {"type": "object"}}


def messages(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages; results that follow each other share one user message."""
    made: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in found:
        role = message.get("role")
        if role in ("tool", "function"):
            if results is None:
                results = []
                made.append({"role": "user", "content": results})
            results.append(_result(message))
            continue
        results = None
        if role == "assistant":
            made.append({"role": role, "content": said(message)})
        else:
            kept = "system" if role in ("system", "developer") else role
            made.append({"role": kept, "content": message.get("content") or ""})
    return made


def said(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The content blocks of an assistant's message."""
    blocks = _texts(message.get("content"))
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        use = {"type": "tool_use", "id": call.get("id", ""), "name": function.get("name", "")}
        blocks.append({**use, "input": _input(function.get("arguments"))})
    return blocks


def _split(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The blocks of the leading system messages, and the other messages."""
    system: list[dict[str, Any]] = []
    for index, message in enumerate(found):
        if message.get("role") not in ("system", "developer"):
            return system, found[index:]
        system += _texts(message.get("content"))
    return system, []


def _texts(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content or [])


def _result(message: dict[str, Any]) -> dict[str, Any]:
    name = message.get("tool_call_id") or message.get("name") or ""
    return {"type": "tool_result", "tool_use_id": name, "content": message.get("content") or ""}


def _input(arguments: Any) -> dict[str, Any]:
    """A call's arguments as an object; empty where they are none."""
    try:
        made = msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
    except msgspec.MsgspecError:
        return {}
    return made if isinstance(made, dict) else {}
