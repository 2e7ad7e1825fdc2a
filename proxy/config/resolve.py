"""The parts of a `Config` out of a checked file: presets joined in, every default put in place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policies.base.call import Effect
from policies.base.policy import Strict
from proxy.config import PRESETS, BackendChoice, Match, Pipeline, Route, Step
from proxy.config.check import check
from proxy.config.files import config_file
from proxy.config.forms import FileForm, Forms, PipelineForm, RouteForm, StepForm
from proxy.config.read import read
from proxy.errors import ConfigError

_OURS = {"use", *StepForm.model_fields}


def backend_choices(tree: Mapping[str, Any], made: Forms) -> dict[str, BackendChoice]:
    """The backends of a checked file, in its order."""
    return {
        name: BackendChoice(entry["use"], _settings(made.backends[entry["use"]], entry, {"use"}))
        for name, entry in tree["backends"].items()
    }


def pipelines_of(
    form: FileForm, tree: Mapping[str, Any], made: Forms, environ: Mapping[str, str]
) -> dict[str, Pipeline]:
    """The presets, `default`, and the file's own. Raises `ConfigError` for a broken preset."""
    presets: dict[str, Pipeline] = {name: _preset(name, made, environ) for name in PRESETS}
    chosen = presets[form.preset]
    found: dict[str, Pipeline] = {"default": replace(chosen, name="default"), **presets}
    for name, written in form.pipelines.items():
        raw = tree["pipelines"][name]
        if isinstance(written, PipelineForm):
            found[name] = _pipeline(name, written, raw["steps"], made, chosen.effects)
        else:
            long = PipelineForm(steps=written)
            found[name] = _pipeline(name, long, raw, made, chosen.effects)
    return found


def _preset(name: str, made: Forms, environ: Mapping[str, str]) -> Pipeline:
    path = config_file(f"presets/{name}.yaml")
    document = read(path.read_bytes(), str(path), environ)
    form, problems = check(made.pipeline, document, made)
    if form is None:
        raise ConfigError(document.source.lines(problems))
    return _pipeline(name, form, document.tree["steps"], made, frozenset())


def _pipeline(
    name: str, form: PipelineForm, raw: list[Any], made: Forms, effects: frozenset[Effect]
) -> Pipeline:
    steps = tuple(
        Step(step.use, _settings(made.policies[step.use], entry, _OURS), step.mode, step.deadline)
        for step, entry in zip(form.steps, raw, strict=True)
    )
    allowed = effects if form.effects is None else form.effects
    return Pipeline(name, steps, allowed, form.holdout)


def _settings(kind: Any, entry: Mapping[str, Any], ours: set[str]) -> Strict:
    own = {key: value for key, value in entry.items() if key not in ours}
    settings: Strict = kind.Settings.model_validate_json(json.dumps(own))
    return settings


def routes_of(
    written: list[RouteForm], backends: tuple[str, ...], pipelines: Mapping[str, Pipeline]
) -> tuple[Route, ...]:
    """The routes of a checked file; without any, everything goes to the first backend."""
    if not written:
        return (Route(Match(), backends[:1], "default", pipelines["default"].effects),)
    return tuple(_route(form, backends, pipelines) for form in written)


def _route(form: RouteForm, backends: tuple[str, ...], pipelines: Mapping[str, Pipeline]) -> Route:
    send = (form.send,) if isinstance(form.send, str) else tuple(form.send or backends)
    effects = form.effects
    if form.pipeline is not None:
        own = pipelines[form.pipeline].effects
        effects = own if effects is None else own & effects
    return Route(form.when, send, form.pipeline, effects or frozenset())
