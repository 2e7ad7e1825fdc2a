"""Policies and backends that do nothing, for tests of the configuration: no global registry."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from policies.base.call import Effect
from policies.base.policy import Strict
from policies.base.units import Duration, Size
from proxy.config import Config
from proxy.config.load import loads

ENV = {"HOME": "/home/me", "TEAM_A_KEY": "key-of-team-a", "OPENAI_API_KEY": "key-of-openai"}

DESIGN = """
version: 1
listen: {host: 127.0.0.1, port: 8484}
data: ~/.local/share/penstock            # SQLite files, models, batch results
clients:                                 # none, on loopback
  - {name: team-a, key: "${TEAM_A_KEY}"}
backends:
  openai: {use: openai, base_url: "https://api.openai.com/v1", api_key: "${OPENAI_API_KEY}"}
  local:  {use: vllm, replicas: ["http://10.0.0.7:8000", "http://10.0.0.8:8000"]}
pipelines:
  default:
    - {use: cache.exact, ttl: 1h}
    - {use: compress.lossless}
    - {use: prefix.breakpoints}
routes:
  - {when: {model: "qwen*"}, send: local}
  - {when: {model: "*"}, send: openai, pipeline: default}
"""


class ExactCache:
    effect = Effect.EXACT

    class Settings(Strict):
        ttl: Duration = 3600.0
        sampled: Literal["bypass", "reuse"] = "bypass"
        max_entry: Size = 1000


class Compress:
    effect = Effect.LOSSLESS

    class Settings(Strict):
        tools: tuple[str, ...] = ()
        budget: Duration = 0.04


class Select:
    effect = Effect.LOSSY

    class Settings(Strict):
        share: float = Field(default=0.5, gt=0, lt=1)


class Stash(Select):
    local_tools = True


class Breakpoints:
    class Settings(Strict):
        pass


class Reorder(Breakpoints):
    effect = Effect.REORDER


class Rewrite(Breakpoints):
    effect = Effect.LOSSLESS


class Retry(Strict):
    attempts: int = 3


class Http:
    class Settings(Strict):
        base_url: str = "https://api.openai.com/v1"
        api_key: SecretStr | None = None
        headers: dict[str, SecretStr] = {}  # noqa: RUF012 - pydantic copies it
        retry: Retry = Retry()

        @field_validator("base_url")
        @classmethod
        def _url(cls, url: str) -> str:
            if not url.startswith("http"):
                raise ValueError(f"{url} is not a URL")
            return url


class Vllm:
    class Settings(Strict):
        replicas: list[str] = Field(min_length=1)


class Simulated:
    class Settings(Strict):
        delay: Duration = 0.0


POLICIES = {
    "cache.exact": ExactCache,
    "compress.lossless": Compress,
    "compress.select": Select,
    "compress.stash": Stash,
    "compress.history": Select,
    "prefix.breakpoints": Breakpoints,
    "prefix.canonical": Rewrite,
    "prefix.documents": Reorder,
    "prefix.volatile": Reorder,
}
BACKENDS = {"openai": Http, "http": Http, "vllm": Vllm, "simulated": Simulated}


def made(text: str | bytes, environ: dict[str, str] | None = None, name: str = "f.yaml") -> Config:
    return loads(text, name, ENV if environ is None else environ, POLICIES, BACKENDS)
