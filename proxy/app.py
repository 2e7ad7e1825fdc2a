"""The ASGI application: `/v1/*` on raw ASGI, everything else through the admin pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING

from policies.base.call import Dialect
from proxy import compression, models
from proxy.edge import read_call
from proxy.errors import ProxyError
from proxy.exchange import CutOff, Exchange
from proxy.fault import note
from proxy.generation import Generation
from proxy.live import Live
from proxy.send import CLIENT, Client, ClientGone, Message, Receive, Scope, respond_error
from proxy.unplanned import refused

if TYPE_CHECKING:
    from fastapi import FastAPI


Send = Callable[[Message], Awaitable[None]]


class App:
    """What uvicorn serves. Owns nothing but its `Live`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._admin: FastAPI | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request, or the life of the process."""
        if scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        if scope["path"].startswith("/v1/"):
            return self._v1(scope, receive, send)
        return self._pages()(scope, receive, send)

    async def _v1(self, scope: Scope, receive: Receive, _send: object) -> None:
        started = perf_counter()
        client: Client = scope["extensions"][CLIENT]
        generation = self._live.lease()
        try:
            if scope["path"] == compression.PATH:
                await compression.answer(scope, receive, generation, client)
                return
            call = await read_call(scope, receive, generation)
            if models.is_list(call) and len(generation.backends) > 1:
                await models.answer(call, generation, client)
            else:
                await Exchange(call, generation.lane(call), client, started).run()
        except ProxyError as error:
            self._refused(scope, generation, error.status, started, error.code)
            respond_error(client, _form(scope), error)
        except ClientGone:
            self._refused(scope, generation, 499, started, "client_gone")
        except CutOff:
            # The server closes the connection of a reply that was begun and not ended.
            return
        except Exception as error:  # noqa: BLE001 - the last resort, so that a client hears of it
            note(error)
            failed = ProxyError("Penstock failed; its log says where")
            self._refused(scope, generation, failed.status, started, failed.code)
            respond_error(client, _form(scope), failed)
        finally:
            self._live.release(generation)

    def _refused(
        self, scope: Scope, generation: Generation, status: int, started: float, error: str
    ) -> None:
        entry = refused(scope, generation.clients, started, status, error)
        generation.books.unplanned(status, entry)

    def _pages(self) -> FastAPI:
        """FastAPI is imported when somebody asks: it is a third of the start-up time."""
        if self._admin is None:
            from proxy.admin import pages  # noqa: PLC0415 - see above

            self._admin = pages(self._live)
        return self._admin

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._live.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._live.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _form(scope: Scope) -> Dialect:
    """In whose form errors are told: Anthropic's on its own paths, and OpenAI's on all others."""
    return Dialect.MESSAGES if scope["path"].startswith("/v1/messages") else Dialect.CHAT
