"""`responses`: reading the request and writing the reply; its events are in their own file.

No conversation is kept: `previous_response_id` is taken as a part of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxy.simulation.choice import choose
from proxy.simulation.exchange import Exchange
from proxy.simulation.fields import Invalid, integer, need, number, objects, take
from proxy.simulation.prompt import Prompt
from proxy.simulation.script import Script, lifetime, spoken, text_of, unmarked
from proxy.simulation.tokens import Encode
from proxy.simulation.turn import Ask, End, Tool, ToolCall, Turn

_roles = {"system", "developer", "user", "assistant"}
_echoed: dict[str, Any] = {  # the request's fields that the reply repeats, with their defaults
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "previous_response_id": None,
    "prompt_cache_key": None,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_p": 1.0,
    "truncation": "disabled",
}


def read(doc: dict[str, Any], encode: Encode) -> list[Ask]:
    """What the request asks. Raises `Invalid`."""
    model = need(doc, "model", str)
    given = need(doc, "input", str, list)
    definitions = objects(take(doc, "tools", list) or [], "tools")
    tools, choice = choose(tuple(_tools(definitions)), doc.get("tool_choice"))
    script = Script(encode)
    script.tools(tool for _, tool in definitions)
    schema = _format(doc, script)
    if (instructions := take(doc, "instructions", str)) is not None:
        script.open("system")
        script.add(instructions)
    if (previous := take(doc, "previous_response_id", str)) is not None:
        script.add(f"<|previous|>{previous}")
    message = {"type": "message", "role": "user", "content": given}
    items = [("", message)] if isinstance(given, str) else objects(given, "input")
    texts = [_item(script, at, item) for at, item in items] or [("", "")]
    number(doc, "temperature", 0, 2)
    options = take(doc, "prompt_cache_options", dict) or {}
    ask = Ask(
        model=model,
        prompt=Prompt(
            tuple(script.segments),
            implicit=options.get("mode") != "explicit",
            lifetime=lifetime(doc, "prompt_cache_options"),
        ),
        last=texts[-1][0],
        named_in=texts[-1][1],
        tools=tools,
        choice=choice,
        parallel=take(doc, "parallel_tool_calls", bool) is not False,
        schema=schema,
        limit=integer(doc, "max_output_tokens", 1),
    )
    return [ask]


def _tools(definitions: list[tuple[str, dict[str, Any]]]) -> Iterator[Tool]:
    for at, tool in definitions:
        if need(tool, "type", str, at=at) == "function":
            yield Tool(need(tool, "name", str, at=at), take(tool, "parameters", dict, at=at))


def _format(doc: dict[str, Any], script: Script) -> Any:
    """The schema that the answer must keep to, or None; rendered before the input."""
    wanted = take(take(doc, "text", dict) or {}, "format", dict, at="text.") or {}
    if wanted.get("type") == "json_object":
        return {"properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    if wanted.get("type") != "json_schema":
        return None
    script.add("<|format|>" + unmarked(wanted))
    return take(wanted, "schema", dict, at="text.format.") or {}


def _item(script: Script, at: str, item: dict[str, Any]) -> tuple[str, str]:
    """Render an input item; the text to take up, and the text that may name tools."""
    kind = item.get("type", "message")
    if kind == "message":
        return _message(script, at, item)
    if kind == "function_call":
        script.open("assistant")
        script.call(need(item, "name", str, at=at), need(item, "arguments", str, at=at))
        return "", ""
    if kind == "function_call_output":
        output = need(item, "output", str, list, at=at)
        parts = [] if isinstance(output, str) else objects(output, at + "output")
        text = output if isinstance(output, str) else "\n".join(text_of(p) for _, p in parts)
        script.open("tool")
        script.add(text, item, at)
        script.close()
        return text, ""
    script.add(unmarked(item), item, at)
    return "", ""


def _message(script: Script, at: str, item: dict[str, Any]) -> tuple[str, str]:
    role = need(item, "role", str, at=at)
    if role not in _roles:
        raise Invalid(f"Invalid value: '{role}'.", at + "role")
    content = need(item, "content", str, list, at=at)
    script.open(role)
    text = script.content(content, at)
    if role == "user":
        script.close()
    return text, text if role == "user" else ""


def heard(turn: Turn, encode: Encode) -> bytes:
    """The tokens of the answer as the next prompt holds them."""
    return spoken(encode, turn.text, [(call.name, call.arguments) for call in turn.calls])


def whole(x: Exchange) -> dict[str, Any]:
    """The finished `response`."""
    [turn] = x.turns
    cut = turn.end is End.LENGTH
    return {
        **opening(x),
        "status": "incomplete" if cut else "completed",
        "completed_at": None if cut else x.created,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output(x),
        "usage": _usage(x),
    }


def opening(x: Exchange) -> dict[str, Any]:
    """The `response` before there is any output."""
    text = x.doc.get("text") or {}
    echoed = {name: x.doc.get(name, default) for name, default in _echoed.items()}
    return {
        "id": x.id("resp_"),
        "object": "response",
        "created_at": x.created,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": x.asks[0].model,
        "output": [],
        "parallel_tool_calls": x.asks[0].parallel,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": x.doc.get("store", True),
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "tools": [_tool(tool) for tool in x.doc.get("tools") or []],
        **echoed,
        "usage": None,
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in tool.items() if key != "cache_control"}
    return {"parameters": None, "strict": True, **shown} if tool["type"] == "function" else shown


def output(x: Exchange) -> list[dict[str, Any]]:
    """The output items: a message, or function calls."""
    [turn] = x.turns
    last = len(turn.calls) - 1
    if turn.calls:
        return [
            call_item(x, place, call, done=turn.end is not End.LENGTH or place < last)
            for place, call in enumerate(turn.calls)
        ]
    return [message_item(x, turn)]


def message_item(x: Exchange, turn: Turn) -> dict[str, Any]:
    """The message with the whole text."""
    return {
        "id": x.id("msg_"),
        "type": "message",
        "status": "incomplete" if turn.end is End.LENGTH else "completed",
        "role": "assistant",
        "content": [text_part(turn.text)],
    }


def text_part(text: str) -> dict[str, Any]:
    """A content part."""
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def call_item(x: Exchange, place: int, call: ToolCall, *, done: bool) -> dict[str, Any]:
    """A function call with its arguments."""
    return {
        "id": x.id("fc_", place),
        "type": "function_call",
        "status": "completed" if done else "incomplete",
        "arguments": call.arguments,
        "call_id": x.id("call_", place),
        "name": call.name,
    }


def _usage(x: Exchange) -> dict[str, Any]:
    charge = x.charge
    return {
        "input_tokens": charge.total,
        "input_tokens_details": {
            "cached_tokens": charge.read,
            "cache_write_tokens": charge.write,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": charge.write - charge.long,
                "ttl_12h_tokens": charge.long,
            },
        },
        "output_tokens": x.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": charge.total + x.output,
    }
