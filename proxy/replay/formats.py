"""A line of a trace as a `Talk`, its format known by its fields.

- `messages` with replies among them and no time: a whole conversation (`id, model, tools,
  messages`, also with Anthropic's `system`). Each assistant message is the reply to one request,
  whose messages are all before it.
- a request body with `timestamp` or `time`, and maybe `response` and `session_id`: one request.
- `input` and `output` as text: one bare prompt, its `timestamp` in microseconds.
- `hash_ids`: one prompt as hashes of 512-token blocks, its `timestamp` in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from policies.base.call import Dialect
from proxy.replay import claude
from proxy.replay.fields import LATEST, answer_of, seconds_of, session_of
from proxy.replay.talk import Malformed, Request, Talk, Target

GRAIN = 512  # tokens of one hashed block: Mooncake's traces
_MICROSECOND, _MILLISECOND = 1e-6, 1e-3
_ABOUT = {"timestamp", "time", "response", "session_id", "session", "id", "metadata"}
_FIELDS = {  # of a conversation's line, what belongs to its requests
    *("tools", "system", "tool_choice", "response_format", "temperature", "top_p", "seed", "stop"),
    *("max_tokens", "max_completion_tokens", "parallel_tool_calls", "reasoning_effort"),
    *("thinking", "functions"),
}
_PATHS = {
    Dialect.CHAT: "chat/completions",
    Dialect.COMPLETIONS: "completions",
    Dialect.RESPONSES: "responses",
    Dialect.MESSAGES: "messages",
}
_encode = msgspec.json.Encoder().encode
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def document(line: bytes) -> dict[str, Any]:
    """The line as a JSON object. Raises `Malformed`."""
    try:
        line.decode()
        doc = msgspec.json.decode(line)
    except UnicodeDecodeError:
        raise Malformed("not UTF-8 text") from None
    except (msgspec.MsgspecError, RecursionError):
        raise Malformed("not valid JSON") from None
    if not isinstance(doc, dict):
        raise Malformed("not a JSON object")
    return doc


def talk_of(line: bytes, name: str, target: Target) -> Talk:
    """What the line holds; `name` names it where it does not itself. Raises `Malformed`."""
    doc = document(line)
    if "hash_ids" in doc:
        return _hashes(doc, name, target)
    if isinstance(doc.get("messages"), list):
        clock = seconds_of(doc)
        if clock is None and any(_role(message) == "assistant" for message in doc["messages"]):
            return _conversation(line, doc, name, target)
        return _request(line, doc, name, target)
    if isinstance(doc.get("input"), str) and isinstance(doc.get("output"), str):
        return _text(doc, name, target)
    if "input" in doc or "prompt" in doc:
        return _request(line, doc, name, target)
    raise Malformed("no messages, input, prompt or hash_ids")


def _hashes(doc: dict[str, Any], name: str, target: Target) -> Talk:
    ids, length, output = doc["hash_ids"], doc.get("input_length"), doc.get("output_length", 0)
    if not isinstance(ids, list) or not ids or not all(isinstance(one, int) for one in ids):
        raise Malformed("hash_ids is not a list of integers")
    if not isinstance(length, int) or not isinstance(output, int) or min(length, output) < 0:
        raise Malformed("input_length and output_length are not numbers of tokens")
    last = length - GRAIN * (len(ids) - 1)
    if not 0 < last <= GRAIN:
        raise Malformed(f"input_length does not fit the number of {GRAIN}-token blocks")
    body = {"model": target.model, "prompt": " ".join(map(str, ids)) + f"/{last}"}
    request = Request(Dialect.COMPLETIONS, "completions", _encode(body), None, output, GRAIN)
    return Talk(session_of(doc) or name, _at(doc, _MILLISECOND), 1, iter((request,)))


def _text(doc: dict[str, Any], name: str, target: Target) -> Talk:
    """A bare prompt: `completions` where the engine is one's own, else a user's message."""
    prompt, said = doc["input"], doc["output"]
    at = _at(doc, _MICROSECOND)
    key = session_of(doc) or name
    if target.rule in ("vllm_blocks", "none"):
        body = _encode({"model": target.model, "prompt": prompt})
        bare = Request(Dialect.COMPLETIONS, "completions", body, said)
        return Talk(key, at, 1, iter((bare,)))
    chat = {"model": target.model, "messages": [{"role": "user", "content": prompt}]}
    reply = {"role": "assistant", "content": said}
    return Talk(key, at, 1, iter((_for(chat, reply, target),)))


def _request(line: bytes, doc: dict[str, Any], name: str, target: Target) -> Talk:
    dialect = _dialect(doc)
    body = {key: value for key, value in doc.items() if key not in _ABOUT} | {"model": target.model}
    said = answer_of(doc.get("response"))
    if dialect is Dialect.CHAT and target.rule == "anthropic_marks":
        request = _for(body, said, target)
    else:
        kept = {key: raw for key, raw in _raws(line).items() if key not in _ABOUT}
        text = _encode(kept | {"model": target.model})
        request = Request(dialect, _PATHS[dialect], text, said)
    return Talk(session_of(doc) or name, seconds_of(doc), 1, iter((request,)))


def _conversation(line: bytes, doc: dict[str, Any], name: str, target: Target) -> Talk:
    roles = [_role(message) for message in doc["messages"]]
    turns = [index for index, role in enumerate(roles) if role == "assistant" and index]
    key = doc["id"] if isinstance(doc.get("id"), str) else name
    made = _turns(line, doc, turns, target)
    return Talk(f"{name} {key}", None, len(turns), made)


def _turns(line: bytes, doc: dict[str, Any], turns: list[int], target: Target) -> Iterator[Request]:
    """The requests of a conversation, each made when it is asked for."""
    dialect, said = _dialect(doc), doc["messages"]
    if dialect is Dialect.CHAT and target.rule == "anthropic_marks":
        fields = {key: value for key, value in doc.items() if key in _FIELDS}
        for turn in turns:
            body = {**fields, "model": target.model, "messages": said[:turn]}
            yield _for(body, said[turn], target)
        return
    raw = _raws(line)
    kept = {key: value for key, value in raw.items() if key in _FIELDS}
    if dialect is Dialect.MESSAGES:
        kept.setdefault("max_tokens", msgspec.Raw(b"%d" % claude.MAX_TOKENS))
    head = _encode({"model": target.model, **kept})[:-1] + b',"messages":['
    parts = [bytes(memoryview(one)) for one in _list(raw["messages"])]
    for turn in turns:
        body_text = head + b",".join(parts[:turn]) + b"]}"
        yield Request(dialect, _PATHS[dialect], body_text, said[turn])


def _for(chat: dict[str, Any], reply: dict[str, Any] | str | None, target: Target) -> Request:
    """A chat request in the form that the target's provider takes."""
    if target.rule != "anthropic_marks":
        return Request(Dialect.CHAT, "chat/completions", _encode(chat), reply)
    try:
        body = _encode(claude.request(chat))
        said = claude.said(reply) if isinstance(reply, dict) else None
    except (AttributeError, TypeError, KeyError):
        raise Malformed("no conversation that Anthropic's form could hold") from None
    answer = None if said is None else {"role": "assistant", "content": said}
    return Request(Dialect.MESSAGES, "messages", body, answer)


def _dialect(doc: dict[str, Any]) -> Dialect:
    if "messages" not in doc:
        return Dialect.COMPLETIONS if "prompt" in doc else Dialect.RESPONSES
    tools = doc.get("tools")
    first = tools[0] if isinstance(tools, list) and tools else None
    claudes = isinstance(first, dict) and "input_schema" in first
    return Dialect.MESSAGES if claudes or "system" in doc else Dialect.CHAT


def _role(message: Any) -> str:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Malformed("a message without a role")
    role: str = message["role"]
    return role


def _at(doc: dict[str, Any], unit: float) -> float | None:
    """The `timestamp` in seconds. Raises `Malformed` where it is no number."""
    value = doc.get("timestamp")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("timestamp is not a number")
    if not abs(value) < LATEST / unit:
        raise Malformed("the time is thousands of years away")
    return value * unit
