"""Whether a request can be offered a tool of ours, and how each dialect defines one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Call, Dialect
from policies.base.errors import MalformedBody
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
_TRIES = 8  # places where the list's name stands that are looked at
_MALFORMED = (MalformedBody, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Tools(msgspec.Struct, gc=False):
    tools: msgspec.Raw


_tools = msgspec.json.Decoder(_Tools).decode
_encode = msgspec.json.Encoder().encode
_opening = re.compile(rb'"tools"\s*:\s*(?=\[)')
_WHITE = b" \t\n\r"
_WIDE = 64  # bytes of white space in which the sign before a name is looked for


class Offer(NamedTuple):
    """`why` not, "" if it can be. `free`: the model may call any tool in this turn."""

    why: str
    free: bool = True


def offer(call: Call, name: str) -> Offer:
    """A function of what stays the same in a conversation, so that its tools stay the same."""
    if call.dialect not in _DEFINED:
        return Offer("not a dialect with tools")
    try:
        if call.body.digest(FORM) is None:
            return Offer("not strict JSON")
        doc = call.doc()
    except _MALFORMED:
        return Offer("a shape to leave alone")
    return Offer(next(_reasons(call, doc, name), ""), _is_free(doc.get("tool_choice")))


def _reasons(call: Call, doc: Mapping[str, Any], name: str) -> Iterator[str]:
    """Why not; each is looked for only if there is none before it."""
    responses, tools = call.dialect is Dialect.RESPONSES, doc.get("tools")
    if not tools:
        yield "no tools"
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        yield "a shape to leave alone"
    if not isinstance(doc.get("input" if responses else "messages"), (list, str)[: 1 + responses]):
        yield "no messages"
    if len(tools) >= _MOST:
        yield "as many tools as a provider takes"
    # Tools have names in many places, by their kinds, of which there will be more.
    if f'"{name}"'.encode() in _encode((tools, doc.get("mcp_servers"))):
        yield f"the client has a tool of the name {name}"
    if "functions" in doc or doc.get("n") not in (None, 1):
        yield "calls of tools could not be told apart"
    if doc.get("background") or doc.get("conversation"):
        yield "the provider keeps the conversation"
    if any(map(call.body.holds, _MARKS)):
        yield "the client marks what is cached"


def _is_free(choice: Any) -> bool:
    kind = choice.get("type") if isinstance(choice, dict) else choice
    return kind is None or kind == "auto"


def definitions(name: str) -> dict[Dialect, bytes]:
    """The JSON text of the tool's definition in each dialect that has tools."""
    return {dialect: _encode(defined(name)) for dialect, defined in _DEFINED.items()}


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
    last = _end(raw) - 1
    while raw[last - 1] in _WHITE:
        last -= 1
    both = memoryview(raw)
    return b"".join((both[:last], b",", definition, both[last:]))


def _end(raw: bytes) -> int:
    """Where the list of tools ends.

    It stands behind the messages mostly, so its name is looked for from the end: it is the
    request's own if what follows closes just one object.
    """
    at = len(raw)
    for _ in range(_TRIES):
        at = raw.rfind(b'"tools"', 0, at)
        if at < 0:
            break
        found = _opening.match(raw, at)
        if found is None or raw[max(0, at - _WIDE) : at].rstrip()[-1:] not in (b"{", b","):
            continue
        try:
            return found.end() + len(memoryview(_tools(b"{" + raw[at:]).tools))
        except _MALFORMED:
            continue
    lead = len(raw) - len(raw.lstrip())
    for key, start, end in members(raw[lead:]):
        if key == "tools" and raw[lead + start : lead + start + 1] == b"[":
            return lead + end
    raise ValueError("no list of tools")
