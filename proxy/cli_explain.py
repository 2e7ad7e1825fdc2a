"""`penstock explain`: a request's plan from a file, without a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from policies.base.call import Call
from proxy.config import Config
from proxy.edge import endpoint_scope, read_call
from proxy.errors import ConfigError, ProxyError
from proxy.explain import explained, sent_before
from proxy.generation import Generation
from proxy.prediction.predictions import Predictions
from proxy.send import Message
from proxy.start import open_resources
from proxy.stores.bound import bind


def plan_of(  # noqa: PLR0913 - the last two by name or by default
    config: Config,
    raw: bytes,
    path: str,
    tenant: str,
    after: Sequence[bytes] = (),
    *,
    diff: bool = False,
) -> dict[str, Any]:
    """The plan as JSON, or `{"error": why}` for a request that would be refused.

    `after`: bodies that are taken to have been sent just before, in this order. `diff`: with
    what each edit changed.
    """
    return asyncio.run(_plan_of(config, [*after, raw], path, tenant, diff=diff))


async def _plan_of(
    config: Config, bodies: Sequence[bytes], path: str, tenant: str, *, diff: bool
) -> dict[str, Any]:
    resources = await open_resources(config)
    generation = Generation(
        config,
        lambda space, whose: bind(resources.store, space, whose),
        resources.books,
        resources.turns,
    )

    async def read(body: bytes) -> Call:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        return await read_call(endpoint_scope(path, []), receive, generation, tenant)

    predictions = Predictions()
    try:
        await generation.setup()
        for body in bodies[:-1]:
            await sent_before(await read(body), generation, predictions)
        return await explained(await read(bodies[-1]), generation, predictions, diff=diff)
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
    caption = f"answered by: {plan['answered_by']}\nprompt cache: {_cached(plan['prompt_cache'])}"
    shown = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for heading in ("policy", "decision", "why", "effect", "mode", "tokens", "ms"):
        shown.add_column(heading)
    for step in plan["steps"]:
        tokens = step.get("tokens") or {}
        shown.add_row(
            step["policy"],
            step["decision"],
            step["why"],
            str(step.get("effect", "")),
            step["mode"],
            f"{tokens['before']} -> {tokens['after']}" if tokens.get("before") else "",
            f"{step['ms']:.2f}",
        )
    return shown


def _cached(found: dict[str, Any] | None) -> str:
    """What the provider's cache should hold, and why not all."""
    if found is None:
        return "nothing to read"
    tokens = found["tokens"]
    share = f"{tokens['predicted']:,} of {tokens['total']:,} tokens predicted"
    return f"{share}; {found['why']}" if found["why"] else share
