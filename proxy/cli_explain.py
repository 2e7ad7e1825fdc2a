"""`penstock explain`: a request's plan from a file, without a running server."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.table import Table

from proxy.config import Config
from proxy.edge import endpoint_scope, read_call
from proxy.errors import ConfigError, ProxyError
from proxy.explain import explained
from proxy.generation import Generation
from proxy.send import Message
from proxy.start import open_resources
from proxy.stores.bound import bind


def plan_of(config: Config, raw: bytes, path: str, tenant: str) -> dict[str, Any]:
    """The plan as JSON, or `{"error": why}` for a request that would be refused."""
    return asyncio.run(_plan_of(config, raw, path, tenant))


async def _plan_of(config: Config, raw: bytes, path: str, tenant: str) -> dict[str, Any]:
    resources = await open_resources(config)
    generation = Generation(
        config,
        lambda space, whose: bind(resources.store, space, whose),
        resources.books,
        resources.turns,
    )

    async def receive() -> Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    try:
        await generation.setup()
        call = await read_call(endpoint_scope(path, []), receive, generation, tenant)
        return await explained(call, generation)
    except (ProxyError, ConfigError) as error:
        return {"error": str(error)}
    finally:
        await generation.aclose()
        await resources.books.aclose()
        await resources.store.aclose()


def table(plan: dict[str, Any]) -> Table:
    """The plan as a table, one line a step."""
    title = (
        f"{plan['endpoint']}  model {plan['model'] or '(none)'}  route {plan['route']}  "
        f"pipeline {plan['pipeline']}"
    )
    shown = Table(title=title, caption=f"answered by: {plan['answered_by']}", title_justify="left")
    for heading in ("policy", "decision", "why", "effect", "mode", "tokens", "ms"):
        shown.add_column(heading)
    for step in plan["steps"]:
        tokens = step.get("tokens")
        shown.add_row(
            step["policy"],
            step["decision"],
            step["why"],
            str(step.get("effect", "")),
            step["mode"],
            f"{tokens['before']} -> {tokens['after']}" if tokens else "",
            f"{step['ms']:.2f}",
        )
    return shown
