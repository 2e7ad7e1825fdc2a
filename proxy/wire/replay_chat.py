"""Chat completions: a plain reply from chunks, and chunks from a plain reply."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from proxy.wire.calls_chat import begins_another, is_repeated
from proxy.wire.replay_choices import Members, add_common, fold, unfold
from proxy.wire.replay_merge import (
    CannotRender,
    agree,
    documents,
    grow,
    mapping,
    number,
    objects,
    pieces,
    text,
)
from proxy.wire.sse import Event

_SPOKEN = {"function": "arguments", "custom": "input", "function_call": "arguments"}
_TOKENS = 64  # log probabilities in one event


def plain(events: list[Event]) -> Members:
    """The `chat.completion` that a stream of chunks amounts to."""
    doc = fold(documents(events), _add, "chat.completion")
    for choice in doc["choices"]:
        message = choice.setdefault("message", {})
        message["role"] = message.get("role") or "assistant"
        message.setdefault("content", None)
        choice.setdefault("finish_reason", None)
        if isinstance(message.get("tool_calls"), dict):
            calls = message["tool_calls"]
            message["tool_calls"] = [call for index in sorted(calls) for call in calls[index]]
    return doc


def stream(doc: Members, include_usage: bool) -> bytes:
    """The event stream that says what a plain reply says."""
    return unfold(doc, "chat.completion.chunk", _split, include_usage)


def _add(choice: Members, piece: Members) -> None:
    add_common(choice, piece, ("index", "delta"))
    message = choice.setdefault("message", {})
    for name, value in mapping(piece.get("delta") or {}).items():
        known = message.get(name)
        if name == "tool_calls" and value is not None:
            message[name] = {} if known is None else known
            for part in objects(value):
                at = part.get("index")  # some upstreams give none; those calls are all alike
                calls = message[name].setdefault(-1 if at is None else number(at), [{}])
                if begins_another(part, calls[-1]):
                    calls.append({})
                _call(calls[-1], part)
        elif name == "role":
            message[name] = agree(known, value)
        elif name == "function_call" and value is not None:
            message[name] = _function(known or {}, mapping(value))
        elif name == "audio" and value is not None:
            message[name] = _audio(known or {}, mapping(value))
        elif name == "annotations" and known and value:
            message[name] = known + objects(value)
        else:
            message[name] = grow(known, value)


def _call(call: Members, part: Members) -> None:
    for name, value in part.items():
        if name in _SPOKEN and value is not None:
            function = mapping(value)
            known = call.get(name) or {}
            if is_repeated(part, function.get("name"), known.get("name")):
                function = {key: function[key] for key in function if key != "name"}
            call[name] = _function(known, function)
        elif name == "id":
            call[name] = call.get(name) or value
        elif name != "index":
            call[name] = agree(call.get(name), None if value == "" else value)


def _function(known: Members, part: Members) -> Members:
    return known | {name: grow(known.get(name), value) for name, value in part.items()}


def _audio(known: Members, part: Members) -> Members:
    joined = dict(known)
    for name, value in part.items():
        spoken = name in ("data", "transcript")
        joined[name] = (grow if spoken else agree)(known.get(name), value)
    if text(known.get("data") or "").endswith("=") and part.get("data"):
        raise CannotRender("audio in pieces that do not join")
    return joined


def _split(choice: Members) -> Iterator[Members]:
    """The chunks' choices: role, then text with its log probabilities and calls, then the end."""
    at = number(choice.get("index"))
    message = mapping(choice.get("message"))
    quiet: Members = {"logprobs": None} if "logprobs" in choice else {}
    yield {"index": at, "delta": _opening(message), **quiet, "finish_reason": None}
    for delta, logprobs in zip_longest(_deltas(message), _slices(choice.get("logprobs"))):
        said = {} if logprobs is None else {"logprobs": logprobs}
        yield {"index": at, "delta": delta or {}, **quiet, **said, "finish_reason": None}
    rest = {name: choice[name] for name in choice if name not in ("index", "message", "logprobs")}
    yield {"index": at, "delta": {}, **quiet, "finish_reason": None, **rest}


def _opening(message: Members) -> Members:
    """The first delta: the role, what is sent whole, and a beginning of what is not."""
    opening: Members = {"role": message.get("role") or "assistant"}
    for name, value in message.items():
        if isinstance(value, str) and name != "role":
            opening[name] = ""
        elif name not in ("role", "tool_calls", "function_call") or not value:
            opening.setdefault(name, value)
    return opening


def _deltas(message: Members) -> Iterator[Members]:
    for name, value in message.items():
        if name == "tool_calls":
            for index, call in enumerate(objects(value)):
                for part in _spoken(call):
                    yield {"tool_calls": [{**part, "index": index}]}
        elif name == "function_call" and value:
            yield from _spoken({name: mapping(value)})
        elif isinstance(value, str) and name != "role":
            yield from ({name: piece} for piece in pieces(value))


def _spoken(call: Members) -> Iterator[Members]:
    """A call with its arguments left out, then the arguments."""
    said = {name: call[name] for name in call if name in _SPOKEN and call[name] is not None}
    head: Members = dict(call)
    rest: list[Members] = []
    for name, function in said.items():
        key = _SPOKEN[name]
        value = mapping(function).get(key)
        if isinstance(value, str):
            head[name] = {**function, key: ""}
            rest += [{name: {key: piece}} for piece in pieces(value)]
    yield head
    yield from rest


def _slices(logprobs: Any) -> Iterator[Members]:
    """Log probabilities in parts that join to the whole."""
    if logprobs is None:
        return
    lists = {name: value for name, value in mapping(logprobs).items() if isinstance(value, list)}
    first = {name: value[:_TOKENS] for name, value in lists.items()}
    yield {**logprobs, **first}
    for at in range(_TOKENS, max(map(len, lists.values()), default=0), _TOKENS):
        yield {name: value[at : at + _TOKENS] for name, value in lists.items()}
