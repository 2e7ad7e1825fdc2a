"""Whether a request can be offered a tool of ours, and how each dialect defines one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Call, Dialect
from policies.base.fingerprint import FORM
from policies.base.prompt_parts import MARKS
from policies.base.spans import members

DESCRIPTION = (
    "Gives the whole original text of a tool result of which only an extract stands in this "
    "conversation. Call it with the id that the extract names, whenever something is needed "
    "that the extract does not show. The original is exactly what the tool returned."
)
_PARAMETERS = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "As the extract names it."},
        "offset": {
            "type": "integer",
            "description": "The character to begin at, 0 by default; for very long originals.",
        },
        "length": {
            "type": "integer",
            "description": "How many characters to give at most, for a part of the original.",
        },
    },
    "required": ["id"],
    "additionalProperties": False,
}
_MARKS = tuple(f'"{mark}"'.encode() for mark in MARKS)
_MOST = 128  # tools that OpenAI takes in one request (its API reference, `tools`)
_ABSENT = msgspec.Raw(b"")
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Function(msgspec.Struct, gc=False):
    name: str | None = None


class _Tool(msgspec.Struct, gc=False):
    name: str | None = None
    function: _Function | None = None


class _Top(msgspec.Struct, gc=False):
    """What decides it."""

    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    tools: list[_Tool] | None = None
    tool_choice: Any = None
    functions: msgspec.Raw = _ABSENT
    n: int | None = None
    background: bool | None = None
    conversation: Any = None


_top = msgspec.json.Decoder(_Top).decode
_encode = msgspec.json.Encoder().encode


class Offer(NamedTuple):
    """`why` not, "" if it can be. `free`: the model may call any tool in this turn."""

    why: str
    free: bool = True


def offer(call: Call, name: str) -> Offer:
    """A function of what stays the same in a conversation, so that its tools stay the same."""
    if call.dialect not in _DEFINED:
        return Offer("not a dialect with tools")
    try:
        top = _top(call.body.raw)
    except _MALFORMED:
        return Offer("a shape to leave alone")
    return Offer(next(_reasons(call, top, name), ""), _is_free(top.tool_choice))


def _reasons(call: Call, top: _Top, name: str) -> Iterator[str]:
    """Why not; each is looked for only if there is none before it."""
    if not top.tools:
        yield "no tools"
        return
    said = bytes(top.input if call.dialect is Dialect.RESPONSES else top.messages)
    if said[:1] != b"[" and (said[:1] != b'"' or call.dialect is not Dialect.RESPONSES):
        yield "no messages"
    if len(top.tools) >= _MOST:
        yield "as many tools as a provider takes"
    if any(name in (tool.name, tool.function and tool.function.name) for tool in top.tools):
        yield f"the client has a tool of the name {name}"
    if top.functions is not _ABSENT or (top.n or 1) > 1:
        yield "calls of tools could not be told apart"
    if top.background or top.conversation:
        yield "the provider keeps the conversation"
    if any(mark in call.body.raw for mark in _MARKS):
        yield "the client marks what is cached"
    if call.body.digest(FORM) is None:
        yield "not strict JSON"


def _is_free(choice: Any) -> bool:
    kind = choice.get("type") if isinstance(choice, dict) else choice
    return kind is None or kind == "auto"


def defined(dialect: Dialect, name: str) -> bytes:
    """The JSON text of the tool's definition."""
    return _encode(_DEFINED[dialect](name))


def _chat(name: str) -> dict[str, Any]:
    function = {"name": name, "description": DESCRIPTION, "parameters": _PARAMETERS}
    return {"type": "function", "function": function}


def _messages(name: str) -> dict[str, Any]:
    return {"name": name, "description": DESCRIPTION, "input_schema": _PARAMETERS}


def _responses(name: str) -> dict[str, Any]:
    # Not strict: there every parameter would be required.
    function = {"name": name, "description": DESCRIPTION, "parameters": _PARAMETERS}
    return {"type": "function", **function, "strict": False}


_DEFINED = {Dialect.CHAT: _chat, Dialect.MESSAGES: _messages, Dialect.RESPONSES: _responses}


def with_tool(raw: bytes, definition: bytes) -> bytes:
    """A request whose list of tools, which is not empty, ends in this one."""
    lead = len(raw) - len(raw.lstrip())
    for key, start, end in members(raw[lead:]):
        if key == "tools":
            last = len(raw[: lead + end - 1].rstrip())
            if raw[lead + start : lead + start + 1] != b"[":
                break
            return b"".join((raw[:last], b",", definition, raw[last:]))
    raise ValueError("no list of tools")
