"""What an operator does, or suffers: reloads, several workers, stores that fail, shutdowns."""

import contextlib
import json
import os
import re
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from proxy.cli import app
from tests.fakes.misbehaving import Misbehaving
from tests.fakes.misbehaviours import chat_events
from tests.fakes.penstock import running
from tests.fakes.redis_server import RedisServer

BACKEND = """
backends:
  a: {{use: http, base_url: "{url}/v1", retry: {{attempts: 1}}, breaker: {{failures: 0}}}}
"""
_number = iter(range(10**9))
# Each request on a connection of its own, so that any worker may get it.
_client = httpx2.Client(
    timeout=20, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
)


@pytest.fixture(scope="module")
def upstream():
    with Misbehaving() as made:
        yield made


def chat(text=None, **more):
    content = text or f"question {next(_number)}"
    return {"model": "fake", "messages": [{"role": "user", "content": content}], **more}


def ask(penstock, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = penstock.url + "/v1/chat/completions"
    return _client.post(url, json=body or chat(), headers=named)


def admin(penstock, method, path):
    return _client.request(method, penstock.url + path)


def metric(penstock, name, **labels):
    """The sum of all samples that have these labels."""
    found = 0.0
    for line in admin(penstock, "GET", "/metrics").text.splitlines():
        match = re.fullmatch(r"(\w+)(?:{(.*)})? (\S+)", line)
        if match and match[1] == name:
            given = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            if labels.items() <= given.items():
                found += float(match[3])
    return found


def until(condition, patience=10.0):
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
    return found


def count(penstock, words):
    return penstock.output().count(words)


# Stores that fail.


def test_redis_down_up_killed_and_back(upstream):
    redis = RedisServer()
    text = BACKEND.format(url=upstream.url) + f"store: {{redis: '{redis.url}'}}"
    down, up = "store redis fails", "store redis works again"
    with running(text) as penstock, contextlib.ExitStack() as stack:
        stack.callback(redis.kill)
        for _ in range(6):
            assert ask(penstock).status_code == 200
        assert metric(penstock, "penstock_store_errors_total", store="redis") > 0
        assert count(penstock, down) == 1
        failed = admin(penstock, "DELETE", "/admin/cache")
        assert failed.status_code == 503
        assert failed.json()["error"]["code"] == "store_unavailable"
        redis.start()
        until(lambda: ask(penstock).status_code == 200 and count(penstock, up) == 1)
        body = chat()
        assert ask(penstock, body).headers["x-penstock-cache"] == "MISS"
        assert ask(penstock, body).headers["x-penstock-cache"] == "HIT"
        assert admin(penstock, "DELETE", "/admin/cache").json()["purged"] >= 1
        assert ask(penstock, body).headers["x-penstock-cache"] == "MISS"
        redis.kill()
        for _ in range(6):
            assert ask(penstock).status_code == 200
        assert ask(penstock, body).headers["x-penstock-cache"] == "HIT"  # out of memory
        assert count(penstock, down) == 2


def test_a_data_folder_that_cannot_be(upstream, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    text = BACKEND.format(url=upstream.url) + f"data: {file}/below"
    with running(text) as penstock:
        body = chat()
        assert ask(penstock, body).headers["x-penstock-cache"] == "MISS"
        assert ask(penstock, body).headers["x-penstock-cache"] == "HIT"
        for _ in range(5):
            assert ask(penstock).status_code == 200
        until(lambda: metric(penstock, "penstock_ledger_dropped_total") == 7)
        assert metric(penstock, "penstock_store_errors_total", store="sqlite") >= 1
        for words in ("below cannot be used", "store sqlite fails", "the ledger"):
            assert count(penstock, words) == 1
        assert penstock.stop() == 0


def test_a_ledger_that_is_locked_loses_no_row(upstream):
    with running(BACKEND.format(url=upstream.url)) as penstock:
        assert ask(penstock).status_code == 200
        path = penstock.data / "ledger.sqlite3"
        until(path.exists)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            for _ in range(10):
                started = time.monotonic()
                assert ask(penstock).status_code == 200
                assert time.monotonic() - started < 1.0
            time.sleep(0.3)
            lock.execute("ROLLBACK")
        assert penstock.stop() == 0
        assert rows(penstock) == 11


def rows(penstock):
    with contextlib.closing(sqlite3.connect(penstock.data / "ledger.sqlite3")) as db:
        return db.execute("SELECT count(*) FROM requests").fetchone()[0]


def test_a_disk_that_is_full(upstream):
    """The kernel lets the process make no file longer than this; then it does again."""
    with running(BACKEND.format(url=upstream.url)) as penstock:
        assert ask(penstock).status_code == 200
        longest = max(path.stat().st_size for path in penstock.data.glob("*.sqlite*"))
        unlimited = resource.prlimit(
            penstock.pid, resource.RLIMIT_FSIZE, (longest + 20_000, resource.RLIM_INFINITY)
        )

        def lost():
            assert ask(penstock).status_code == 200
            return metric(penstock, "penstock_store_errors_total", store="sqlite")

        until(lost)
        for _ in range(5):
            assert ask(penstock).status_code == 200
        assert count(penstock, "store sqlite fails") == 1
        assert count(penstock, "cannot be written, rows are lost") <= 1
        resource.prlimit(penstock.pid, resource.RLIMIT_FSIZE, unlimited)
        until(lambda: ask(penstock).status_code == 200 and count(penstock, "works again") == 1)
        assert penstock.stop() == 0


# Reloads.


@pytest.fixture(scope="module")
def live(upstream):
    """A server whose file the tests below write anew."""
    with running(BACKEND.format(url=upstream.url)) as penstock:
        yield penstock


@pytest.fixture
def rewrite(live, upstream):
    """Replaces what follows `version` and `data`; the good text stands again in the end."""
    first = live.config.read_text()
    head = "".join(
        line + "\n" for line in first.splitlines() if line.startswith(("version", "data"))
    )
    yield lambda text: live.config.write_text(head + text)
    live.config.write_text(first)
    assert admin(live, "POST", "/admin/reload").status_code == 200


ONLY = "routes: [{{when: {{model: {model}}}, send: a}}]"


def serves(penstock, model):
    return ask(penstock, {**chat(), "model": model}).status_code == 200


def test_reload_by_signal(live):
    before = count(live, "configuration reloaded")
    live.process.send_signal(signal.SIGHUP)
    until(lambda: count(live, "configuration reloaded") == before + 1)
    assert serves(live, "fake")


def test_reload_by_writing_the_file(live, rewrite, upstream):
    rewrite(BACKEND.format(url=upstream.url) + ONLY.format(model="other"))
    until(lambda: not serves(live, "fake"))
    assert serves(live, "other")


def test_reload_by_asking_for_it(live, rewrite, upstream):
    rewrite(BACKEND.format(url=upstream.url) + ONLY.format(model="third"))
    assert admin(live, "POST", "/admin/reload").json() == {"status": "reloaded"}
    assert (serves(live, "fake"), serves(live, "third")) == (False, True)


def test_what_is_under_way_ends_on_the_old_configuration_and_the_cache_stays(
    live, rewrite, upstream
):
    kept = chat()
    ask(live, kept)
    replies = []
    slow = threading.Thread(
        target=lambda: replies.append(ask(live, chat(stream=True), x_fake="slow:0.1"))
    )
    before = upstream.calls
    slow.start()
    until(lambda: upstream.calls > before)
    rewrite(BACKEND.format(url=upstream.refused))
    assert admin(live, "POST", "/admin/reload").status_code == 200
    assert slow.is_alive()
    assert ask(live).status_code == 502
    assert ask(live, kept).headers["x-penstock-cache"] == "HIT"
    slow.join()
    assert replies[0].content == b"".join(chat_events())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("backends: {a: {use: htp}}\n", ":3:21: backends.a.use: unknown backend"),
        ("backends: [\n", ":4:1: "),
        ("limits: {body: 1MB}\nlimts: {}\nroutes: [{send: b}]\n", ":4:1: limts: unknown key"),
        (
            "backends: {a: {use: http, base_url: 'http://x/v1', ca_file: /no}}",
            "a backend cannot be set up",
        ),
    ],
)
def test_a_bad_file_changes_nothing_and_says_why(live, rewrite, text, where):
    rewrite(text)
    refused = admin(live, "POST", "/admin/reload")
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "invalid_configuration"
    assert where in refused.json()["error"]["message"]
    assert where in live.output()
    assert metric(live, "penstock_config_last_reload_successful") == 0
    assert ask(live).status_code == 200


def test_the_gauge_rises_again_after_a_good_file(live):
    assert admin(live, "POST", "/admin/reload").status_code == 200
    assert metric(live, "penstock_config_last_reload_successful") == 1


def test_a_file_that_is_gone_changes_nothing(live, rewrite):
    text = live.config.read_text()
    live.config.unlink()
    assert admin(live, "POST", "/admin/reload").status_code == 422
    assert ask(live).status_code == 200
    live.config.write_text(text)


# Several workers.


@pytest.fixture(scope="module")
def fleet(upstream):
    with running(BACKEND.format(url=upstream.url), args=("--workers", "2")) as penstock:
        until(lambda: len(workers(penstock)) == 2)
        yield penstock


def workers(penstock):
    pid = penstock.pid
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def served(penstock):
    """Processor time that each worker has used."""
    return {pid: sum(os_times(pid)) for pid in workers(penstock)}


def os_times(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def test_all_workers_serve_and_count_as_one(fleet):
    """Ids tell requests apart across workers; every scrape sees every request."""
    known = metric(fleet, "penstock_requests_total")
    before = served(fleet)

    def load():
        replies = [ask(fleet) for _ in range(100)]
        ids.extend(reply.headers["x-penstock-request-id"] for reply in replies)

    ids: list[str] = []
    both = [threading.Thread(target=load) for _ in range(4)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(set(ids)) == 400
    until(lambda: metric(fleet, "penstock_requests_total") == known + 400)
    for _ in range(10):
        assert metric(fleet, "penstock_requests_total") == known + 400
    after = served(fleet)
    assert all(after[pid] > before[pid] for pid in before), "a worker had nothing to do"


def test_every_worker_reloads(fleet, upstream):
    reloaded = "configuration reloaded"
    before = count(fleet, reloaded)
    assert admin(fleet, "POST", "/admin/reload").status_code == 200
    until(lambda: count(fleet, reloaded) >= before + 2)
    good = fleet.config.read_text()
    fleet.config.write_text(good + ONLY.format(model="other"))
    assert admin(fleet, "POST", "/admin/reload").status_code == 200
    until(lambda: all(serves(fleet, "other") and not serves(fleet, "fake") for _ in range(10)))
    fleet.config.write_text(good + "limts: {}\n")
    assert admin(fleet, "POST", "/admin/reload").status_code == 422
    assert metric(fleet, "penstock_config_last_reload_successful") == 0
    fleet.config.write_text(good)
    fleet.process.send_signal(signal.SIGHUP)
    until(lambda: all(serves(fleet, "fake") for _ in range(10)))
    until(lambda: metric(fleet, "penstock_config_last_reload_successful") == 1)


def test_a_purge_reaches_every_worker(fleet):
    bodies = [chat() for _ in range(5)]
    for body in bodies * 6:
        ask(fleet, body)
    until(lambda: admin(fleet, "DELETE", "/admin/cache").status_code == 200)

    def forgotten():
        asked = [ask(fleet, body, cache_control="only-if-cached") for body in bodies * 4]
        return all(reply.status_code == 504 for reply in asked)

    until(forgotten)


def test_the_command_purges_what_servers_hold(fleet):
    body = chat()
    ask(fleet, body)

    def everywhere(status):
        asked = [ask(fleet, body, cache_control="only-if-cached") for _ in range(10)]
        return {reply.status_code for reply in asked} == {status}

    until(lambda: everywhere(200))
    until(lambda: stored(fleet, "fake"))  # what is not written yet is purged, too, and not counted
    assert json.loads(penstock_command(fleet, "cache", "purge", "--model", "fak?")) == {"purged": 1}
    until(lambda: everywhere(504))


def stored(penstock, model):
    query = "SELECT count(*) FROM entries WHERE model = ?"
    with contextlib.closing(sqlite3.connect(penstock.data / "store.sqlite")) as db:
        return db.execute(query, [model]).fetchone()[0]


def penstock_command(penstock, *args):
    found = CliRunner().invoke(app, [*args, "--json", "--config", str(penstock.config)])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_a_worker_that_dies_is_replaced(fleet):
    time.sleep(1.0)  # what a worker has not handed over yet dies with it
    known = metric(fleet, "penstock_requests_total")
    victim = min(workers(fleet))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers(fleet) - {victim}) == 2)
    for _ in range(10):
        assert ask(fleet).status_code == 200
    until(lambda: metric(fleet, "penstock_requests_total") == known + 10)
    assert metric(fleet, "penstock_in_flight") == 0


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_shutdown_lets_requests_finish(upstream, count):
    with running(BACKEND.format(url=upstream.url), args=("--workers", count)) as penstock:
        replies = []
        threads = [
            threading.Thread(
                target=lambda: replies.append(ask(penstock, chat(stream=True), x_fake="slow:0.1"))
            )
            for _ in range(4)
        ]
        before = upstream.calls
        for thread in threads:
            thread.start()
        until(lambda: upstream.calls == before + 4)
        assert penstock.stop() == 0
        for thread in threads:
            thread.join()
        assert [reply.content for reply in replies] == [b"".join(chat_events())] * 4
        assert rows(penstock) == 4
        assert not re.search("Traceback|never retrieved|never awaited|Warning", penstock.output())


def test_the_fleets_ledger_has_every_row(fleet):
    total = metric(fleet, "penstock_requests_total")
    lost = metric(fleet, "penstock_ledger_dropped_total")
    assert fleet.stop() == 0
    found = rows(fleet)
    assert (found, lost) == (total, 0)
    assert json.loads(penstock_command(fleet, "report"))["total"]["requests"] == total


def test_workers_do_not_outlive_a_supervisor_that_is_killed(upstream):
    with running(BACKEND.format(url=upstream.url), args=("--workers", "2")) as penstock:
        until(lambda: len(workers(penstock)) == 2)
        orphans = [Path(f"/proc/{pid}/stat") for pid in workers(penstock)]
        penstock.process.kill()
        penstock.process.wait()
        until(lambda: not any(state(path) in "RSD" for path in orphans))


def state(path):
    """The letter of a process's state; Z, or none, once it has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"
