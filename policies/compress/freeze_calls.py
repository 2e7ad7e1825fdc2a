"""Which call a tool's result answers: its tool's name and arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Dialect

_encode = msgspec.json.Encoder().encode
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ToolCall(NamedTuple):
    """`arguments` as JSON text, or whatever text a custom tool takes."""

    name: str
    arguments: str


def tool_call(dialect: Dialect, earlier: Sequence[bytes], call: str) -> ToolCall | None:
    """The latest call of that id in the messages before its result; None where there is none."""
    if not call:
        return None
    sign = _encode(call)
    for raw in reversed(earlier):
        if sign not in raw:
            continue
        try:
            message = msgspec.json.decode(raw)
        except _MALFORMED:
            continue
        for found, name, arguments in _calls(dialect, message):
            if found == call and isinstance(name, str):
                text = arguments if isinstance(arguments, str) else _encode(arguments).decode()
                return ToolCall(name, text)
    return None


def _calls(dialect: Dialect, message: Any) -> Iterator[tuple[Any, Any, Any]]:
    """`(id, name, arguments)` of the calls in a message."""
    if not isinstance(message, dict):
        return
    if dialect is Dialect.RESPONSES:
        kind = message.get("type")
        if kind in ("function_call", "custom_tool_call"):
            given = message.get("arguments" if kind == "function_call" else "input")
            yield message.get("call_id"), message.get("name"), given
        return
    listed = message.get("tool_calls" if dialect is Dialect.CHAT else "content")
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict):
            continue
        if dialect is Dialect.CHAT:
            function = each.get("function")
            if isinstance(function, dict):
                yield each.get("id"), function.get("name"), function.get("arguments")
        elif each.get("type") == "tool_use":
            yield each.get("id"), each.get("name"), each.get("input")
