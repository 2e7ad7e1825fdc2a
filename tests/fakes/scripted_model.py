"""A model that says what a test has written down, in three dialects, and minds their rules.

    with ScriptedModel() as upstream:
        upstream.turns += [Turn("Let me see.", [("read_original", {"id": "0"})]), Turn("Done.")]

Each request takes the next turn; `upstream.docs` holds the requests. A prompt that a provider
would refuse (a call without its result, reasoning without what it led to) gets a 400.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.misbehaving import Misbehaving, Peer, Seen

__all__ = ["PLAIN", "RULES", "STREAMS", "Said", "ScriptedModel", "Turn"]


@dataclass
class Turn:
    """`calls`: names and arguments; a function of the request's document makes late ones."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    thinking: str = ""
    status: int = 200
    limited: bool = False  # the reply ends at the limit of its tokens
    breaks: bool = False  # the connection ends within the text
    wait: Callable[[], bool] | None = None  # until this is true, after the text of a stream


class ScriptedModel(Misbehaving):
    """`faults`: what was wrong with requests that were refused."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []
        self.faults: list[str] = []
        self._number = itertools.count(1)

    @property
    def docs(self) -> list[dict[str, Any]]:
        return [json.loads(seen.body) for seen in self.requests]

    async def _serve(self, peer: Peer, seen: Seen) -> None:
        await peer.read_body()
        self.requests.append(seen)
        doc = json.loads(seen.body)
        kind = seen.target.removeprefix("/v1/")
        fault = next(RULES[kind](doc), "")
        turn = Turn(status=400) if fault else self.turns.pop(0)
        if turn.status != 200:
            self.faults.append(fault)
            error = {"type": "invalid_request_error", "message": fault or "scripted"}
            body = json.dumps({"type": "error", "error": error}).encode()
            await peer.answer(body, f"{turn.status} Refused")
            return
        calls = [(n, a(doc) if callable(a) else a) for n, a in turn.calls]
        said = Said(next(self._number), turn, [(n, json.dumps(a)) for n, a in calls], doc)
        if not doc.get("stream"):
            await peer.answer(json.dumps(PLAIN[kind](said)).encode(), breaks=turn.breaks)
            return
        await peer.open_stream()
        for event in STREAMS[kind](said):
            if event is None:
                while turn.wait is not None and not turn.wait():  # noqa: ASYNC110 - set in a test
                    await asyncio.sleep(0.005)
                continue
            name = f"event: {event['type']}\n" if "type" in event else ""
            await peer.chunk(f"{name}data: {json.dumps(event)}\n\n".encode())
            if turn.breaks and "delta" in str(event) and turn.text[:7] in str(event):
                peer.writer.close()
                return
        if kind == "chat/completions":
            await peer.chunk(b"data: [DONE]\n\n")
        await peer.send(b"0\r\n\r\n")


@dataclass
class Said:
    """What one request gets. Every round has 100 tokens of input, 40 of them read, and 10 out."""

    number: int
    turn: Turn
    calls: list[tuple[str, str]]
    doc: dict[str, Any]

    def call_id(self, index: int) -> str:
        return f"call_{self.number}_{index}"


def _chat_usage() -> dict[str, Any]:
    details = {"prompt_tokens_details": {"cached_tokens": 40}}
    return {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, **details}


def _chat_head(said: Said, kind: str) -> dict[str, Any]:
    head = {"id": f"chatcmpl-{said.number}", "object": kind, "created": 1700000000 + said.number}
    return {**head, "model": "m", "system_fingerprint": f"fp_{said.number}"}


def _chat(said: Said) -> dict[str, Any]:
    calls = [
        {"id": said.call_id(i), "type": "function", "function": {"name": n, "arguments": a}}
        for i, (n, a) in enumerate(said.calls)
    ]
    message = {"role": "assistant", "content": said.turn.text or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(said)}
    return {**_chat_head(said, "chat.completion"), "choices": [choice], "usage": _chat_usage()}


def _chat_stream(said: Said) -> Iterator[dict[str, Any] | None]:
    head = _chat_head(said, "chat.completion.chunk")
    usage = (said.doc.get("stream_options") or {}).get("include_usage") is True
    null = {"usage": None} if usage else {}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**head, "choices": [choice], **null}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for word in _words(said.turn.text):
        yield chunk({"content": word})
    yield None
    for index, (name, arguments) in enumerate(said.calls):
        opening = {"index": index, "id": said.call_id(index), "type": "function"}
        yield chunk({"tool_calls": [{**opening, "function": {"name": name, "arguments": ""}}]})
        for piece in _words(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _reason(said))
    if usage:
        yield {**head, "choices": [], "usage": _chat_usage()}


def _reason(said: Said) -> str:
    if said.turn.limited:
        return "length"
    return "tool_calls" if said.calls else "stop"


def _words(text: str) -> Iterator[str]:
    return (text[at : at + 7] for at in range(0, len(text), 7))


def _chat_rules(doc: dict[str, Any]) -> Iterator[str]:
    open_calls: set[str] = set()
    for message in doc["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                yield f"tool result {message['tool_call_id']} without its call"
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            yield f"tool calls without results: {sorted(open_calls)}"
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
        if message["role"] == "assistant" and not (message.get("content") or open_calls):
            yield "an empty message of the assistant"
    if open_calls:
        yield f"tool calls without results: {sorted(open_calls)}"


def _messages_usage() -> dict[str, Any]:
    return {"input_tokens": 60, "cache_read_input_tokens": 40, "output_tokens": 10}


def _blocks(said: Said) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if said.turn.thinking:
        signature = f"signed {said.turn.thinking}"
        found.append({"type": "thinking", "thinking": said.turn.thinking, "signature": signature})
    if said.turn.text:
        found.append({"type": "text", "text": said.turn.text})
    for index, (name, arguments) in enumerate(said.calls):
        block = {"type": "tool_use", "id": said.call_id(index), "name": name}
        found.append({**block, "input": json.loads(arguments)})
    return found


def _message(said: Said) -> dict[str, Any]:
    ended = "tool_use" if said.calls else "end_turn"
    return {
        "id": f"msg_{said.number}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": _blocks(said),
        "stop_reason": "max_tokens" if said.turn.limited else ended,
        "stop_sequence": None,
        "usage": _messages_usage(),
    }


def _message_stream(said: Said) -> Iterator[dict[str, Any] | None]:
    whole = _message(said)
    usage = {**whole["usage"], "output_tokens": 1}
    begun = {**whole, "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        where = {"index": index}
        if block["type"] == "tool_use":
            if index and whole["content"][index - 1]["type"] != "tool_use":
                yield None
            start = {**block, "input": {}}
            pieces = _words(json.dumps(block["input"]))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        elif block["type"] == "text":
            start = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": word} for word in _words(block["text"])]
        else:
            start = {**block, "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        yield {"type": "content_block_start", **where, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", **where, "delta": delta}
        yield {"type": "content_block_stop", **where}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def _message_rules(doc: dict[str, Any]) -> Iterator[str]:
    asked: list[str] = []
    for message in doc["messages"]:
        content = message["content"]
        blocks = [] if isinstance(content, str) else content
        given = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        if sorted(given) != sorted(asked):
            yield f"calls {asked}, results {given}"
        if any(b["type"] != "tool_result" for b in blocks[: len(given)]):
            yield "results do not come first"
        asked = [b["id"] for b in blocks if b["type"] == "tool_use"]
        for block in blocks:
            if block["type"] == "thinking" and block["signature"] != f"signed {block['thinking']}":
                yield "thinking was changed"
            if block["type"] == "text" and not block["text"].strip():
                yield "an empty text"
    if asked:
        yield f"calls without results: {asked}"


def _items(said: Said) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if said.turn.thinking:
        sealed = {"encrypted_content": f"sealed {said.turn.thinking}"}
        found.append({"type": "reasoning", "id": f"rs_{said.number}", "summary": [], **sealed})
    if said.turn.text:
        part = {"type": "output_text", "text": said.turn.text, "annotations": [], "logprobs": []}
        item = {"type": "message", "id": f"msg_{said.number}", "role": "assistant"}
        found.append({**item, "status": "completed", "content": [part]})
    for index, (name, arguments) in enumerate(said.calls):
        item = {"type": "function_call", "id": f"fc_{said.number}_{index}", "name": name}
        done = {"status": "completed", "call_id": said.call_id(index), "arguments": arguments}
        found.append({**item, **done})
    return found


def _response(said: Said) -> dict[str, Any]:
    details = {"input_tokens_details": {"cached_tokens": 40}, "total_tokens": 110}
    reasoning = {"output_tokens_details": {"reasoning_tokens": 2}}
    limited = {"reason": "max_output_tokens"} if said.turn.limited else None
    return {
        "id": f"resp_{said.number}",
        "object": "response",
        "created_at": 1700000000,
        "status": "incomplete" if limited else "completed",
        "incomplete_details": limited,
        "model": "m",
        "output": _items(said),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": 100, "output_tokens": 10, **details, **reasoning},
    }


def _response_stream(said: Said) -> Iterator[dict[str, Any] | None]:
    number = itertools.count()

    def event(kind: str, **more: Any) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(number), **more}

    whole = _response(said)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield event("created", response=begun)
    yield event("in_progress", response=begun)
    for index, item in enumerate(whole["output"]):
        spot = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call" and index and said.turn.wait:
            yield None
        if item["type"] == "message":
            started = {**item, "status": "in_progress", "content": []}
            yield event("output_item.added", output_index=index, item=started)
            part = item["content"][0]
            inner = {**spot, "content_index": 0}
            yield event("content_part.added", **inner, part={**part, "text": ""})
            for word in _words(part["text"]):
                yield event("output_text.delta", **inner, delta=word, logprobs=[])
            yield event("output_text.done", **inner, text=part["text"], logprobs=[])
            yield event("content_part.done", **inner, part=part)
        elif item["type"] == "function_call":
            started = {**item, "status": "in_progress", "arguments": ""}
            yield event("output_item.added", output_index=index, item=started)
            for piece in _words(item["arguments"]):
                yield event("function_call_arguments.delta", **spot, delta=piece)
            done = {"arguments": item["arguments"], "name": item["name"]}
            yield event("function_call_arguments.done", **spot, **done)
        else:
            yield event("output_item.added", output_index=index, item=item)
        yield event("output_item.done", output_index=index, item=item)
    yield event(whole["status"], response=whole)


def _response_rules(doc: dict[str, Any]) -> Iterator[str]:
    items = [] if isinstance(doc["input"], str) else doc["input"]
    called = [item["call_id"] for item in items if item.get("type") == "function_call"]
    given = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    missing = sorted(set(called) - set(given))
    if missing:
        yield f"no tool output found for {missing}"
    if not doc.get("previous_response_id") and set(given) - set(called):
        yield "an output without its call"
    for item, following in itertools.pairwise([*items, {}]):
        if item.get("type") != "reasoning":
            continue
        if following.get("id", "_").split("_")[1] != item["id"].split("_")[1]:
            yield "reasoning without its required following item"


PLAIN = {"chat/completions": _chat, "messages": _message, "responses": _response}
STREAMS = {
    "chat/completions": _chat_stream,
    "messages": _message_stream,
    "responses": _response_stream,
}
RULES = {
    "chat/completions": _chat_rules,
    "messages": _message_rules,
    "responses": _response_rules,
}
