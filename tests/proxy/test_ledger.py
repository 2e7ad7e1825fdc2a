from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.plan import Outcome
from policies.base.step import Skip
from policies.base.usage import Usage
from proxy import ledger as module
from proxy.entry import RequestRow, StepRow
from proxy.ledger import MIGRATIONS, VERSION, Ledger, connect, sweep
from tests.fakes.finished import MISS, USAGE, a_plan, a_row, an_answer, an_edit, an_entry

EDITED = a_plan([*MISS, a_row("compress.x", an_edit(1400, 1000))])
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "ledger.sqlite3"


@pytest.fixture
def lost():
    return []


@pytest.fixture
def books(path, lost):
    made = Ledger(path, on_lost=lost.append)
    yield made
    made.close()


def query(path, sql):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def count(path):
    return query(path, "SELECT count(*), (SELECT count(*) FROM steps) FROM requests")[0]


def test_rows_come_back_as_they_went_in(books, path):
    entry = an_entry(EDITED, Outcome(200, "openai", usage=USAGE, first_byte=0.2, total=0.9))
    books.record(entry)
    assert books.flush()
    [request] = query(path, f"SELECT {', '.join(RequestRow.__struct_fields__)} FROM requests")
    nulls = {"error": None, "predicted_read": None}
    kept = msgspec.structs.asdict(entry.request) | nulls
    assert request == tuple(kept.values())
    steps = query(path, f"SELECT {', '.join(StepRow.__struct_fields__)} FROM steps ORDER BY n")
    assert steps == [msgspec.structs.astuple(step) for step in entry.steps]


@settings(max_examples=15)
@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 700))
def test_any_number_of_entries_with_any_number_of_steps(tmp_path_factory, sizes, more):
    path = tmp_path_factory.mktemp("ledger") / "l.sqlite3"
    sizes = [*sizes, *[1] * more]
    written = Ledger(path)
    for number, size in enumerate(sizes):
        plan = a_plan([a_row(f"p.{n}", Skip("none")) for n in range(size)], id=f"req_{number}")
        written.record(an_entry(plan))
    written.close()
    if sizes:
        steps = "(SELECT count(*) FROM steps WHERE request = r.n)"
        sql = f"SELECT id, {steps} FROM requests r ORDER BY r.n"
        assert query(path, sql) == [(f"req_{number}", size) for number, size in enumerate(sizes)]


def test_the_ledger_telescopes_in_sql_too(books, path):
    answer = an_answer()
    hit = a_plan([a_row("compress.x", an_edit(1100, 1000)), a_row("cache.exact", answer)], answer)
    books.record(an_entry(EDITED))
    books.record(an_entry(hit, Outcome(200)))
    books.record(an_entry(EDITED, Outcome(200, usage=Usage(9, 0, 0, 1), collapsed=True)))
    books.flush()
    sql = """
      SELECT r.tokens_before - r.tokens_after, total(s.tokens_before - s.tokens_after),
             r.usd_direct - r.usd, total(s.usd_before - s.usd_after)
      FROM requests r JOIN steps s ON s.request = r.n WHERE s.applied GROUP BY r.n"""
    rows = query(path, sql)
    assert len(rows) == 3
    for tokens, by_steps, usd, usd_by_steps in rows:
        assert tokens == by_steps
        assert usd == pytest.approx(usd_by_steps)


def test_recording_waits_for_nobody(books, path, lost):
    with closing(connect(path)) as holding:
        holding.execute("BEGIN EXCLUSIVE")
        for _ in range(1000):
            books.record(an_entry())
        holding.execute("ROLLBACK")
    books.flush()
    assert (count(path), lost) == ((1000, 1000), [])


def test_a_full_queue_drops_and_counts(path, lost, monkeypatch):
    monkeypatch.setattr(module, "_QUEUE", 10)
    monkeypatch.setattr(module, "_PERIOD", 60)
    books = Ledger(path, on_lost=lost.append)
    for _ in range(25):
        books.record(an_entry())
    books.close()
    assert (count(path)[0], sum(lost)) == (10, 15)


def test_after_the_end_flush_does_not_wait(books):
    books.close()
    assert books.flush()


@pytest.mark.parametrize("obstacle", ["below a file", "a folder", "no database"])
def test_what_cannot_be_opened_costs_rows_and_one_line(tmp_path, lost, caplog, obstacle):
    path = tmp_path / "ledger.sqlite3"
    if obstacle == "below a file":
        path.write_text("x")
        path /= "ledger.sqlite3"
    elif obstacle == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"not a database at all" * 100)
    books = Ledger(path, on_lost=lost.append)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            books.record(an_entry())
            assert books.flush()
    books.close()
    assert sum(lost) == 3
    assert [record.name for record in caplog.records] == ["penstock.ledger"]


def test_an_outage_ends_by_itself_and_the_next_is_told_again(tmp_path, lost, caplog):
    blocked = tmp_path / "data"
    blocked.write_text("x")
    path = blocked / "ledger.sqlite3"
    books = Ledger(path, on_lost=lost.append)
    for healthy in (False, True, False, True):
        if healthy:
            blocked.unlink()
        else:
            books._disconnect()
            if blocked.is_dir():
                blocked.rename(tmp_path / "old")
                blocked.write_text("x")
        books.record(an_entry())
        books.flush()
    books.close()
    assert sum(lost) == 2
    assert len(caplog.records) == 2
    assert count(path) == count(tmp_path / "old" / "ledger.sqlite3") == (1, 1)


def test_locked_by_another_process_for_too_long(path, lost, caplog, monkeypatch):
    monkeypatch.setattr(module, "_BUSY", 0.05)
    connect(path).close()
    code = f"""
import sqlite3, sys
db = sqlite3.connect({str(path)!r}, isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
    books = Ledger(path, on_lost=lost.append)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        books.record(an_entry())
        books.flush()
        books.record(an_entry())
        books.flush()
        assert sum(lost) == 2
        other.communicate("")
    books.record(an_entry())
    books.close()
    assert count(path) == (1, 1)
    assert len(caplog.records) == 1


def run(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


FULL_DISK = """
import logging, resource, sys
from pathlib import Path
from proxy.ledger import Ledger
from tests.fakes.finished import an_entry
lines = []
class Lines(logging.Handler):
    def emit(self, record): lines.append(record)
logging.getLogger().addHandler(Lines())
lost = []
books = Ledger(Path(sys.argv[1]), on_lost=lost.append)
def put(many):
    for _ in range(many): books.record(an_entry())
    assert books.flush()
put(10)
assert not lost
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
put(1000); put(1000)
assert sum(lost) == 2000, lost
assert len(lines) == 1, lines
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
put(10)
assert sum(lost) == 2000, lost
books.close()
"""


def test_a_full_disk_loses_rows_and_nothing_else(path):
    with run(FULL_DISK, str(path)) as process:
        assert process.wait(60) == 0
    assert count(path) == (20, 20)
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


WRITER = """
import sys
import threading
from pathlib import Path
from proxy.ledger import Ledger
from tests.fakes.finished import MISS, a_plan, a_row, an_edit, an_entry
plan = a_plan([*MISS, a_row("compress.x", an_edit(1400, 1000))], tenant=sys.argv[2])
books = Ledger(Path(sys.argv[1]), on_lost=lambda count: print("lost", count, flush=True))
print("ready", flush=True)
rounds = int(sys.argv[3])
while rounds:
    for _ in range(100): books.record(an_entry(plan))
    books.flush()
    rounds -= 1
books.close()
"""


def test_several_processes_write_one_ledger(path):
    workers = [run(WRITER, str(path), f"worker-{n}", "20") for n in range(3)]
    assert [worker.communicate(timeout=60)[0] for worker in workers] == ["ready\n"] * 3
    assert count(path) == (6000, 12_000)
    assert query(path, "SELECT count(*) FROM requests GROUP BY tenant") == [(2000,)] * 3


def test_kill_9_leaves_whole_requests_only(path):
    connect(path).close()
    for _ in range(4):
        before, _ = count(path)
        with run(WRITER, str(path), "worker", "-1") as worker:
            try:
                assert worker.stdout.readline() == "ready\n"
                until = time.monotonic() + 20
                while count(path)[0] <= before + 200 and time.monotonic() < until:
                    time.sleep(0.02)
            finally:
                worker.send_signal(signal.SIGKILL)
        assert query(path, "PRAGMA integrity_check") == [("ok",)]
        requests, steps = count(path)
        assert requests > before
        assert steps == 2 * requests
        sql = "SELECT DISTINCT (SELECT count(*) FROM steps WHERE request = r.n) FROM requests r"
        assert query(path, sql) == [(2,)]


def test_old_rows_go_in_small_batches(path):
    with closing(connect(path)) as db:
        entries = [an_entry(started=float(age)) for age in range(2500)]
        module._insert_all(db, entries)
        assert sweep(db, 1800.0) == 1000
        assert db.execute("SELECT min(time) FROM requests").fetchone() == (1000.0,)
        assert [sweep(db, 1800.0) for _ in range(2)] == [800, 0]
    assert count(path) == (700, 700)
    assert query(path, "SELECT min(time) FROM requests") == [(1800.0,)]


def test_retention_runs_beside_the_writing(path):
    now = time.time()
    books = Ledger(path, keep=3600)
    for age in range(1500):
        books.record(an_entry(started=now - 7200 - age))
    books.record(an_entry(started=now))
    books.flush()
    books.close()
    assert count(path) == (1, 1)


def test_nothing_is_deleted_unless_asked(books, path):
    books.record(an_entry(started=1.0))
    books.flush()
    assert count(path) == (1, 1)


def test_an_old_ledger_is_migrated(path, monkeypatch):
    connect(path).close()
    monkeypatch.setattr(module, "VERSION", VERSION + 1)
    monkeypatch.setitem(MIGRATIONS, VERSION, "ALTER TABLE requests ADD COLUMN extra TEXT")
    with closing(connect(path)) as db:
        assert db.execute("SELECT extra FROM requests").fetchall() == []
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


def test_a_newer_ledger_is_left_alone(path, lost, caplog):
    with closing(connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    books = Ledger(path, on_lost=lost.append)
    books.record(an_entry())
    books.close()
    assert sum(lost) == 1
    assert "newer" in caplog.text


def test_half_a_character_in_a_name_loses_no_row(books, path, lost):
    books.record(an_entry(a_plan(MISS, model="gpt-\ud800")))
    books.flush()
    assert query(path, "SELECT model FROM requests") == [("gpt-?",)]
    assert lost == []


def test_workers_that_make_the_file_at_the_same_time_do_not_lock_each_other_out(tmp_path):
    for turn in range(20):
        path, together = tmp_path / f"{turn}.sqlite3", threading.Barrier(4)

        def open_it(path=path, together=together):
            together.wait()
            connect(path).close()

        with ThreadPoolExecutor(4) as pool:
            for made in [pool.submit(open_it) for _ in range(4)]:
                made.result()


def test_a_statement_has_no_more_values_than_the_oldest_sqlite_takes():
    for _, columns in (module._REQUEST, module._STEP):
        assert max(module._TOGETHER) * len(columns) <= 32_766


def test_an_sqlite_that_is_too_old_loses_rows_and_says_what_to_do(path, lost, monkeypatch, caplog):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    ledger = Ledger(path, on_lost=lost.append)
    ledger.record(an_entry())
    ledger.close()
    assert lost == [1]
    assert "SQLite 3.37 or newer is needed" in caplog.text
