"""A trace through several schemes at once: direct, pipelines, the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import policies
from policies.base.ports import Count
from policies.base.terms import Terms
from proxy.config import Pipeline as PipelineConfig
from proxy.pipeline import Pipeline, Stage
from proxy.prices import Price
from proxy.replay.formats import document, talk_of
from proxy.replay.lines import Problems, lines
from proxy.replay.meter import Meter
from proxy.replay.oracle import oracle_of, rule_of
from proxy.replay.schedule import Pace, schedule
from proxy.replay.scheme import DIRECT, Scheme
from proxy.replay.talk import Malformed, Request, Talk, Target
from proxy.replay.tally import Tally
from proxy.simulation.fields import Invalid
from proxy.simulation.tokens import Encode, count

_PATIENCE = 60.0  # seconds for a policy: a replay is not timed, and must not depend on the load
_HOSTS = {
    "openai_steps": ("openai", "api.openai.com"),
    "openai_breakpoints": ("openai", "api.openai.com"),
    "anthropic_marks": ("anthropic", "api.anthropic.com"),
    "gemini_implicit": ("http", "generativelanguage.googleapis.com"),
    "deepseek_units": ("http", "api.deepseek.com"),
    "vllm_blocks": ("vllm", "localhost"),
}
Seen = Callable[[int], None]


class Comparison(msgspec.Struct, frozen=True):
    """What a replay found, schemes in the order in which they were asked for."""

    model: str
    price: Price
    schemes: tuple[Tally, ...]
    malformed: int
    problems: tuple[str, ...]


class Setup(msgspec.Struct, frozen=True):
    """How to replay. `capacity`: prefixes (vLLM: blocks of 16 tokens) that a cache holds."""

    model: str
    price: Price
    encode: Encode
    pace: Pace = Pace()
    capacity: int = 1 << 20


def terms_of(price: Price) -> Terms:
    """What a policy is told of the model's usual provider."""
    backend, host = _HOSTS.get(price.rule, ("http", ""))
    return price.terms(backend, host)


async def pipeline_of(config: PipelineConfig) -> Pipeline:
    """A configured pipeline with its policies set up. Raises what they raise.

    Whatever has a budget of seconds for itself has as much as it likes.
    """
    kinds: Mapping[str, Any] = policies.discover()
    stages = tuple(
        Stage(kinds[step.use](_patient(step.settings)), step.mode == "shadow", _PATIENCE)
        for step in config.steps
        if step.mode != "off"
    )
    for stage in stages:
        await stage.policy.setup()
    return Pipeline(config.name, stages, config.effects, config.holdout)


def _patient(settings: Any) -> Any:
    if "budget" in type(settings).model_fields:
        return settings.model_copy(update={"budget": _PATIENCE})
    return settings


async def traces_through(
    paths: Sequence[Path],
    setup: Setup,
    pipelines: Sequence[Pipeline],
    seen: Seen = lambda _: None,
) -> Comparison:
    """Replay files directly, through each pipeline, and with the oracle's cache.

    `seen` is told of bytes as they are read. Raises `OSError` for a file that cannot be read.
    """
    problems = Problems()
    target = Target(setup.model, setup.price.rule)
    return await compare(read(paths, target, problems, seen), setup, pipelines, problems)


async def compare(
    talks: Iterable[Talk], setup: Setup, pipelines: Sequence[Pipeline], problems: Problems
) -> Comparison:
    """As `traces_through`, with talks from anywhere; `problems` are those that reading finds."""
    schemes = _schemes(setup, pipelines)
    for now, key, request in schedule(talks, setup.pace):
        try:
            for scheme in schemes:
                await scheme.take(now, key, setup.model, request)
        except Invalid as error:
            problems.add(key, f"a request that no provider takes: {error.param or 'its body'}")
    return Comparison(
        setup.model,
        setup.price,
        tuple(scheme.tally for scheme in schemes),
        problems.count,
        tuple(problems.first),
    )


def _schemes(setup: Setup, pipelines: Sequence[Pipeline]) -> list[Scheme]:
    price, terms = setup.price, terms_of(setup.price)

    def direct(grain: int) -> Any:
        return rule_of(price, setup.capacity, grain)

    def counter(_model: str) -> Count:
        return lambda text: count(setup.encode(text))

    made = [
        Scheme(pipeline, Meter(direct, setup.encode), price, terms, counter)
        for pipeline in (DIRECT, *pipelines)
    ]
    best = Meter(lambda grain: oracle_of(price, grain), setup.encode)
    oracle = msgspec.structs.replace(DIRECT, name="oracle")
    return [*made, Scheme(oracle, best, price, terms, counter)]


def read(paths: Iterable[Path], target: Target, problems: Problems, seen: Seen) -> Iterator[Talk]:
    """The talks of all files; what is no talk is reported. Raises `OSError`."""
    for path in paths:
        for number, line in lines(path, problems, seen):
            place = f"{path.name}:{number}"
            try:
                talk = talk_of(line, place, target)
            except Malformed as error:
                problems.add(place, str(error))
                continue
            requests = _guarded(talk.requests, problems, place)
            yield msgspec.structs.replace(talk, requests=requests)


def _guarded(requests: Iterator[Request], problems: Problems, place: str) -> Iterator[Request]:
    try:
        yield from requests
    except Malformed as error:
        problems.add(place, str(error))


def model_in(paths: Iterable[Path]) -> str | None:
    """The model that the first line to name one names."""
    for path in paths:
        for _, line in lines(path, Problems()):
            try:
                named = document(line).get("model")
            except Malformed:
                continue
            if isinstance(named, str) and named:
                return named
    return None
