"""Ledger rows of requests without a plan: refused early, or answered by Penstock itself."""

from __future__ import annotations

import time
from time import perf_counter
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.usage import Usage
from proxy.auth import Clients, credential
from proxy.entry import LedgerEntry, RequestRow
from proxy.errors import Unauthorized
from proxy.prices import UNKNOWN
from proxy.send import Scope
from proxy.wire.envelope import DIALECTS

_NOTHING = RequestRow(  # was bought, and no backend asked
    id="",
    time=0.0,
    tenant="",
    route="",
    pipeline="",
    endpoint=Dialect.OPAQUE.value,
    model="",
    backend="",
    status=200,
    cache="BYPASS",
    stream=0,
    uncached=0,
    read=0,
    write=0,
    output=0,
    estimated=0,
    usd=0.0,
    usd_direct=0.0,
    tokens_before=0,
    tokens_after=0,
    attempts=0,
    overhead_s=0.0,
    ttft_s=None,
    total_s=0.0,
    error="",
    holdout=0,
)


def answered(call: Call, started: float) -> LedgerEntry:
    """Of a request that Penstock has answered. `started`: `perf_counter` when it came."""
    return _entry(started, id=call.id, tenant=call.tenant, model=call.model)


def refused(
    scope: Scope, clients: Clients, started: float, status: int, error: str
) -> LedgerEntry | None:
    """Of a request that could not be read, or that nothing serves.

    None where its key is not one of ours: it is nobody's, and strangers are not to fill the disk.
    """
    try:
        tenant = clients.tenant(credential(scope["headers"]))
    except Unauthorized:
        return None
    endpoint = DIALECTS.get(scope["path"].removeprefix("/v1/"), Dialect.OPAQUE).value
    return _entry(started, tenant=tenant, endpoint=endpoint, status=status, error=error)


def _entry(started: float, **known: Any) -> LedgerEntry:
    took = perf_counter() - started
    times = {"time": time.time() - took, "overhead_s": took, "total_s": took}
    return LedgerEntry(msgspec.structs.replace(_NOTHING, **times, **known), (), Usage(), UNKNOWN)
