"""`chat/completions`: reading the request, writing the reply, plain and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from proxy.simulation.choice import choose
from proxy.simulation.exchange import Exchange
from proxy.simulation.fields import Invalid, integer, need, number, objects, strings, take
from proxy.simulation.logprobs import spread
from proxy.simulation.prompt import Prompt
from proxy.simulation.script import Script, lifetime, spoken, unmarked
from proxy.simulation.tokens import Encode
from proxy.simulation.turn import Ask, End, Tool, Turn
from proxy.simulation.wire import Frame, data, ended

_roles = {"system", "developer", "user", "assistant", "tool", "function"}
_ends = {End.STOP: "stop", End.STOP_SEQUENCE: "stop", End.LENGTH: "length", End.TOOLS: "tool_calls"}


def read(doc: dict[str, Any], encode: Encode) -> list[Ask]:
    """What the request asks. Raises `Invalid`."""
    model = need(doc, "model", str)
    messages = objects(need(doc, "messages", list), "messages")
    if not messages:
        raise Invalid("Invalid 'messages': empty array.", "messages", "empty_array")
    definitions = objects(take(doc, "tools", list) or [], "tools")
    tools = tuple(_tools(definitions))
    tools, choice = choose(tools, doc.get("tool_choice"))
    script = Script(encode)
    script.tools(tool for _, tool in definitions)
    schema = _format(doc, script)
    texts = [_message(script, at, message) for at, message in messages]
    number(doc, "temperature", 0, 2)
    number(doc, "top_p", 0, 1)
    integer(doc, "top_logprobs", 0, 20)
    take(doc, "logprobs", bool)
    take(doc, "stream_options", dict)
    options = take(doc, "prompt_cache_options", dict) or {}
    limit = integer(doc, "max_completion_tokens", 1)
    ask = Ask(
        model=model,
        prompt=Prompt(
            tuple(script.segments),
            implicit=options.get("mode") != "explicit",
            lifetime=lifetime(doc, "prompt_cache_options"),
        ),
        last=texts[-1],
        named_in=texts[-1] if messages[-1][1]["role"] == "user" else "",
        tools=tools,
        choice=choice,
        parallel=take(doc, "parallel_tool_calls", bool) is not False,
        schema=schema,
        limit=limit if limit is not None else integer(doc, "max_tokens", 1),
        stops=strings(doc, "stop"),
        seed=integer(doc, "seed", -(2**63)),
        n=integer(doc, "n", 1, 128) or 1,
    )
    return [ask]


def heard(turn: Turn, encode: Encode) -> bytes:
    """The tokens of the answer as the next prompt holds them."""
    return spoken(encode, turn.text, [(call.name, call.arguments) for call in turn.calls])


def _tools(definitions: list[tuple[str, dict[str, Any]]]) -> Iterator[Tool]:
    for at, tool in definitions:
        if need(tool, "type", str, at=at) == "function":
            function = need(tool, "function", dict, at=at)
            name = need(function, "name", str, at=at + "function.")
            yield Tool(name, take(function, "parameters", dict, at=at + "function."))


def _format(doc: dict[str, Any], script: Script) -> Any:
    """The schema that the answer must keep to, or None; rendered before the messages."""
    wanted = take(doc, "response_format", dict)
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return {"properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    if wanted.get("type") != "json_schema":
        raise Invalid("Unknown response format.", "response_format.type")
    inner = need(wanted, "json_schema", dict, at="response_format.")
    script.add("<|format|>" + unmarked(inner))
    return take(inner, "schema", dict, at="response_format.json_schema.") or {}


def _message(script: Script, at: str, message: dict[str, Any]) -> str:
    """Render a message; its text."""
    role = need(message, "role", str, at=at)
    if role not in _roles:
        supported = ", ".join(f"'{name}'" for name in sorted(_roles))
        reason = f"Invalid value: '{role}'. Supported values are: {supported}."
        raise Invalid(reason, at + "role")
    script.open(role)
    content = take(message, "content", str, list, at=at)
    text = script.content(content, at)
    for place, call in objects(take(message, "tool_calls", list, at=at) or [], at + "tool_calls"):
        called = take(call, "function", dict, at=place) or {}
        script.call(str(called.get("name")), str(called.get("arguments")))
    if role in ("user", "tool"):
        script.close()
    elif content is None and not message.get("tool_calls") and role != "assistant":
        raise Invalid(f"Missing required parameter: '{at}content'.", at + "content")
    return text


def whole(x: Exchange) -> dict[str, Any]:
    """The `chat.completion`."""
    probable = x.doc.get("logprobs") is True
    choices = [
        {
            "index": index,
            "message": _said(x, index, turn),
            "logprobs": _logprobs(x, turn.pieces) if probable else None,
            "finish_reason": _ends[turn.end],
        }
        for index, turn in enumerate(x.turns)
    ]
    return {**_head(x, "chat.completion"), "choices": choices, "usage": x.usage()}


def _head(x: Exchange, kind: str) -> dict[str, Any]:
    return {
        "id": x.id("chatcmpl-"),
        "object": kind,
        "created": x.created,
        "model": x.asks[0].model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _said(x: Exchange, index: int, turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if turn.calls else turn.text,
        "refusal": None,
        "annotations": [],
    }
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": x.id("call_", index, place),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(turn.calls)
        ]
    return message


def _logprobs(x: Exchange, pieces: list[str]) -> dict[str, Any]:
    top = integer(x.doc, "top_logprobs", 0, 20) or 0
    return {"content": [_logprob(piece, top) for piece in pieces], "refusal": None}


def _logprob(piece: str, top: int) -> dict[str, Any]:
    rows = [
        {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "replace"))}
        for token, value in spread(piece, max(top, 1))
    ]
    return {**rows[0], "top_logprobs": rows[:top]}


def stream(x: Exchange) -> Iterator[Frame]:
    """The chunks; the choices take turns, as they do with providers."""
    return ended(_chunks(x))


def _chunks(x: Exchange) -> Iterator[Frame]:
    options = take(x.doc, "stream_options", dict) or {}
    include = options.get("include_usage") is True
    head = _head(x, "chat.completion.chunk")
    tail = {"usage": None} if include else {}
    rows = zip_longest(*(_deltas(x, i, turn) for i, turn in enumerate(x.turns)))
    for row in rows:
        for choice, token in filter(None, row):
            yield data({**head, "choices": [choice], **tail}, token=token)
    if include:
        yield data({**head, "choices": [], "usage": x.usage()})


def _deltas(x: Exchange, index: int, turn: Turn) -> Iterator[tuple[dict[str, Any], bool]]:
    """`(choice of a chunk, whether it carries a token)`."""

    def choice(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **more}

    content = None if turn.calls else ""
    yield choice({"role": "assistant", "content": content, "refusal": None}), False
    probable = x.doc.get("logprobs") is True
    for piece in turn.pieces:
        more = {"logprobs": _logprobs(x, [piece])} if probable else {}
        yield choice({"content": piece}, **more), True
    for place, call in enumerate(turn.calls):
        opened = {
            "index": place,
            "id": x.id("call_", index, place),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        yield choice({"tool_calls": [opened]}), True
        for piece in call.pieces:
            yield choice({"tool_calls": [{"index": place, "function": {"arguments": piece}}]}), True
    yield choice({}, finish_reason=_ends[turn.end]), False
