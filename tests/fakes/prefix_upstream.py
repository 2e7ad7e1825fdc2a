"""An upstream with a prompt cache of its own, which records all that it is sent.

    with PrefixUpstream("anthropic_marks") as upstream:
        upstream.rejects = {"cache_control"}
        httpx2.post(upstream.url + "/v1/messages", json=body)

It answers as the simulated model does, cached tokens in its usage included. A request in which
a field of `rejects` stands anywhere gets a 400 that names the field; one with the header
`x-fake: 400`, a 400 that names none, and with `x-fake: 500` a 500; to `x-fake: hang` it begins a
stream that never ends. `requests` holds all of them as they came.
"""

from __future__ import annotations

import json
from typing import Any

from proxy.backends.simulated import Simulated
from tests.fakes.misbehaving import Misbehaving, Peer, Seen
from tests.fakes.simulated_server import a_call

__all__ = ["PrefixUpstream", "unmarked"]

_MARKS = ("cache_control", "prompt_cache_breakpoint")
_UNRELATED = {"message": "'temperature' is out of range", "param": "temperature"}


class PrefixUpstream(Misbehaving):
    """`rule`: how its cache works; `settings`: those of `use: simulated`."""

    def __init__(self, rule: str = "openai_steps", **settings: Any) -> None:
        super().__init__()
        self.rejects: set[str] = set()
        self._model = Simulated("upstream", Simulated.Settings(rule=rule, **settings))

    @property
    def bodies(self) -> list[bytes]:
        return [seen.body for seen in self.requests]

    @property
    def docs(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    async def _serve(self, peer: Peer, seen: Seen) -> None:
        await peer.read_body()
        self.requests.append(seen)
        refused = next((name for name in sorted(self.rejects) if _holds(seen.body, name)), None)
        if refused is not None:
            await self._refuse(peer, {"message": f"Unknown field: '{refused}'", "param": refused})
            return
        if seen.header("x-fake") == "500":
            await peer.answer(b"{}", "500 Internal Server Error")
            return
        if seen.header("x-fake") == "400":
            await self._refuse(peer, _UNRELATED)
            return
        path = seen.target.removeprefix("/v1/")
        reply = await self._model.send(a_call(path, seen.body, method=seen.method))
        if seen.header("x-fake") == "hang":
            await peer.open_stream()
            await peer.chunk(await anext(reply.chunks))
            await peer.hang()
        elif reply.whole is None:
            await peer.stream([chunk async for chunk in reply.chunks])
        else:
            await peer.answer(reply.whole, f"{reply.status} Simulated")

    async def _refuse(self, peer: Peer, error: dict[str, str]) -> None:
        whole = {"type": "error", "error": {"type": "invalid_request_error", **error}}
        await peer.answer(json.dumps(whole).encode(), "400 Bad Request")


def _holds(body: bytes, name: str) -> bool:
    return f'"{name}":'.encode() in body.replace(b'" :', b'":')


def unmarked(value: Any) -> Any:
    """A request as the provider's cache reads it: no marks, and a lone text part is its text.

    For the messages, the system prompt and the tools of a request.
    """
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict):
            part = {name: it for name, it in value[0].items() if name not in _MARKS}
            if part.keys() == {"type", "text"}:
                return part["text"]
        return [unmarked(each) for each in value]
    if isinstance(value, dict):
        return {name: unmarked(it) for name, it in value.items() if name not in _MARKS}
    return value
