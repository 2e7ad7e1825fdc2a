"""What is allowed in a configuration and still looks like a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import policies as all_policies
from proxy.config import Config, Pipeline, Route, Step
from proxy.config.forms import Policies
from proxy.config.problems import Path

_EDITING = ("compress", "prefix")  # families that change the request
_READING = ("compress.project", "compress.select")  # results as tools wrote them
_LAST = "compress.lossless"  # of the compressors: it refers from one message to another
_WILD = "*?["
_PAID = ("openai", "anthropic")  # they answer nobody without a key

Doubt = Iterator[tuple[Path, str]]


def warnings(config: Config, policies: Policies | None = None) -> list[str]:
    """One line per doubt, `file:line:col: path: message`, in the order of the file."""
    known = all_policies.discover() if policies is None else policies
    doubts = [*_backends(config), *_pipelines(config, known), *_routes(config)]
    source = config.source
    return source.lines(source.key_problem(path, message) for path, message in doubts)


def _backends(config: Config) -> Doubt:
    for name, choice in config.backends.items():
        path: Path = ("backends", name)
        if path not in config.source.keys:
            continue
        url = getattr(choice.settings, "base_url", None)
        if url and urlsplit(url).path in ("", "/"):
            yield (*path, "base_url"), "has no path, so requests go there without /v1"
        key = getattr(choice.settings, "api_key", None)
        if config.clients and key is None and choice.use in _PAID:
            yield path, "has no api_key, and the clients' keys are not passed on"


def _pipelines(config: Config, policies: Policies) -> Doubt:
    used = {route.pipeline for route in config.routes}
    for name, pipeline in config.pipelines.items():
        path: Path = ("pipelines", name)
        if path not in config.source.keys:
            continue
        if name not in used:
            yield path, "no route uses this pipeline; only the header x-penstock-policy leads to it"
        if pipeline.holdout == 1:
            yield (*path, "holdout"), "all traffic is held out, so no step ever runs"
        yield from _steps(config, pipeline, policies)


def _steps(config: Config, pipeline: Pipeline, policies: Policies) -> Doubt:
    path: Path = ("pipelines", pipeline.name)
    long = (*path, "steps")
    path = long if long in config.source.values else path
    seen: set[str] = set()
    edits: list[str] = []
    for index, step in enumerate(pipeline.steps):
        if step.mode == "off":
            continue
        family = step.use.split(".")[0]
        if step.use in seen:
            yield (*path, index), f"{step.use} stands in this pipeline already"
        yield from _hurried((*path, index), step)
        if family == "cache" and edits:
            yield (*path, index), f"stands after {edits[0]}, so it works on the edited request"
        if step.use in _READING and "compress.lossless" in edits:
            yield (*path, index), "stands after compress.lossless, whose notation it does not read"
        if getattr(policies[step.use], "local_tools", False) and edits:
            yield (*path, index), f"stands after {edits[0]}, so it stores what that has left"
        elif family == "compress" and step.use not in (_LAST, *_READING) and _LAST in edits:
            yield (*path, index), f"stands after {_LAST}, which may refer to what it changes"
        if family in _EDITING and step.mode == "on":
            edits.append(step.use)
        seen.add(step.use)
        yield from _denied((*path, index), step, pipeline, config, policies)


def _hurried(path: Path, step: Step) -> Doubt:
    budget, deadline = getattr(step.settings, "budget", 0.0), step.deadline
    if budget >= deadline:
        late = f"its deadline of {deadline:g} s, at which a request goes as it came"
        yield path, f"its budget of {budget:g} s is not below {late}"


def _denied(
    path: Path, step: Step, pipeline: Pipeline, config: Config, policies: Policies
) -> Doubt:
    effect = getattr(policies[step.use], "effect", None)
    if effect is None:
        return
    routes = [route for route in config.routes if route.pipeline == pipeline.name]
    if effect not in pipeline.effects:
        allowed = ", ".join(sorted(pipeline.effects)) or "none"
        yield path, f"never applies: its effect is {effect}, the pipeline allows {allowed}"
    elif routes and all(effect not in route.effects for route in routes):
        yield path, f"never applies: its effect is {effect}, which no route to it allows"


def _routes(config: Config) -> Doubt:
    for index, route in enumerate(config.routes):
        for earlier, other in enumerate(config.routes[:index]):
            if _covers(other, route):
                yield ("routes", index), f"is never reached: routes[{earlier}] takes all of it"
                break


def _covers(first: Route, second: Route) -> bool:
    return _wider(first.when.model, second.when.model) and _wider(
        first.when.endpoint, second.when.endpoint
    )


def _wider(wide: str, narrow: str) -> bool:
    """Whether surely all that matches `narrow` matches `wide`."""
    if wide in ("*", narrow):
        return True
    literal = next((i for i, c in enumerate(narrow) if c in _WILD), len(narrow))
    if literal == len(narrow):
        return fnmatchcase(narrow, wide)
    prefix = wide[:-1]
    open_ended = wide.endswith("*") and not any(c in prefix for c in _WILD)
    return open_ended and narrow[:literal].startswith(prefix)
