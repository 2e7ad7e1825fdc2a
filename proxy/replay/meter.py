"""The upstream of a replay: charges what is forwarded by a cache rule, answers as recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.replay.encode import blocks
from proxy.replay.talk import Request
from proxy.simulation.dialects import VOICES
from proxy.simulation.exchange import EPOCH
from proxy.simulation.fields import Invalid
from proxy.simulation.rule import Charge, Rule
from proxy.simulation.tokens import Encode, count
from proxy.simulation.wire import dumps
from proxy.wire.usage import fields

_JSON = ((b"content-type", b"application/json"),)
_ROLE = "<|assistant|>\n"


class Meter:
    """One upstream with an empty cache. `rule(grain)` builds its cache rule."""

    def __init__(self, rule: Callable[[int], Rule], encode: Encode) -> None:
        self._build = rule
        self._rules: dict[int, Rule] = {}
        self._encode = encode

    def charge(self, call: Call, request: Request, now: float) -> tuple[Charge, int]:
        """What `call` pays, sent for `request`, and the tokens of its recorded answer.

        Raises `Invalid` for a body that the provider would refuse.
        """
        encode = partial(blocks, request.grain) if request.grain else self._encode
        try:
            asks = VOICES[call.dialect].read(call.doc(), encode)
        except (RecursionError, ValueError) as error:
            raise Invalid(f"the body cannot be read: {type(error).__name__}", None) from None
        answer = _heard(request, call.model, encode)
        rule = self._rules.get(request.grain)
        if rule is None:
            rule = self._rules[request.grain] = self._build(request.grain)
        salt = dumps([call.model, call.doc().get("cache_salt")])
        scope = blake2b(salt, digest_size=16).digest()
        charge = Charge()
        for ask in asks:
            prompt = msgspec.structs.replace(ask.prompt, scope=scope, answer=answer)
            charge += rule.account(prompt, now)
        return charge, _output(request, answer, encode)


def _output(request: Request, answer: bytes, encode: Encode) -> int:
    if request.output is not None:
        return request.output
    spoken = isinstance(request.answer, dict)
    return max(0, count(answer) - (count(encode(_ROLE)) if spoken else 0))


def _heard(request: Request, model: str, encode: Encode) -> bytes:
    """The recorded answer's tokens as the next prompt holds them; empty where it is unknown."""
    said = request.answer
    if said is None:
        return b""
    if isinstance(said, str):
        return encode(said)
    if request.dialect not in (Dialect.CHAT, Dialect.MESSAGES):
        return b""
    doc = {"model": model, "max_tokens": 1, "messages": [said]}
    try:
        asks = VOICES[request.dialect].read(doc, encode)
    except (Invalid, RecursionError, ValueError):
        return b""
    return b"".join([segment.tokens for segment in asks[0].prompt.segments])


def recording_of(request: Request, model: str, usage: Usage) -> Recording | None:
    """The recorded answer as the provider would have sent it; None where it is not known."""
    make = _BODIES.get(request.dialect)
    said = request.answer
    if make is None or said is None or isinstance(said, dict) == (make is _completion):
        return None
    body = {**make(said), "model": model, "usage": fields(request.dialect, usage)}
    return Recording(200, _JSON, dumps(body), False, usage)


def _chat(said: Any) -> dict[str, Any]:
    reason = "tool_calls" if said.get("tool_calls") else "stop"
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": reason}
    named = {"id": "chatcmpl-replay", "object": "chat.completion", "created": EPOCH}
    return {**named, "choices": [choice]}


def _message(said: Any) -> dict[str, Any]:
    content = said.get("content")
    blocks_ = [{"type": "text", "text": content}] if isinstance(content, str) else content
    used = any(isinstance(b, dict) and b.get("type") == "tool_use" for b in blocks_ or ())
    named = {"id": "msg_replay", "type": "message", "role": "assistant", "stop_sequence": None}
    return {**named, "content": blocks_, "stop_reason": "tool_use" if used else "end_turn"}


def _completion(said: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "cmpl-replay",
        "object": "text_completion",
        "created": EPOCH,
        "choices": [choice],
    }


_BODIES: dict[Dialect, Callable[[Any], dict[str, Any]]] = {
    Dialect.CHAT: _chat,
    Dialect.MESSAGES: _message,
    Dialect.COMPLETIONS: _completion,
}
