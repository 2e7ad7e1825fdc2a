"""Anthropic's `messages`: reading the request, writing the reply, plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from proxy.simulation.choice import choose
from proxy.simulation.exchange import Exchange
from proxy.simulation.fields import Invalid, integer, need, number, objects, strings, take
from proxy.simulation.marks import MARKS
from proxy.simulation.prompt import Prompt, Segment
from proxy.simulation.script import Script, lifetime, spoken, text_of, unmarked
from proxy.simulation.tokens import Encode
from proxy.simulation.turn import Ask, End, Tool, ToolCall, Turn
from proxy.simulation.wire import Frame, event

_ends = {
    End.STOP: "end_turn",
    End.STOP_SEQUENCE: "stop_sequence",
    End.LENGTH: "max_tokens",
    End.TOOLS: "tool_use",
}


def read(doc: dict[str, Any], encode: Encode) -> list[Ask]:
    """What the request asks. Raises `Invalid`."""
    model = need(doc, "model", str)
    messages = objects(need(doc, "messages", list), "messages")
    if not messages:
        raise Invalid("at least one message is required", "messages")
    definitions = objects(take(doc, "tools", list) or [], "tools")
    tools = tuple(_tools(definitions))
    chosen = take(doc, "tool_choice", dict)
    tools, choice = choose(tools, chosen)
    script = Script(encode)
    script.tools(tool for _, tool in definitions)
    script.open("system")
    script.content(take(doc, "system", str, list), "")
    texts = [_message(script, at, message) for at, message in messages]
    number(doc, "temperature", 0, 1)
    need(doc, "max_tokens", int)
    text, named_in = texts[-1]
    ask = Ask(
        model=model,
        prompt=Prompt(tuple(_marked(script.segments, doc))),
        last=text,
        named_in=named_in,
        tools=tools,
        choice=choice,
        parallel=not (chosen or {}).get("disable_parallel_tool_use"),
        schema=_format(doc),
        limit=integer(doc, "max_tokens", 0),
        stops=strings(doc, "stop_sequences"),
    )
    return [ask]


def _tools(definitions: list[tuple[str, dict[str, Any]]]) -> Iterator[Tool]:
    for at, tool in definitions:
        name = need(tool, "name", str, at=at)
        if tool.get("type") in (None, "custom"):
            yield Tool(name, need(tool, "input_schema", dict, at=at))


def _format(doc: dict[str, Any]) -> Any:
    """The schema of `output_config.format`, or None."""
    config = take(doc, "output_config", dict) or {}
    wanted = take(config, "format", dict, at="output_config.") or {}
    return wanted.get("schema") if wanted.get("type") == "json_schema" else None


def _message(script: Script, at: str, message: dict[str, Any]) -> tuple[str, str]:
    """Render a message; the text to take up, and the text that may name tools."""
    role = need(message, "role", str, at=at)
    if role not in ("user", "assistant", "system"):
        raise Invalid("Input should be 'user', 'assistant' or 'system'", at + "role")
    content = need(message, "content", str, list, at=at)
    script.open(role)
    texts: list[str] = []
    answered = False
    if isinstance(content, str):
        script.add(content)
        texts.append(content)
    else:
        for place, block in objects(content, at + "content"):
            answered = _block(script, place, block, texts) or answered
    if role == "user":
        script.close()
    text = "\n".join(texts)
    return text, text if role == "user" and not answered else ""


def _block(script: Script, at: str, block: dict[str, Any], texts: list[str]) -> bool:
    """Render a content block, add its text to `texts`; whether it is a tool's result."""
    kind = need(block, "type", str, at=at)
    if kind == "tool_use":
        arguments = unmarked(take(block, "input", dict, at=at) or {})
        script.call(need(block, "name", str, at=at), arguments, block)
        return False
    if kind == "tool_result":
        content = take(block, "content", str, list, at=at) or ""
        parts = [] if isinstance(content, str) else objects(content, at + "content")
        text = "\n".join(text_of(part) for _, part in parts)
        texts.append(content if isinstance(content, str) else text)
        script.add("<|result|>" + texts[-1], block, at)
        return True
    texts.append(text_of(block))
    script.add(texts[-1], block, at)
    return False


def _marked(segments: list[Segment], doc: dict[str, Any]) -> list[Segment]:
    """The segments, with the mark that a top-level `cache_control` puts on the last block."""
    automatic = lifetime(doc, "cache_control")
    if automatic is not None and segments[-1].cache_control is None:
        last = segments[-1]
        segments = [*segments[:-1], Segment(last.tokens, automatic, last.breakpoint, last.turn_end)]
    found = sum(segment.cache_control is not None for segment in segments)
    if found > MARKS:
        raise Invalid(
            f"A maximum of {MARKS} blocks with cache_control may be provided. Found {found}.", None
        )
    return segments


def heard(turn: Turn, encode: Encode) -> bytes:
    """The tokens of the answer as the next prompt holds them."""
    calls = [(call.name, unmarked(_input(call))) for call in turn.calls]
    return spoken(encode, turn.text, calls)


def _input(call: ToolCall) -> dict[str, Any]:
    """The arguments; empty where the token limit cut them off."""
    try:
        made: dict[str, Any] = json.loads(call.arguments)
    except ValueError:
        return {}
    return made


def whole(x: Exchange) -> dict[str, Any]:
    """The `message`."""
    [turn] = x.turns
    content: list[dict[str, Any]] = []
    if turn.pieces:
        content.append({"type": "text", "text": turn.text})
    for place, call in enumerate(turn.calls):
        content.append({**_opened_call(x, place, call), "input": _input(call)})
    return {
        **_head(x),
        "content": content,
        "stop_reason": _ends[turn.end],
        "stop_sequence": turn.stopped_by,
        "usage": _usage(x, turn.tokens),
    }


def _head(x: Exchange) -> dict[str, Any]:
    return {
        "id": x.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": x.asks[0].model,
    }


def _opened_call(x: Exchange, place: int, call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": x.id("toolu_", place), "name": call.name, "input": {}}


def _usage(x: Exchange, output: int) -> dict[str, Any]:
    charge = x.charge
    return {
        "input_tokens": charge.uncached,
        "cache_creation_input_tokens": charge.write,
        "cache_read_input_tokens": charge.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": charge.write - charge.long,
            "ephemeral_1h_input_tokens": charge.long,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def stream(x: Exchange) -> Iterator[Frame]:
    """The named events, from `message_start` to `message_stop`."""
    [turn] = x.turns
    opening: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(x, 1),
    }
    yield event({"type": "message_start", "message": {**_head(x), **opening}})
    yield event({"type": "ping"})
    if turn.pieces:
        text = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in turn.pieces]
        yield from _block_events(0, text, deltas)
    for place, call in enumerate(turn.calls):
        deltas = [{"type": "input_json_delta", "partial_json": p} for p in ["", *call.pieces]]
        yield from _block_events(place, _opened_call(x, place, call), deltas)
    delta = {"stop_reason": _ends[turn.end], "stop_sequence": turn.stopped_by}
    usage = _usage(x, turn.tokens)
    for field in ("cache_creation", "service_tier"):
        del usage[field]
    yield event({"type": "message_delta", "delta": delta, "usage": usage})
    yield event({"type": "message_stop"})


def _block_events(
    index: int, opened: dict[str, Any], deltas: list[dict[str, str]]
) -> Iterator[Frame]:
    yield event({"type": "content_block_start", "index": index, "content_block": opened})
    for delta in deltas:
        yield event({"type": "content_block_delta", "index": index, "delta": delta}, token=True)
    yield event({"type": "content_block_stop", "index": index})
