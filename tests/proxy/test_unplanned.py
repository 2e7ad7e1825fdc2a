"""Rows of requests without a plan: every field in its place, and none for strangers."""

import contextlib
import sqlite3
import time
from time import perf_counter

import pytest

from proxy.auth import Clients
from proxy.ledger import Ledger
from proxy.unplanned import answered, refused
from tests.fakes.finished import a_plan

KEY = (b"authorization", b"Bearer sk-a")


def scope(*headers, path="/v1/chat/completions"):
    return {"path": path, "headers": [(b"accept", b"*/*"), *headers]}


def test_what_was_answered_has_its_id_and_cost_nothing():
    call = a_plan([], id="req_7", tenant="team-a", model="m").original
    before = time.time()
    entry = answered(call, perf_counter() - 2.0)
    row = entry.request
    assert (row.id, row.tenant, row.model, row.status) == ("req_7", "team-a", "m", 200)
    assert (row.cache, row.error, row.usd, row.usd_direct) == ("BYPASS", "", 0.0, 0.0)
    assert 2.0 <= row.total_s == row.overhead_s < 10.0
    assert before - row.total_s <= row.time <= before + 1.0
    assert entry.steps == ()


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages", "messages"),
        ("/v1/files", "opaque"),
        ("/v1/", "opaque"),
    ],
)
def test_what_was_refused_says_why(path, endpoint):
    clients = Clients([("team-a", "sk-a")], None)
    entry = refused(scope(KEY, path=path), clients, perf_counter(), 413, "request_too_large")
    row = entry.request
    assert (row.tenant, row.endpoint, row.status) == ("team-a", endpoint, 413)
    assert (row.error, row.id, row.model) == ("request_too_large", "", "")


def test_a_stranger_leaves_no_row():
    clients = Clients([("team-a", "sk-a")], None)
    for headers in ((), ((b"authorization", b"Bearer sk-b"),)):
        assert refused(scope(*headers), clients, perf_counter(), 400, "invalid_request") is None


def test_without_clients_a_caller_is_known_as_ever():
    clients = Clients([], None)
    row = refused(scope(KEY), clients, perf_counter(), 400, "invalid_request").request
    assert row.tenant == clients.tenant((KEY,))


def test_the_ledger_takes_them(tmp_path):
    books = Ledger(tmp_path / "ledger.sqlite3")
    entry = refused(scope(), Clients([], None), perf_counter(), 404, "model_not_found")
    books.record(entry)
    assert books.flush()
    books.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db:
        assert db.execute("SELECT status, error FROM requests").fetchall() == [
            (404, "model_not_found")
        ]
