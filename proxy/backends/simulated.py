"""`use: simulated`: a local model without weights that answers like a provider.

The same body gets the same bytes, cached tokens in `usage` aside: those follow the named
prompt-cache rule and what was sent before. What is said depends on the conversation, the model
and the seed alone, so that it is the same streamed or not, with cache marks or without.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import msgspec
from pydantic import Field

from policies.base.call import Call, Dialect, Headers
from policies.base.errors import MalformedBody
from policies.base.policy import Strict
from policies.base.reply import Reply
from policies.base.units import Duration
from proxy.backends.registry import backend
from proxy.simulation.dialects import VOICES, Voice
from proxy.simulation.embeddings import embed
from proxy.simulation.exchange import EPOCH, Exchange
from proxy.simulation.fields import Invalid, take
from proxy.simulation.refusals import refusal, unknown_model, unknown_url
from proxy.simulation.rule import Charge
from proxy.simulation.rules import Limits, RuleName, build
from proxy.simulation.tokens import Encode, fourths
from proxy.simulation.turn import Ask, answer
from proxy.simulation.wire import Frame, dumps


@backend("simulated")
class Simulated:
    """Answers every `/v1` dialect; what it does not serve gets the provider's own error.

    `clock` gives seconds for the prompt cache, `encode` turns text into tokens for it.
    """

    class Settings(Strict):
        """Durations in seconds. None: the rule's own value."""

        latency: Duration = 0.0  # to the first byte
        token_latency: Duration = 0.0  # between the tokens of a stream
        rule: RuleName = "openai_steps"
        min_tokens: int | None = Field(None, ge=0)  # nothing shorter is cached
        lifetime: Duration | None = None
        capacity: int = Field(65_536, ge=1)  # prefixes (vllm_blocks: blocks) remembered
        models: tuple[str, ...] = ("simulated",)
        strict_models: bool = False  # refuse models that are not listed

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        encode: Encode = fourths,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._encode = encode
        limits = Limits(settings.min_tokens, settings.lifetime, settings.capacity)
        self._rule = build(settings.rule, limits)

    async def send(self, call: Call) -> Reply:
        """The reply; a bad request gets a 4xx reply, nothing is raised."""
        key = _key(call)
        try:
            made = self._made(call, key)
        except Invalid as error:
            return self._whole(key, error.status, dumps(refusal(call.dialect, error)))
        except MalformedBody as error:
            invalid = Invalid(error.message, error.param, "invalid_json")
            return self._whole(key, 400, dumps(refusal(call.dialect, invalid)))
        except RecursionError:
            invalid = Invalid("The request body is nested too deeply.", None, "invalid_json")
            return self._whole(key, 400, dumps(refusal(call.dialect, invalid)))
        await asyncio.sleep(self._settings.latency)
        if isinstance(made, bytes):
            return self._whole(key, 200, made)
        chunks = _paced(made, self._settings.token_latency)
        kind = ((b"content-type", b"text/event-stream; charset=utf-8"),)
        return Reply(200, _headers(key, kind), chunks, self.name)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _whole(self, key: str, status: int, body: bytes) -> Reply:
        kind = (
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        )
        return Reply(status, _headers(key, kind), _once(body), self.name, whole=body)

    def _made(self, call: Call, key: str) -> bytes | Iterator[Frame]:
        """The reply's body, or the events of a stream. Raises `Invalid`, `MalformedBody`."""
        path = call.path.partition("?")[0].strip("/")
        if call.dialect is Dialect.OPAQUE:
            return dumps(self._listed(call.method, path))
        if call.method != "POST":
            message = f"Not allowed to {call.method} on /v1/{path}."
            raise Invalid(message, None, "method_not_supported", 405)
        doc = call.doc()
        if self._settings.strict_models and doc.get("model") not in self._settings.models:
            raise unknown_model(str(doc.get("model")))
        if call.dialect is Dialect.EMBEDDINGS:
            return dumps(embed(doc, self._encode))
        voice = VOICES[call.dialect]
        exchange = self._exchange(voice, doc, key, call.tenant)
        return voice.stream(exchange) if take(doc, "stream", bool) else dumps(voice.whole(exchange))

    def _exchange(self, voice: Voice, doc: dict[str, Any], key: str, tenant: str) -> Exchange:
        take(doc, "stream", bool)
        asks = voice.read(doc, self._encode)
        scope = blake2b(dumps([tenant, doc["model"], doc.get("cache_salt")]), digest_size=16)
        said = [answer(ask) for ask in asks]
        charge = Charge()
        for ask, turns in zip(asks, said, strict=True):
            charge += self._charge(ask, voice.heard(turns[0], self._encode), scope.digest())
        deepseek = self._settings.rule == "deepseek_units"
        return Exchange(doc, key, asks, said, charge, deepseek)

    def _charge(self, ask: Ask, heard: bytes, scope: bytes) -> Charge:
        prompt = msgspec.structs.replace(ask.prompt, scope=scope, answer=heard)
        return self._rule.account(prompt, self._clock(), self._settings.latency)

    def _listed(self, method: str, path: str) -> dict[str, Any]:
        """`models` and `models/{id}`. Raises `Invalid` for anything else."""
        top, _, model = path.partition("/")
        if method not in ("GET", "HEAD") or top != "models":
            raise unknown_url(method, path)
        if not model:
            return {"object": "list", "data": [_model(name) for name in self._settings.models]}
        if unquote(model) not in self._settings.models:
            raise unknown_model(unquote(model))
        return _model(unquote(model))


def _key(call: Call) -> str:
    """32 hex digits, the same for every body of the same JSON value."""
    try:
        text = call.body.digest() if call.dialect is not Dialect.OPAQUE else None
    except MalformedBody:
        text = None
    text = call.body.raw if text is None else text
    return blake2b(call.dialect.encode() + b"\0" + text, digest_size=16).hexdigest()


def _headers(key: str, more: Headers) -> Headers:
    return (*more, (b"x-request-id", b"req_" + key.encode()))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": EPOCH, "owned_by": "penstock"}


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


async def _paced(frames: Iterator[Frame], gap: float) -> AsyncGenerator[bytes]:
    for frame in frames:
        if frame.token:
            await asyncio.sleep(gap)  # at 0 it still lets others run, as a network would
        yield frame.data
