"""Health, metrics and `/admin`: FastAPI, behind `/v1`."""

from __future__ import annotations

import os
import signal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field

from policies.base.policy import Strict
from proxy.auth import credential
from proxy.edge import endpoint_scope, read_call
from proxy.errors import BadRequest, ProxyError, Unauthorized, WrongMethod
from proxy.explain import explained
from proxy.live import Live
from proxy.stores.tier import Match, StoreError


def pages(live: Live) -> FastAPI:
    """The application for every path that is not `/v1/*`."""
    app = FastAPI(title="Penstock", docs_url="/docs", redoc_url=None)
    _health(app, live)
    _admin(app, live)

    @app.exception_handler(ProxyError)
    async def proxy_error(_: Request, error: ProxyError) -> JSONResponse:
        return _refusal(error)

    @app.exception_handler(StoreError)
    async def store_failed(_: Request, error: StoreError) -> JSONResponse:
        return _refusal(_StoreDownError(str(error)))

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return _refusal(BadRequest(first["msg"], param=".".join(map(str, first["loc"][1:]))))

    @app.exception_handler(404)
    async def unknown(request: Request, _: Any) -> JSONResponse:
        path = request.url.path
        return _refusal(_NoPage(f"there is nothing at {path}; the API is below /v1/"))

    @app.exception_handler(405)
    async def unfit(request: Request, error: HTTPException) -> JSONResponse:
        refusal = _refusal(WrongMethod(f"{request.url.path} does not take {request.method}"))
        refusal.headers.update(error.headers or {})  # which it does take
        return refusal

    return app


class _Filters(Strict):
    """Strict, because a misspelt filter would have everything purged."""

    tenant: str | None = None
    model: str | None = None
    older_than: Annotated[float, Field(ge=0, strict=False)] | None = None  # seconds


class _NoPage(BadRequest):
    status = 404
    code = "not_found"


class _StoreDownError(ProxyError):
    status = 503
    code = "store_unavailable"


def _refusal(error: ProxyError) -> JSONResponse:
    body = {
        "error": {
            "message": error.message,
            "type": error.kind,
            "param": error.param,
            "code": error.code,
        }
    }
    return JSONResponse(body, status_code=error.status)


def _guard(live: Live) -> Any:
    async def admitted(request: Request) -> None:
        """Only this machine, or the holder of the admin key."""
        # Behind a reverse proxy on this machine everybody's connection is a local one.
        relayed = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        peer = request.client.host if request.client and not relayed else None
        if not live.current.clients.admits(peer, credential(request.scope["headers"])):
            raise Unauthorized("this page is for this machine, or for the admin key")

    return Depends(admitted)


def _health(app: FastAPI, live: Live) -> None:
    @app.head("/livez", include_in_schema=False)
    @app.get("/livez")
    async def livez() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.head("/health", include_in_schema=False)
    @app.get("/readyz")
    @app.get("/health")
    async def ready() -> dict[str, Any]:
        """A configuration is live. Asks no upstream."""
        return {"status": "ok", "backends": sorted(live.current.backends)}

    @app.get("/metrics", dependencies=[_guard(live)])
    async def metrics(request: Request) -> Response:
        """Prometheus metrics of all workers."""
        body, kind = live.resources.books.metrics.render(request.headers.get("accept", ""))
        return Response(body, media_type=None, headers={"content-type": kind})


def _admin(app: FastAPI, live: Live) -> None:
    guard = _guard(live)

    @app.post("/admin/reload", dependencies=[guard])
    async def reload() -> Response:
        """Take the configuration file as it is now, in every worker."""
        problems = await live.reload()
        if problems:
            body = {
                "error": {
                    "message": "\n".join(problems),
                    "type": "configuration_error",
                    "param": None,
                    "code": "invalid_configuration",
                }
            }
            return JSONResponse(body, status_code=422)
        parent = os.environ.get("PENSTOCK_SUPERVISOR")
        if parent:
            os.kill(int(parent), signal.SIGHUP)
        return JSONResponse({"status": "reloaded"})

    @app.post("/admin/explain", dependencies=[guard])
    async def explain(
        request: Request,
        path: str = "chat/completions",
        tenant: str | None = None,
        diff: bool = False,
    ) -> dict[str, Any]:
        """The plan of a request, which is not sent. `path` is the endpoint below /v1/.

        Without `tenant`, the request's own credential says whose it is. `diff`: also what
        each edit changed.
        """
        scope = endpoint_scope(path, request.scope["headers"])
        generation = live.lease()
        try:
            call = await read_call(scope, request.receive, generation, tenant)
            before = live.resources.books.predictions
            return await explained(call, generation, before, diff=diff)
        finally:
            live.release(generation)

    @app.delete("/admin/cache", dependencies=[guard])
    async def purge(only: Annotated[_Filters, Query()]) -> dict[str, int]:
        """Forget stored replies: all, or those that fit every filter given."""
        match = Match(tenant=only.tenant, model=only.model, older_than=only.older_than)
        return {"purged": await live.resources.store.purge(match)}
