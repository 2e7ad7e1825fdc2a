"""Prometheus metrics, fed by plan, outcome and ledger entry of each finished request.

With several workers each writes its own files in the folder that the environment variable
`PROMETHEUS_MULTIPROC_DIR` names, and any of them renders the sum. The variable must be set
before `prometheus_client` is imported, which is therefore done in `Metrics()`, not above.
No key, no user and no prompt is ever a label; the number of models is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from policies.base.plan import Outcome, Plan, Row
from policies.base.step import Answer, Skip
from proxy.entry import LedgerEntry
from proxy.tally import (
    DURATION,
    FIRST,
    OVERHEAD,
    PLANNING,
    SPEED,
    TOKEN,
    Decisions,
    Stream,
    Traffic,
)

_MODELS = 200  # distinct values of the label `model`; further ones are "other"
_LONGEST_NAME = 128
_GAPS = 1_000  # pauses of one stream that are counted; of more, an even sample
_KINDS = ("uncached", "read", "write", "output")


_UNASKED = frozenset({"bypass", "idle"})


class _Children(dict[tuple[str, ...], Any]):
    """The children of a metric by their label values: `labels()` is slow, this is not."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, values: tuple[str, ...]) -> Any:
        child = self[values] = self._metric.labels(*values) if values else self._metric
        return child


class Metrics:
    """All of Penstock's metrics. One per process; to be used on the event loop's thread."""

    def __init__(self) -> None:
        import prometheus_client as prometheus  # noqa: PLC0415 - see the module's docstring

        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus.CollectorRegistry()
        self._models: set[str] = set()
        self._traffic: dict[tuple[str, str, str, str, int], Traffic] = {}
        self._decisions: dict[str, Decisions] = {}
        self._make_counters()
        self._make_histograms()
        self._under_way = 0
        self._in_flight = self._gauge("in_flight", "Requests under way.", "livesum")
        self._lag = self._gauge("event_loop_lag_seconds", "How late the loop wakes.", "livemax")
        self._reloaded = self._gauge(
            "config_last_reload_successful", "0 when the last reload failed.", "livemin"
        )
        self._reloaded.set(1)
        if not _several():
            prometheus.ProcessCollector(registry=self._registry)

    def _make_counters(self) -> None:
        counter = self._counter
        self._requests = counter(
            "requests", "Requests.", "endpoint", "route", "backend", "model", "status"
        )
        self._tokens = counter("tokens", "Tokens billed upstream.", "model", "kind")
        self._saved = counter("tokens_saved", "Tokens not billed.", "policy")
        self._cost = counter("cost_usd", "USD spent, where prices are known.", "model", "kind")
        self._cache = counter("cache_requests", "Lookups in caches.", "tier", "result")
        self._cached = counter(
            "upstream_cached_tokens", "Tokens read from providers' caches.", "backend"
        )
        self._drift = counter("prefix_drift", "Turns whose edits did not extend their history.")
        self._rolled_back = counter("rollbacks", "Routes switched to shadow.", "route", "pipeline")
        self._coalesced = counter("coalesced", "Requests that shared an upstream call.")
        self._failed = counter("policy_errors", "Policies that raised or ran late.", "policy")
        self._store = counter("store_errors", "Calls that a store failed.", "store")
        self._dropped = counter("ledger_dropped", "Requests whose ledger rows were lost.")

    def _make_histograms(self) -> None:
        histogram = self._histogram
        self._duration = histogram(
            "request_duration_seconds", "From request to last byte.", DURATION, "endpoint"
        )
        self._overhead = histogram(
            "overhead_seconds", "Penstock's own part of the time.", OVERHEAD, "endpoint"
        )
        self._first = histogram(
            "time_to_first_token_seconds", "To a stream's first byte.", FIRST, "backend", "model"
        )
        self._gaps = histogram("inter_token_seconds", "Between chunks.", TOKEN, "backend")
        self._per_token = histogram(
            "time_per_output_token_seconds", "Of a stream, mean.", TOKEN, "backend", "model"
        )
        self._speed = histogram(
            "output_tokens_per_second", "Of a stream, mean.", SPEED, "backend", "model"
        )
        self._planning = histogram("policy_seconds", "Time to plan.", PLANNING, "policy")

    def _counter(self, name: str, about: str, *labels: str) -> _Children:
        from prometheus_client import Counter  # noqa: PLC0415 - see above

        return _Children(Counter(f"penstock_{name}", about, labels, registry=self._registry))

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], *labels: str
    ) -> _Children:
        from prometheus_client import Histogram  # noqa: PLC0415 - see above

        name = f"penstock_{name}"
        return _Children(Histogram(name, about, labels, registry=self._registry, buckets=buckets))

    def _gauge(self, name: str, about: str, together: Any) -> Any:
        from prometheus_client import Gauge  # noqa: PLC0415 - see above

        name = f"penstock_{name}"
        return Gauge(name, about, registry=self._registry, multiprocess_mode=together)

    def observe(self, plan: Plan, outcome: Outcome, entry: LedgerEntry) -> None:
        """Count one finished request."""
        request = entry.request
        model = self._model(request.model, request.status)
        key = (request.endpoint, request.route, request.backend, model, request.status)
        traffic = self._traffic.get(key)
        if traffic is None:
            traffic = self._traffic[key] = Traffic()
        traffic.requests += 1
        traffic.duration.add(outcome.total)
        traffic.overhead.add(outcome.overhead)
        billed = entry.billed
        if outcome.collapsed:
            traffic.coalesced += 1
        elif request.stream and outcome.first_byte is not None and plan.final is None:
            traffic.stream = traffic.stream or Stream()
            gaps = outcome.gaps[:: 1 + len(outcome.gaps) // _GAPS]
            first = outcome.first_byte
            traffic.stream.add(first, outcome.total - first, gaps, billed.output)
        if billed.output or billed.uncached or billed.read or billed.write:
            traffic.bill(billed, entry.price)
        for row in plan.rows:
            if row.mode not in _UNASKED:
                self._decided(row)
        for step in entry.steps:
            if step.applied and step.tokens_before > step.tokens_after:
                self._of(step.policy).saved += step.tokens_before - step.tokens_after

    def _decided(self, row: Row) -> None:
        decisions = self._of(row.policy)
        decisions.planning.add(row.seconds)
        if row.policy.startswith("cache."):
            result = _result(row.mode, row.step)
            decisions.results[result] = decisions.results.get(result, 0) + 1

    def _of(self, policy: str) -> Decisions:
        decisions = self._decisions.get(policy)
        if decisions is None:
            decisions = self._decisions[policy] = Decisions()
        return decisions

    def flush(self) -> None:
        """Hand over what has gathered, so that other workers' scrapes see it."""
        self._in_flight.set(self._under_way)
        traffic, self._traffic = self._traffic, {}
        for labels, part in traffic.items():
            self._hand_over(labels, part)
        decisions, self._decisions = self._decisions, {}
        for policy, made in decisions.items():
            made.planning.drain(self._planning[policy,])
            if made.saved:
                self._saved[policy,].inc(made.saved)
            for result, count in made.results.items():
                self._cache[policy.removeprefix("cache."), result].inc(count)

    def _hand_over(self, labels: tuple[str, str, str, str, int], part: Traffic) -> None:
        endpoint, route, backend, model, status = labels
        self._requests[endpoint, route, backend, model, str(status)].inc(part.requests)
        part.duration.drain(self._duration[endpoint,])
        part.overhead.drain(self._overhead[endpoint,])
        self._coalesced[()].inc(part.coalesced)
        if part.stream:
            part.stream.first.drain(self._first[backend, model])
            part.stream.gaps.drain(self._gaps[backend,])
            part.stream.per_token.drain(self._per_token[backend, model])
            part.stream.speed.drain(self._speed[backend, model])
        for kind, tokens, usd in zip(_KINDS, part.spent, part.usd, strict=True):
            if tokens:
                self._tokens[model, kind].inc(tokens)
            if usd:
                self._cost[model, kind].inc(usd)
        if part.spent[1]:
            self._cached[backend,].inc(part.spent[1])

    def _model(self, model: str, status: int) -> str:
        """The label for a model. Names that no upstream accepted are not worth a series."""
        if model in self._models:
            return model
        if status >= 400 or len(self._models) >= _MODELS or len(model) > _LONGEST_NAME:
            return "other"
        if any("\ud800" <= character <= "\udfff" for character in model):
            return "other"
        self._models.add(model)
        return model

    def refused(self, status: int) -> None:
        """Count a request that never became a plan."""
        self._requests["none", "", "", "other", str(status)].inc()

    def in_flight(self, change: int) -> None:
        """A request began (+1) or ended (-1)."""
        self._under_way += change

    def lag(self, seconds: float) -> None:
        """How late the event loop woke from its last nap. To be called twice a second."""
        self._lag.set(seconds)
        self.flush()

    def reloaded(self, *, ok: bool) -> None:
        """A reload of the configuration succeeded or was rolled back."""
        self._reloaded.set(1 if ok else 0)

    def policy_error(self, policy: str) -> None:
        """A policy raised or ran late."""
        self._failed[policy,].inc()

    def prefix_drift(self) -> None:
        """A conversation's turn did not begin with the bytes of the turn before."""
        self._drift[()].inc()

    def rolled_back(self, route: str, pipeline: str) -> None:
        """A route whose edits made its input dearer was switched to shadow."""
        self._rolled_back[route, pipeline].inc()

    def store_error(self, store: str) -> None:
        """A store failed a call."""
        self._store[store,].inc()

    def ledger_dropped(self, count: int) -> None:
        """Rows of `count` requests were lost."""
        self._dropped[()].inc(count)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All samples of all workers, and their content type: OpenMetrics if `accept` asks."""
        self.flush()
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see above
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - see above

        registry = self._registry
        if _several():
            registry = CollectorRegistry()
            registry.register(self)
        encode, kind = choose_encoder(accept)
        return encode(registry), kind

    def collect(self) -> Iterator[Any]:
        """Every metric with the samples of all workers; those that have none yet, too."""
        from prometheus_client import multiprocess  # noqa: PLC0415 - see above

        everybody = multiprocess.MultiProcessCollector(None)  # type: ignore[no-untyped-call]
        families = everybody.collect()  # type: ignore[no-untyped-call]
        found = {family.name: family.samples for family in families}
        for family in self._registry.collect():
            family.samples = found.get(family.name, [])
            yield family


def _several() -> bool:
    """Whether this is one of several workers, as `prometheus_client` sees it."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


def mark_dead(pid: int) -> None:
    """Take a dead worker's gauges out of the sum; its counters stay. For the supervisor."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - see above

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _result(mode: str, step: object) -> str:
    """`hit`, `miss`, `refresh` or `skip`; or why the lookup did not count, such as `shadow`."""
    if mode != "on":
        return mode
    if isinstance(step, Answer):
        return "hit"
    if isinstance(step, Skip) and step.why in ("miss", "refresh"):
        return step.why
    return "skip"
