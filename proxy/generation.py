"""One configuration, built: policies set up, backends connected, routes ready to match."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import policies
from policies.base.call import OPAQUE, Call, Effect
from policies.base.ports import Backend
from proxy.auth import Clients
from proxy.backends import registry
from proxy.backends.wrap.breaker import Breaker
from proxy.backends.wrap.coalesce import Coalesce
from proxy.backends.wrap.fallback import Fallback
from proxy.backends.wrap.gate import Gate
from proxy.backends.wrap.retry import Retry
from proxy.backends.wrap.rounds import LocalTools
from proxy.books import Books
from proxy.config import BackendChoice, Config
from proxy.config import Pipeline as PipelineConfig
from proxy.engine import Bind, Engine
from proxy.errors import BadRequest
from proxy.guards.guards import Guards
from proxy.guards.monotone import Monotone
from proxy.guards.rollback import Rollback
from proxy.lane import Lane
from proxy.market import Market
from proxy.pipeline import Pipeline, Stage
from proxy.repeats import Repeats
from proxy.routes import Route, Router

_RELAY = Pipeline("relay", (), frozenset(Effect), 0.0)  # touches nothing


class Generation:
    """What requests run on until the next reload. `leases` counts those that still do."""

    def __init__(self, config: Config, bind: Bind, books: Books, turns: Monotone) -> None:
        self.config = config
        self.books = books
        self.repeats = Repeats()
        self.leases = 0
        self.stamp = os.urandom(6).hex()  # made after a fork: begins the ids of requests
        self.clients = Clients(
            [(client.name, client.key.get_secret_value()) for client in config.clients],
            config.admin_key.get_secret_value() if config.admin_key else None,
        )
        self.router = Router(_routes(config))
        market = Market(config.backends, books.prices)
        guards = Guards(turns, market.terms, books.drifted, Rollback(books.rolled_back))
        self.engine = Engine(bind, books.policy_failed, market.terms, guards, counter=books.counter)
        self.pipelines = {name: _pipeline(it) for name, it in config.pipelines.items()}
        self.backends = {
            name: Gate(_backend(name, choice), partial(market.at, name))
            for name, choice in config.backends.items()
        }
        self._unusable: dict[str, str] = {}  # pipelines, and why
        self._bind = bind
        self._local_tools = any(stage.policy.local_tools for stage in self._stages())
        self._lanes: dict[str, Lane] = {}
        self._chains: dict[tuple[str, ...], Backend] = {}

    async def setup(self) -> None:
        """Let every policy load what it needs; raises what the first failing one raises.

        A preset that no route uses may fail: requests that name it are told why.
        """
        for name, pipeline in self.pipelines.items():
            try:
                for stage in pipeline.stages:
                    await stage.policy.setup()
            except Exception as error:
                if name in self.config.needed:
                    raise
                self._unusable[name] = str(error)

    def lane(self, call: Call) -> Lane:
        """What runs this call; raises `BadRequest` for a pipeline that is not there."""
        asked = call.controls.pipeline
        name = call.pipeline if asked is None else asked
        if call.dialect is OPAQUE:
            name = ""  # policies read bodies, and this one is only passed on
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = self._lane(name)
        return lane

    def _lane(self, name: str) -> Lane:
        pipeline = self.pipelines.get(name) if name else _RELAY
        if pipeline is None:
            known = ", ".join(sorted(self.pipelines))
            raise BadRequest(
                f"there is no pipeline '{name}'; there are: {known}", param="x-penstock-policy"
            )
        if name in self._unusable:
            raise BadRequest(
                f"the pipeline '{name}' cannot be used here: {self._unusable[name]}",
                param="x-penstock-policy",
            )
        limit = self.config.limits.recording
        return Lane(self.engine, pipeline, self.chain, self.books, limit)

    def chain(self, names: tuple[str, ...]) -> Backend:
        """The backends of a route as one: next on failure, shared by identical calls."""
        if names not in self._chains:
            chosen: Sequence[Backend] = [self.backends[name] for name in names]
            inner: Backend = chosen[0] if len(chosen) == 1 else Fallback(chosen)
            if self._local_tools:
                inner = LocalTools(inner, self._bind)
            sharing = self.config.coalesce
            self._chains[names] = (
                Coalesce(
                    inner,
                    sampled=sharing.sampled == "reuse",
                    limit=self.config.limits.recording,
                )
                if sharing.enabled
                else inner
            )
        return self._chains[names]

    def _stages(self) -> list[Stage]:
        return [stage for pipeline in self.pipelines.values() for stage in pipeline.stages]

    async def aclose(self) -> None:
        """Let go of connections and of what policies loaded; call it when leases are 0."""
        closing = [backend.aclose() for backend in self.backends.values()]
        closing += [stage.policy.aclose() for stage in self._stages()]
        await asyncio.gather(*closing)


def _routes(config: Config) -> list[Route]:
    return [
        Route(
            name=f"{index}:{route.when.model}",
            model=route.when.model,
            endpoint=route.when.endpoint,
            backends=route.send,
            pipeline=route.pipeline or "",
            effects=route.effects,
        )
        for index, route in enumerate(config.routes, 1)
    ]


def _pipeline(config: PipelineConfig) -> Pipeline:
    kinds: Mapping[str, Any] = policies.discover()
    stages = [
        Stage(kinds[step.use](step.settings), step.mode == "shadow", step.deadline)
        for step in config.steps
        if step.mode != "off"
    ]
    return Pipeline(config.name, tuple(stages), config.effects, config.holdout)


def _backend(name: str, choice: BackendChoice) -> Backend:
    """The backend itself, retried and guarded where it talks to somebody else."""
    built: Backend = registry.discover()[choice.use](name, choice.settings)
    settings: Any = choice.settings
    if hasattr(settings, "breaker"):
        built = Breaker(built, settings.breaker)
    if hasattr(settings, "retry"):
        built = Retry(built, settings.retry)
    return built
