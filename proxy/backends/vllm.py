"""A fleet of vLLM servers that serve the same model: each call to the least busy."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from policies.base.call import Call
from policies.base.ports import Backend
from policies.base.reply import Chunks, Reply
from proxy.backends.http import Connection, Http, origin
from proxy.backends.registry import backend
from proxy.backends.wrap.breaker import Breaker
from proxy.errors import ConnectFailed, Overloaded


class _Counted:
    """A body that tells its replica when it has ended, however it ends."""

    def __init__(self, chunks: Chunks, replica: Replica) -> None:
        self._chunks = chunks
        self._replica: Replica | None = replica

    def __aiter__(self) -> _Counted:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except BaseException:
            self._end()
            raise

    async def aclose(self) -> None:
        self._end()
        await self._chunks.aclose()

    def _end(self) -> None:
        if self._replica is not None:
            self._replica.in_flight -= 1
            self._replica = None


class Replica:
    """One server and the calls it is working on."""

    def __init__(self, http: Backend) -> None:
        self.http = http
        self.in_flight = 0

    async def send(self, call: Call) -> Reply:
        """As `Http.send`, counted until the last byte of the reply."""
        self.in_flight += 1
        try:
            reply = await self.http.send(call)
        except BaseException:
            self.in_flight -= 1
            raise
        if reply.whole is not None:
            self.in_flight -= 1
        else:
            reply.chunks = _Counted(reply.chunks, self)
        return reply


@backend("vllm")
class Vllm:
    """Replicas by address; a caller's own key is not theirs to see unless `forward_key`."""

    class Settings(Connection):
        """`replicas`: server addresses without `/v1`."""

        replicas: list[Annotated[str, AfterValidator(origin)]] = Field(min_length=1)
        forward_key: bool | None = False

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        shared = settings.model_dump(exclude={"replicas"})
        self._replicas = [
            Replica(Breaker(_http(name, url, shared), settings.breaker))
            for url in settings.replicas
        ]
        self._turn = 0

    async def send(self, call: Call) -> Reply:
        """The reply of the least busy replica that takes connections."""
        self._turn += 1
        turn, count = self._turn, len(self._replicas)
        order = sorted(
            range(count), key=lambda i: (self._replicas[i].in_flight, (i - turn) % count)
        )
        for index in order[:-1]:
            try:
                return await self._replicas[index].send(call)
            except (ConnectFailed, Overloaded):
                continue
        return await self._replicas[order[-1]].send(call)

    async def aclose(self) -> None:
        """Close the connections to every replica."""
        for replica in self._replicas:
            await replica.http.aclose()


def _http(name: str, url: str, shared: dict[str, Any]) -> Http:
    return Http(name, Http.Settings(base_url=f"{url.removesuffix('/v1')}/v1", **shared))
