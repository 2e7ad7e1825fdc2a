from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from policies.base.plan import Outcome
from policies.base.step import Refuse, Skip
from policies.base.usage import Usage
from proxy.metrics import Metrics
from proxy.prices import UNKNOWN
from proxy.tally import DURATION, Tally
from tests.fakes.finished import MISS, PRICE, USAGE, a_plan, a_row, an_answer, an_edit, an_entry

ROOT = Path(__file__).parents[2]
NAMES = {
    "penstock_requests_total",
    "penstock_overhead_seconds_count",
    "penstock_time_to_first_token_seconds_count",
    "penstock_inter_token_seconds_count",
    "penstock_time_per_output_token_seconds_count",
    "penstock_request_duration_seconds_count",
    "penstock_output_tokens_per_second_count",
    "penstock_tokens_total",
    "penstock_tokens_saved_total",
    "penstock_cost_usd_total",
    "penstock_cache_requests_total",
    "penstock_upstream_cached_tokens_total",
    "penstock_prefix_drift_total",
    "penstock_coalesced_total",
    "penstock_policy_seconds_count",
    "penstock_policy_errors_total",
    "penstock_store_errors_total",
    "penstock_ledger_dropped_total",
    "penstock_in_flight",
    "penstock_event_loop_lag_seconds",
    "penstock_config_last_reload_successful",
}
STREAM = Outcome(
    200, "openai", usage=USAGE, first_byte=0.4, total=1.4, overhead=0.0004, gaps=(0.01, 0.03)
)


@pytest.fixture
def metrics(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Metrics()


def samples(metrics):
    text = metrics.render()[0].decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def observe(metrics, plan=None, outcome=None, price=PRICE):
    plan = plan or a_plan(MISS)
    outcome = outcome or Outcome(200, "openai", usage=USAGE, total=0.5)
    metrics.observe(plan, outcome, an_entry(plan, outcome, price))


def use_all(metrics):
    edit = a_row("compress.lossless", an_edit(1400, 1000))
    observe(metrics, a_plan([*MISS, edit], stream=True), STREAM)
    observe(metrics, a_plan(MISS), Outcome(200, "openai", usage=USAGE, collapsed=True))
    metrics.prefix_drift()
    metrics.policy_error("compress.lossless")
    metrics.store_error("redis")
    metrics.ledger_dropped(3)
    metrics.in_flight(1)
    metrics.lag(0.002)


def test_every_name_of_the_design_is_there(metrics):
    use_all(metrics)
    assert {name for name, *_ in samples(metrics)} >= NAMES


def test_a_miss(metrics):
    edit = a_row("compress.lossless", an_edit(1400, 1000))
    observe(metrics, a_plan([*MISS, edit], stream=True), STREAM)
    found = samples(metrics)
    assert found["penstock_requests_total", "200", "all", "chat", "gpt-4o", "openai"] == 1
    assert found["penstock_tokens_total", "gpt-4o", "uncached"] == 800
    assert found["penstock_tokens_total", "gpt-4o", "read"] == 200
    assert found["penstock_tokens_total", "gpt-4o", "output"] == 50
    assert found["penstock_upstream_cached_tokens_total", "openai"] == 200
    assert found["penstock_tokens_saved_total", "compress.lossless"] == 400
    spent = sum(value for key, value in found.items() if key[0] == "penstock_cost_usd_total")
    assert spent == pytest.approx(PRICE.cost(USAGE))
    assert found["penstock_cache_requests_total", "exact", "miss"] == 1
    assert found["penstock_policy_seconds_sum", "cache.exact"] == pytest.approx(0.0001)
    assert found["penstock_overhead_seconds_sum", "chat"] == pytest.approx(0.0004)
    assert found["penstock_time_to_first_token_seconds_sum", "gpt-4o", "openai"] == 0.4
    assert found["penstock_inter_token_seconds_count", "openai"] == 2
    per_token = found["penstock_time_per_output_token_seconds_sum", "gpt-4o", "openai"]
    assert per_token == pytest.approx(1 / 49)
    assert found["penstock_output_tokens_per_second_sum", "gpt-4o", "openai"] == pytest.approx(50)


def test_a_hit_bills_nothing_and_is_no_stream_of_an_upstream(metrics):
    answer = an_answer()
    plan = a_plan([a_row("cache.exact", answer)], answer, stream=True)
    observe(metrics, plan, Outcome(200, first_byte=0.001, total=0.002))
    found = samples(metrics)
    assert found["penstock_cache_requests_total", "exact", "hit"] == 1
    assert found["penstock_tokens_saved_total", "cache.exact"] == 1050
    names = {name for name, *_ in found}
    assert not names & {"penstock_tokens_total", "penstock_time_to_first_token_seconds_count"}


def test_a_follower_is_counted_as_coalesced(metrics):
    observe(metrics, outcome=Outcome(200, "openai", usage=USAGE, collapsed=True))
    found = samples(metrics)
    assert found["penstock_coalesced_total",] == 1
    assert found["penstock_tokens_saved_total", "coalesce"] == 1050
    assert "penstock_cost_usd_total" not in {name for name, *_ in found}


@pytest.mark.parametrize(
    ("step", "mode", "result"),
    [
        (Skip("miss"), "on", "miss"),
        (Skip("refresh"), "on", "refresh"),
        (Skip("sampled requests are not cached"), "on", "skip"),
        (an_answer(), "shadow", "shadow"),
        (Skip("error"), "error", "error"),
        (Refuse(504, "x", "only-if-cached"), "on", "skip"),
    ],
)
def test_results_of_lookups_are_few_words(metrics, step, mode, result):
    observe(metrics, a_plan([a_row("cache.semantic", step, mode)]))
    assert samples(metrics)["penstock_cache_requests_total", *sorted([result, "semantic"])] == 1


def test_a_bypassed_policy_counts_nothing(metrics):
    observe(metrics, a_plan([a_row("cache.exact", Skip("bypassed by request"), "bypass")]))
    assert not any(
        "policy_seconds" in name or "cache_requests" in name for name, *_ in samples(metrics)
    )


def test_models_are_bounded_and_only_accepted_ones_are_named(metrics):
    for number in range(300):
        observe(metrics, a_plan(MISS, model=f"m-{number}"))
    observe(metrics, a_plan(MISS, model="m-7"))
    found = samples(metrics)
    models = {key[4] for key in found if key[0] == "penstock_requests_total"}
    assert len(models) == 201
    assert found["penstock_requests_total", "200", "all", "chat", "m-7", "openai"] == 2
    assert found["penstock_requests_total", "200", "all", "chat", "openai", "other"] == 100


@pytest.mark.parametrize(
    ("model", "status"), [("my secret prompt", 404), ("x" * 200, 200), ("half \ud800", 200)]
)
def test_odd_models_are_others(metrics, model, status):
    observe(metrics, a_plan(MISS, model=model), Outcome(status, "openai"))
    assert ("penstock_requests_total", str(status), "all", "chat", "openai", "other") in samples(
        metrics
    )


def test_tenants_and_ids_are_nowhere(metrics):
    use_all(metrics)
    text = metrics.render()[0].decode()
    assert "team-a" not in text
    assert "req_1" not in text


def test_the_small_methods(metrics):
    metrics.in_flight(1)
    metrics.in_flight(1)
    metrics.in_flight(-1)
    metrics.reloaded(ok=False)
    metrics.refused(401)
    found = samples(metrics)
    assert found["penstock_in_flight",] == 1
    assert found["penstock_config_last_reload_successful",] == 0
    assert found["penstock_requests_total", "", "", "401", "none", "other"] == 1
    metrics.reloaded(ok=True)
    assert samples(metrics)["penstock_config_last_reload_successful",] == 1


def test_long_streams_are_sampled(metrics):
    outcome = Outcome(200, "openai", usage=USAGE, first_byte=0.1, total=9.0, gaps=(0.01,) * 50_000)
    observe(metrics, a_plan(MISS, stream=True), outcome)
    assert 500 < samples(metrics)["penstock_inter_token_seconds_count", "openai"] <= 1000


@given(st.lists(st.floats(0, 1000) | st.sampled_from(DURATION)))
def test_a_tally_is_a_histogram(values):
    ours, theirs = (
        Histogram("x", "x", registry=CollectorRegistry(), buckets=DURATION) for _ in range(2)
    )
    tally = Tally(DURATION)
    for value in values:
        tally.add(value)
        theirs.observe(value)
    tally.drain(ours)
    tally.drain(ours)  # now empty
    [found], [expected] = ours.collect(), theirs.collect()
    for one, other in zip(found.samples, expected.samples, strict=True):
        assert (one.name, one.labels) == (other.name, other.labels)
        assert one.value == pytest.approx(other.value)


def test_openmetrics_is_spoken_when_asked_for(metrics):
    use_all(metrics)
    body, kind = metrics.render("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    names = {family.name for family in openmetrics.text_string_to_metric_families(body.decode())}
    assert {"penstock_requests", "penstock_in_flight"} <= names
    assert b"_created" not in body
    body, kind = metrics.render("text/html")
    assert kind.startswith("text/plain")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_no_complaint(metrics):
    use_all(metrics)
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics.render()[0],
        capture_output=True,
        check=False,
        timeout=30,
    )
    # process_open_fds and the like are Prometheus's own.
    assert [line for line in done.stdout.splitlines() if b"penstock" in line] == []
    assert [line for line in done.stderr.splitlines() if b"penstock" in line] == []


def test_nothing_of_prometheus_is_imported_before_the_folder_can_be_named():
    code = "import sys, proxy.metrics; assert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


WORKER = """
import sys
from policies.base.plan import Outcome
from proxy.metrics import Metrics, mark_dead
from tests.fakes.finished import MISS, USAGE, a_plan, an_entry
metrics = Metrics()
plan, outcome = a_plan(MISS), Outcome(200, "openai", usage=USAGE, total=0.2)
for line in sys.stdin:
    match line.split():
        case ["serve", count]:
            for _ in range(int(count)):
                metrics.observe(plan, outcome, an_entry(plan, outcome))
        case ["lag", seconds]: metrics.lag(float(seconds))
        case ["flight", change]: metrics.in_flight(int(change))
        case ["reloaded", ok]: metrics.reloaded(ok=ok == "yes")
        case ["dead", pid]: mark_dead(int(pid))
        case ["render"]: sys.stdout.write(metrics.render()[0].decode())
    print("#done", flush=True)
"""


class Worker:
    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        )

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return "".join(iter(self.process.stdout.readline, "#done\n"))

    def read(self):
        families = text_string_to_metric_families(self.tell("render"))
        return {sample.name + (sample.labels.get("kind") or ""): sample.value
                for family in families for sample in family.samples}  # fmt: skip

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def test_several_workers_are_one_to_a_scrape(tmp_path):
    first, second, third = workers = [Worker(tmp_path) for _ in range(3)]
    try:
        for number, worker in enumerate(workers, 1):
            worker.tell(f"serve {number * 10}")
            worker.tell("flight 1")
            worker.tell(f"lag {number / 100}")
            worker.tell("reloaded yes")
        second.tell("reloaded no")
        found = first.read()
        assert found["penstock_requests_total"] == 60
        assert found["penstock_tokens_totaluncached"] == 60 * USAGE.uncached
        assert found["penstock_request_duration_seconds_count"] == 60
        assert found["penstock_request_duration_seconds_sum"] == pytest.approx(12)
        assert found["penstock_in_flight"] == 3
        assert found["penstock_event_loop_lag_seconds"] == 0.03
        assert found["penstock_config_last_reload_successful"] == 0
        assert third.read() == found
        for dead in (second, third):
            dead.end()
            first.tell(f"dead {dead.process.pid}")
        found = first.read()
        assert found["penstock_requests_total"] == 60  # what they served stays served
        assert found["penstock_in_flight"] == 1
        assert found["penstock_event_loop_lag_seconds"] == 0.01
        assert found["penstock_config_last_reload_successful"] == 1
    finally:
        for worker in workers:
            worker.end()


def test_several_workers_name_all_metrics_as_one_does(metrics, tmp_path):
    worker = Worker(tmp_path)
    try:
        worker.tell("serve 1")
        told = worker.tell("render")
    finally:
        worker.end()
    about = re.compile("^# .*", re.MULTILINE)
    alone = [line for line in about.findall(metrics.render()[0].decode()) if "penstock_" in line]
    assert set(about.findall(told)) == set(alone)


def test_unpriced_tokens_are_counted_without_dollars(metrics):
    observe(metrics, outcome=Outcome(200, "local", usage=Usage(uncached=5)), price=UNKNOWN)
    found = samples(metrics)
    assert found["penstock_tokens_total", "gpt-4o", "uncached"] == 5
    assert "penstock_cost_usd_total" not in {name for name, *_ in found}
