"""What a configuration file may say: models made of the policies and backends there are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, create_model

from policies.base.call import Effect
from policies.base.policy import Policy, Strict
from policies.base.units import Duration
from proxy.backends.registry import BackendKind
from proxy.config import (
    Client,
    Ledger,
    Limits,
    Listen,
    Match,
    Mode,
    Name,
    Preset,
    Secret,
    Sharing,
    Stores,
)

Policies = Mapping[str, type[Policy]]
Backends = Mapping[str, type[BackendKind]]


def _first(version: int) -> int:
    if version != 1:
        raise ValueError("must be 1, the only version there is")
    return version


class StepForm(Strict):
    """What every step may say besides its policy's own settings."""

    mode: Mode = Field(default="on", description="shadow: planned and recorded, not applied.")
    deadline: Annotated[Duration, Field(gt=0)] = Field(
        default=0.05, description="To decide, per request."
    )


class PipelineForm(Strict):
    """A pipeline in its long form."""

    effects: frozenset[Effect] | None = Field(default=None, description="Default: the preset's.")
    holdout: float = Field(default=0.0, ge=0, le=1, description="Share of traffic left untouched.")
    steps: list[Any]


def _one_or_many(value: Any) -> str | None:
    if isinstance(value, str):
        return "<name>"
    return "<list>" if isinstance(value, list) else None


class RouteForm(Strict):
    """Where some of the requests go. The first route that matches is taken."""

    when: Match = Match()
    send: (
        Annotated[
            Annotated[str, Tag("<name>")]
            | Annotated[Annotated[list[str], Field(min_length=1)], Tag("<list>")],
            Discriminator(_one_or_many, "form", "must be a backend's name or a list of names"),
        ]
        | None
    ) = Field(
        default=None, description="Backends, first choice first; may be left out if there is one."
    )
    pipeline: str | None = Field(default="default", description="null: relay only.")
    effects: frozenset[Effect] | None = Field(default=None, description="Narrows the pipeline's.")


class FileForm(Strict):
    """The whole file."""

    version: Annotated[int, AfterValidator(_first), WithJsonSchema({"const": 1})]
    listen: Listen = Listen()
    data: str = Field(
        default="~/.local/share/penstock", min_length=1, description="Folder for state."
    )
    preset: Preset = Field(default="safe", description="What the pipeline `default` does.")
    clients: list[Client] = Field(
        default=[], description="None, on loopback: everyone on this machine."
    )
    admin_key: Secret | None = Field(
        default=None, description="Opens /admin and /metrics from elsewhere."
    )
    backends: dict[Name, Any] = Field(default={})
    pipelines: dict[Name, Any] = Field(default={})
    routes: list[RouteForm] = Field(default=[])
    store: Stores = Stores()
    coalesce: Sharing = Sharing()
    limits: Limits = Limits()
    ledger: Ledger = Ledger()


@dataclass(frozen=True, slots=True)
class Forms:
    """The models of a whole file and of one pipeline, with what they were made of."""

    file: type[FileForm]
    pipeline: type[PipelineForm]
    policies: Policies
    backends: Backends


def forms(policies: Policies, backends: Backends) -> Forms:
    """Build the models. Raises `TypeError` when some settings use a name that is ours."""
    return _forms(tuple(sorted(policies.items())), tuple(sorted(backends.items())))


@lru_cache(maxsize=4)  # a reload uses those of the start
def _forms(
    policies: tuple[tuple[str, type[Policy]], ...],
    backends: tuple[tuple[str, type[BackendKind]], ...],
) -> Forms:
    step: Any = _chosen_by_use(dict(policies), StepForm)
    steps: Any = list[step]
    pipeline = create_model("Pipeline", __base__=PipelineForm, steps=(steps, ...))
    either: Any = Annotated[
        Union[Annotated[steps, Tag("<list>")], Annotated[pipeline, Tag("<mapping>")]],  # noqa: UP007 - made at run time
        Discriminator(
            _list_or_mapping, "form", "must be a list of steps, or a mapping with 'steps'"
        ),
    ]
    file = create_model(
        "Penstock configuration",
        __base__=FileForm,
        __doc__="Penstock's configuration file.",
        backends=_named(_chosen_by_use(dict(backends), Strict), "Upstreams by a name of your own."),
        pipelines=_named(either, "Steps by a name of your own."),
    )
    return Forms(file, pipeline, dict(policies), dict(backends))


def _named(kind: Any, description: str) -> Any:
    return dict[Name, kind], Field(default={}, description=description)


def _list_or_mapping(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<mapping>"
    return "<list>" if isinstance(value, list) else None


def _chosen_by_use(kinds: Mapping[str, Any], common: type[Strict]) -> Any:
    members = tuple(
        Annotated[_entry(use, kind, common), Tag(f"<{use}>")] for use, kind in kinds.items()
    )
    return Annotated[Union[members], Discriminator(_use, "use", "has no known 'use'")]  # noqa: UP007 - made at run time


def _use(value: Any) -> str | None:
    use = value.get("use") if isinstance(value, dict) else None
    return f"<{use}>" if isinstance(use, str) else None


def _entry(use: str, kind: Any, common: type[Strict]) -> type[Strict]:
    settings: type[Strict] = kind.Settings
    taken = settings.model_fields.keys() & {"use", *common.model_fields}
    if taken:
        raise TypeError(f"the settings of {use} declare {sorted(taken)}, which every step has")
    bases = (settings,) if common is Strict else (settings, common)
    word: Any = Literal[use]
    return create_model(
        use.replace(".", "_"), __base__=bases, __doc__=inspect.getdoc(kind), use=(word, ...)
    )
