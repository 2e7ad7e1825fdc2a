"""`penstock check`: what a start would refuse, and what is doubtful."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import policies
from proxy.backends import registry
from proxy.config import Config
from proxy.config.load import load
from proxy.config.loop import loops
from proxy.config.problems import Problem
from proxy.config.warnings import warnings
from proxy.errors import ConfigError


class Verdict(msgspec.Struct, frozen=True):
    """`good` exactly when there are no `errors`; lines are `file:line:col: path: message`."""

    file: str
    good: bool
    errors: list[str]
    warnings: list[str]
    backends: list[str] = []
    routes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The same for `json.dumps`."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def verdict(path: Path, environ: Mapping[str, str]) -> Verdict:
    """Read the file and set everything up as a start would, without listening or sending."""
    try:
        config = load(path, environ)
    except ConfigError as error:
        return Verdict(str(path), good=False, errors=error.problems, warnings=[])
    errors = [*_unbuilt(config), *loops(config, config.listen.host, config.listen.port)]
    backends = list(config.backends)
    return Verdict(str(path), not errors, errors, warnings(config), backends, len(config.routes))


def _unbuilt(config: Config) -> list[str]:
    """What cannot be set up: a missing extra, a file that is not there."""
    return config.source.lines(asyncio.run(_problems(config)))


async def _problems(config: Config) -> list[Problem]:
    found: list[Problem] = []
    for name, choice in config.backends.items():
        try:
            await registry.discover()[choice.use](name, choice.settings).aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, a start would fail of it
            found.append(_problem(config, ("backends", name), error))
    kinds: Mapping[str, Any] = policies.discover()
    for name in config.pipelines.keys() & config.needed:
        for index, step in enumerate(config.pipelines[name].steps):
            if step.mode == "off":
                continue
            try:
                policy = kinds[step.use](step.settings)
                await policy.setup()
                await policy.aclose()
            except Exception as error:  # noqa: BLE001 - same
                found.append(_problem(config, (*_steps(config, name), index), error, step.use))
    return found


def _steps(config: Config, pipeline: str) -> tuple[str, ...]:
    """Where the list of steps stands, in the short form of a pipeline or the long one."""
    short = ("pipelines", pipeline)
    return (*short, "steps") if (*short, "steps") in config.source.values else short


def _problem(
    config: Config, path: tuple[str | int, ...], error: Exception, use: str = ""
) -> Problem:
    what = f"{use}: " if use else ""
    return config.source.problem(path, f"{what}cannot be set up: {error}")
