"""`GET /v1/models` over several backends: one list of what each of them lists."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from time import perf_counter
from typing import Any

import msgspec

from policies.base.call import Call
from policies.base.ports import Backend
from proxy.errors import ProxyError, UpstreamError
from proxy.generation import Generation
from proxy.send import Client, ClientGone, respond
from proxy.unplanned import answered
from proxy.wire.beginning import beginning
from proxy.wire.encoding import decode

_LIMIT = 16 * 1024 * 1024


def is_list(call: Call) -> bool:
    """Whether the call asks for the list of models."""
    return call.method == "GET" and call.path.partition("?")[0] == "models"


async def answer(call: Call, generation: Generation, client: Client) -> None:
    """The merged list; raises `UpstreamError` if no backend gave one, or `ClientGone`."""
    started = perf_counter()
    # Encodings are for the one who reads, and that is Penstock here.
    headers = tuple(pair for pair in call.headers if pair[0] != b"accept-encoding")
    plain = msgspec.structs.replace(call, headers=headers)
    asked = asyncio.gather(*[_list(backend, plain) for backend in generation.backends.values()])

    def hung_up(_: object) -> None:
        asked.cancel()

    client.on_disconnect(hung_up)
    try:
        lists = await asked
    except asyncio.CancelledError:
        if asked.cancelled():
            raise ClientGone from None
        raise
    finally:
        client.on_disconnect(None)
    found = [models for models in lists if models is not None]
    if not found:
        raise UpstreamError("no backend answered with a list of models")
    merged: dict[str, Any] = {}
    for models in found:
        for model in models:
            merged.setdefault(model["id"], model)
    body = msgspec.json.encode({"object": "list", "data": list(merged.values())})
    generation.books.unplanned(200, answered(call, started))
    head = ((b"content-type", b"application/json"), (b"x-penstock-request-id", call.id.encode()))
    respond(client, 200, head, body)


async def _list(backend: Backend, call: Call) -> list[dict[str, Any]] | None:
    """What one backend lists; None if it fails or answers with something else."""
    try:
        reply = await backend.send(call)
        async with aclosing(reply.chunks):
            body = reply.whole or await beginning(reply.chunks, _LIMIT)
    except ProxyError:
        return None
    text = decode(reply.headers, body, _LIMIT)
    if reply.status != 200 or text is None:
        return None
    try:
        models = msgspec.json.decode(text)["data"]
        return [model for model in models if isinstance(model["id"], str)]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None
