"""What a configuration says, once it is read, checked and resolved: frozen, never raw YAML."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from policies.base.call import Effect
from policies.base.policy import Strict
from policies.base.units import Duration, Size
from proxy.config.problems import Source

Mode = Literal["on", "shadow", "off"]
Preset = Literal["safe", "balanced", "aggressive"]
PRESETS: tuple[Preset, ...] = ("safe", "balanced", "aggressive")

# Names go into headers and metric labels.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Secret = Annotated[SecretStr, Field(min_length=1)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`, a name or an address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    # A socket for both families shows 127.0.0.1 as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _digits(value: Any) -> Any:
    """`"8484"` as 8484: a port is the one number that containers set by environment."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value) else value


def _redis_url(url: str) -> str:
    if not re.match(r"(rediss?|unix)://.", url):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return url


Port = Annotated[
    Annotated[int, Field(ge=0, le=65535)],
    BeforeValidator(_digits),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65535}, {"type": "string"}]}
    ),
]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class Listen(Strict):
    """The address to serve on."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Without clients: loopback only."
    )
    port: Port = Field(default=8484, description="0 takes any free port.")


class Client(Strict):
    """Somebody who may call, and a tenant of its own."""

    name: Name
    key: Secret = Field(description='By environment only: "${TEAM_A_KEY}".')


class Match(Strict):
    """Which requests a route takes, by shell patterns (`*`, `?`, `[abc]`)."""

    model: str = Field(default="*", min_length=1)
    endpoint: str = Field(
        default="*", min_length=1, description="Below /v1/, such as chat/completions."
    )


class Stores(Strict):
    """Where replies are kept, and how much of them."""

    memory: Size = Field(default=64_000_000, description="Bytes kept in each worker's memory.")
    disk: Size = Field(default=1_000_000_000, description="Bytes kept in SQLite, under `data`.")
    redis: RedisUrl | None = Field(default=None, repr=False, description="Instead of SQLite.")


class Sharing(Strict):
    """One upstream call for identical requests that run at the same time."""

    enabled: bool = True
    sampled: Literal["bypass", "reuse"] = Field(
        default="bypass",
        description="Requests that ask for chance: their own call, or one for all.",
    )


class Limits(Strict):
    """Bounds on one exchange."""

    body: Size = Field(default=32 * 1024**2, description="Largest request body that is accepted.")
    recording: Size = Field(
        default=8 * 1024**2, description="Largest reply that is kept or shared."
    )


class Ledger(Strict):
    """The books."""

    keep: Duration = Field(default=90 * 86400.0, description="How long rows are kept.")


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """A backend to build: the word that names its kind, and that kind's settings."""

    use: str
    settings: Strict


@dataclass(frozen=True, slots=True)
class Step:
    """A policy to build. `deadline` in seconds."""

    use: str
    settings: Strict
    mode: Mode
    deadline: float


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in order. `holdout` is the share of traffic, 0 to 1, that none of them touches."""

    name: str
    steps: tuple[Step, ...]
    effects: frozenset[Effect]
    holdout: float


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests go: `send` names backends, first choice first.

    `effects` is all that may be done to a request here, its own pipeline's effects narrowed
    by the route's; a pipeline that a request header names is narrowed to them too.
    `pipeline` is None where requests are only relayed.
    """

    when: Match
    send: tuple[str, ...]
    pipeline: str | None
    effects: frozenset[Effect]


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. Every name in it leads somewhere.

    `fallback` tells what the environment offered where no backend is configured.
    """

    listen: Listen
    data: Path
    preset: Preset
    clients: tuple[Client, ...]
    admin_key: SecretStr | None
    backends: Mapping[str, BackendChoice]
    pipelines: Mapping[str, Pipeline]
    routes: tuple[Route, ...]
    store: Stores
    coalesce: Sharing
    limits: Limits
    ledger: Ledger
    fallback: Literal["openai", "simulated"] | None
    source: Source = field(compare=False, repr=False)

    @property
    def needed(self) -> frozenset[str]:
        """The pipelines that must work: those of routes, and those that the file writes down.

        What is left are presets that only a request can name: they may lack an extra.
        """
        written = {name for name in self.pipelines if ("pipelines", name) in self.source.keys}
        return frozenset(written | {route.pipeline for route in self.routes if route.pipeline})
