from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys

import msgspec
import pytest
from rich.console import Console

from policies.base.plan import Outcome
from policies.base.step import Skip
from policies.base.usage import Usage
from proxy.entry import Missed, entry_of
from proxy.ledger import VERSION, Ledger
from proxy.prices import UNKNOWN
from proxy.report import report, show
from tests.fakes.finished import MISS, PRICE, USAGE, a_plan, a_row, an_answer, an_edit, an_entry

DAY = 86_400.0
START = 1_790_000_000.0


@pytest.fixture
def books(tmp_path):
    made = Ledger(tmp_path / "ledger.sqlite3")
    yield made
    made.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def filled(books, path):
    """Three tenants: a miss with an edit, a hit, a follower, a shadow, and no known price."""
    answer = an_answer()
    miss = Outcome(200, "openai", usage=USAGE)
    edit = a_row("compress.lossless", an_edit(1400, 1000))
    books.record(an_entry(a_plan([*MISS, edit]), miss, started=START))
    hit = a_plan([a_row("cache.exact", answer)], answer)
    books.record(an_entry(hit, Outcome(200), started=START + DAY))
    shared = Outcome(200, "openai", usage=USAGE, collapsed=True)
    books.record(an_entry(a_plan(MISS, tenant="team-b"), shared, started=START + DAY))
    shadow = a_row("compress.select", an_edit(1000, 500), "shadow")
    books.record(an_entry(a_plan([shadow], tenant="team-b", model="o3"), miss, started=START + DAY))
    unpriced = a_plan([a_row("cache.exact", Skip("miss"))], tenant="team-c", model="qwen")
    books.record(an_entry(unpriced, Outcome(200, "local", usage=USAGE), UNKNOWN, START + 2 * DAY))
    books.flush()
    return path


def test_totals(filled):
    total = report(filled).total
    assert (total.requests, total.hits, total.unpriced) == (5, 1, 1)
    assert (total.tokens_in, total.cached, total.tokens_out) == (3000, 600, 150)
    assert total.tokens_saved == 400 + 1050 + 1050
    cost = PRICE.cost(USAGE)
    assert total.usd == pytest.approx(2 * cost)
    assert total.usd_saved == pytest.approx(2 * cost + 400 * PRICE.input_token(USAGE))
    assert total.saved == pytest.approx(100 * total.usd_saved / total.usd_direct)


@pytest.mark.parametrize(
    ("by", "names", "requests"),
    [
        ("model", ["gpt-4o", "o3", "qwen"], [3, 1, 1]),
        ("tenant", ["team-a", "team-b", "team-c"], [2, 2, 1]),
        ("day", ["2026-09-22", "2026-09-21", "2026-09-23"], [3, 1, 1]),
    ],
)
def test_groups_sum_to_the_total(filled, by, names, requests):
    found = report(filled, by)
    assert [line.name for line in found.lines] == names
    assert [line.requests for line in found.lines] == requests
    for field in ("requests", "hits", "tokens_in", "tokens_saved", "usd", "usd_direct", "unpriced"):
        parts = sum(getattr(line, field) for line in found.lines)
        assert parts == pytest.approx(getattr(found.total, field))


def test_conversations_that_were_held_out_stand_beside_the_others(books, path):
    for held in (True, False, False):
        plan = msgspec.structs.replace(a_plan(MISS), holdout=held)
        books.record(an_entry(plan, Outcome(200, "openai", usage=USAGE)))
    books.flush()
    lines = report(path, "holdout").lines
    route = a_plan().original.route
    assert [(line.name, line.requests) for line in lines] == [
        (f"{route}, default: with policies", 2),
        (f"{route}, default: held out", 1),
    ]
    assert lines[0].usd == pytest.approx(2 * lines[1].usd)


def test_savings_by_policy_sum_to_the_total(filled):
    found = report(filled)
    lines = {line.name: line for line in found.lines}
    assert set(lines) == {"cache.exact", "coalesce", "compress.lossless", "compress.select"}
    assert sum(line.tokens_saved for line in found.lines) == found.total.tokens_saved
    assert sum(line.usd_saved for line in found.lines) == pytest.approx(found.total.usd_saved)
    cache = lines["cache.exact"]
    assert (cache.applied, cache.skipped, cache.tokens_saved) == (1, 3, 1050)
    assert cache.p50_ms == pytest.approx(0.1)
    shadow = lines["compress.select"]
    assert (shadow.applied, shadow.tokens_saved, shadow.tokens_would_save) == (0, 0, 500)
    assert shadow.usd_would_save == pytest.approx(500 * PRICE.input_token(USAGE))


def test_since_leaves_out_what_began_before(filled):
    found = report(filled, since=START + DAY)
    assert found.total.requests == 4
    assert "compress.lossless" not in {line.name for line in found.lines}
    late = report(filled, since=START + 9 * DAY)
    assert late.total.requests == 0
    assert "no request in this time" in late.note


def test_it_reads_beside_the_writer_and_after_it(filled, books):
    books.record(an_entry())
    books.flush()
    assert report(filled).total.requests == 6
    books.close()
    assert report(filled).total.requests == 6


def test_no_ledger_and_an_empty_one_say_so(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    assert "no ledger at" in report(path).note
    assert not path.exists()
    path.touch()
    assert "is empty" in report(path).note


def test_a_file_that_is_no_ledger_is_a_clear_error(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match="cannot be read"):
        report(path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(ValueError, match="version"):
        report(path)


@pytest.mark.parametrize("by", ["policy", "model", "tenant", "day", "holdout"])
def test_json_and_tables(filled, by):
    found = report(filled, by)
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["by"] == by
    assert plain["total"]["usd_saved"] == pytest.approx(found.total.usd_saved)
    assert len(plain["lines"]) == len(found.lines)
    out = io.StringIO()
    show(found, Console(file=out, width=200))
    for line in found.lines:
        assert line.name in out.getvalue()
    assert "1 requests have no known price" in out.getvalue()


def test_names_from_clients_cannot_paint_the_terminal(books, path):
    books.record(an_entry(a_plan(MISS, model="[red]x[/] \x1b[31m")))
    books.flush()
    out = io.StringIO()
    show(report(path, "model"), Console(file=out, width=200))
    assert "[red]x[/] \N{REPLACEMENT CHARACTER}[31m" in out.getvalue()


def test_a_note_is_all_that_an_empty_report_shows(tmp_path):
    out = io.StringIO()
    show(report(tmp_path / "none"), Console(file=out, width=200))
    assert out.getvalue().startswith("There is no ledger")


def test_only_the_table_loads_rich():
    code = "import sys, proxy.report; assert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_zero_cost_is_no_division(books, path):
    books.record(an_entry(a_plan(MISS), Outcome(200, usage=Usage())))
    books.flush()
    assert report(path).total.saved == 0.0


def test_what_caches_should_have_read_stands_beside_what_they_did(books, path):
    told = Outcome(200, "openai", usage=USAGE)
    for predicted in (500, None, 100):
        missed = Missed(predicted, "")
        books.record(entry_of(a_plan(MISS), told, PRICE, START, missed))
    books.flush()
    found = report(path, "model")
    assert found.total.predicted == 600
    assert [line.predicted for line in found.lines] == [600]
    out = io.StringIO()
    show(found, Console(file=out, width=200))
    head = next(line for line in out.getvalue().splitlines() if "requests" in line)
    assert head.index("cached") < head.index("predicted") < head.index("tokens out")
