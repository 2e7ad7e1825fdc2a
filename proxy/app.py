"""The ASGI application: `/v1/*` on raw ASGI, everything else through the admin pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING

from policies.base.call import Call, Dialect
from proxy import compression, models
from proxy.downstream import ON_DISCONNECT
from proxy.edge import read_call
from proxy.errors import ProxyError
from proxy.exchange import CutOff, Exchange
from proxy.fault import note
from proxy.generation import Generation
from proxy.live import Live
from proxy.send import ClientGone, Receive, Scope, Send, send_error
from proxy.unplanned import refused

if TYPE_CHECKING:
    from fastapi import FastAPI


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

    async def _v1(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        # The error form is Anthropic's on its own paths, and OpenAI's on all others.
        anthropic = scope["path"].startswith("/v1/messages")
        form = Dialect.MESSAGES if anthropic else Dialect.CHAT
        generation = self._live.lease()
        try:
            if scope["path"] == compression.PATH:
                await compression.answer(scope, receive, generation, send)
                return
            call = await read_call(scope, receive, generation)
            if models.is_list(call) and len(generation.backends) > 1:
                await models.answer(call, generation, send)
            else:
                await _exchange(call, generation, scope, send, started)
        except ProxyError as error:
            self._refused(scope, generation, error.status, started, error.code)
            await send_error(send, form, error)
        except ClientGone:
            self._refused(scope, generation, 499, started, "client_gone")
        except CutOff:
            # The server closes the connection of a reply that was begun and not ended.
            return
        except Exception as error:  # noqa: BLE001 - the last resort, so that a client hears of it
            note(error)
            failed = ProxyError("Penstock failed; its log says where")
            self._refused(scope, generation, failed.status, started, failed.code)
            await send_error(send, form, failed)
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


async def _exchange(
    call: Call, generation: Generation, scope: Scope, send: Send, started: float
) -> None:
    """Run a call; when its client hangs up, cancel it, unless others wait for its reply."""
    lane = generation.lane(call)
    gone = False

    def hung_up(cancel: Callable[[], object]) -> None:
        nonlocal gone
        gone = True
        call.audience.desert(cancel)

    on_disconnect = scope["extensions"][ON_DISCONNECT]
    on_disconnect(hung_up)
    try:
        await Exchange(call, lane, send, started).run()
    except asyncio.CancelledError:
        if not gone:
            raise
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
    finally:
        on_disconnect(None)
