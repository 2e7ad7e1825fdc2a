"""`penstock replay` as it is typed."""

import json
import sys

import pytest
from typer.testing import CliRunner

from proxy import cli_replay
from proxy.cli import app
from proxy.entry import LedgerEntry, RequestRow, StepRow
from proxy.ledger import Ledger
from proxy.prices import Prices

MESSAGES = [
    {"role": "system", "content": "Be brief. " * 900},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "2"},
]
WHOLE = {"id": "a", "model": "gpt-4o", "messages": MESSAGES}


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps(WHOLE) + "\n{broken\n" + json.dumps(WHOLE) + "\n")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def schemes(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["schemes"]


def test_all_presets_stand_between_direct_and_the_oracle(trace):
    assert list(schemes(trace)) == ["direct", "safe", "balanced", "aggressive", "oracle"]


def test_the_model_is_the_traces_own_unless_another_is_named(trace):
    assert json.loads(run(trace, "--json").stdout)["model"] == "gpt-4o"
    found = json.loads(run(trace, "--as", "gpt-6-sol", "--json").stdout)
    assert (found["model"], found["rule"]) == ("gpt-6-sol", "openai_breakpoints")


def test_a_malformed_line_is_named_with_its_number_and_counted(trace):
    done = run(trace, "--preset", "safe", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["malformed"]["count"] == 1
    assert found["malformed"]["first"] == ["trace.jsonl:2: not valid JSON"]
    assert "trace.jsonl:2: not valid JSON" in done.stderr
    assert "1 lines were left out" in done.stderr
    assert found["schemes"]["direct"]["requests"] == 4


def test_the_table_has_a_line_for_each_scheme(trace):
    done = run(trace, "--preset", "safe")
    assert done.exit_code == 0
    for word in ("direct", "safe", "oracle", "exact 2", "violations"):
        assert word in done.stdout


def test_no_progress_bar_is_written_where_there_is_no_terminal(trace):
    assert run(trace, "--preset", "safe").stderr.count("\n") == 2


def test_a_progress_bar_is_shown_on_a_terminal(trace, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with cli_replay._progress(10) as seen:
        seen(10)
    assert capsys.readouterr().err


def test_a_pipeline_of_ones_own_can_be_replayed(trace, tmp_path):
    config = tmp_path / "penstock.yaml"
    config.write_text("version: 1\npipelines: {mine: [{use: cache.exact, ttl: 1s}]}\n")
    found = schemes(trace, "--preset", "mine", "--config", config)
    assert list(found) == ["direct", "mine", "oracle"]
    assert found["mine"]["hits"] == {}


def test_pace_is_taken_from_the_command_line(tmp_path):
    path = tmp_path / "t"
    path.write_text("\n".join(json.dumps(WHOLE) for _ in range(4)))
    often = schemes(path, "--preset", "safe", "--rate", 600, "--as", "gpt-5")
    seldom = schemes(path, "--preset", "safe", "--rate", 0.0001, "--gap", 0, "--as", "gpt-5")
    together = schemes(path, "--preset", "safe", "--interleave", 4, "--as", "gpt-5")
    assert often["direct"]["read"] > seldom["direct"]["read"]
    assert together["direct"]["requests"] == 8


def test_a_trace_comes_from_standard_input(trace):
    done = CliRunner().invoke(app, ["replay", "-", "--json"], input=trace.read_bytes())
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["schemes"]["direct"]["requests"] == 4
    assert "stdin:2: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--preset", "nope"], 2, "there is no preset or pipeline 'nope'"),
        (["--config", "missing.yaml"], 2, "cannot be read"),
        (["--rate", "0"], 2, "rate"),
        (["--interleave", "0"], 2, "interleave"),
    ],
)
def test_wrong_use_is_2(trace, arguments, status, said):
    done = run(trace, *arguments)
    assert done.exit_code == status
    assert said in done.output


def test_files_that_are_not_there_are_2(tmp_path):
    assert run(tmp_path / "none").exit_code == 2
    assert run(tmp_path).exit_code == 2


def test_a_trace_without_a_model_needs_one(tmp_path):
    path = tmp_path / "t"
    path.write_text('{"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [1, 2]}')
    assert run(path).exit_code == 2
    assert schemes(path, "--as", "gpt-5")["direct"]["uncached"] == 600


def test_a_trace_with_nothing_in_it_is_1(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"\x1f\x8bgarbage\n")
    done = run(path, "--as", "gpt-5")
    assert done.exit_code == 1
    assert "gzip" in done.stderr


def test_a_picture_without_matplotlib_says_what_to_install(trace, monkeypatch, tmp_path):
    monkeypatch.setattr("proxy.replay.plot.find_spec", lambda _: None)
    done = run(trace, "--plot", tmp_path / "out.png")
    assert done.exit_code == 2
    assert "pip install 'penstock[plot]'" in done.stderr


def test_a_picture_is_written(trace, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "out.png"
    assert run(trace, "--plot", path, "--preset", "safe").exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert run(trace, "--plot", tmp_path / "none" / "out.png").exit_code == 1


def entry(cache, usage, dollars, tokens, steps=()):
    price = Prices.load().of("gpt-5")
    request = RequestRow(
        *("id", 1.0, "t", "1:*", "default", "chat", "gpt-5", "openai", 200, cache, 0),
        *usage,
        0,
        *dollars,
        *tokens,
        *(1, 0.0, None, 0.0, "", 0),
    )
    return LedgerEntry(request, steps, None, price)


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    edit = StepRow(0, "compress.any", "edit", "cut", "on", 1, "lossy", 1300, 1100, 2.0, 1.0, 0.0)
    books = Ledger(path)
    books.record(entry("MISS", (100, 900, 0, 100), (1.0, 2.0), (1300, 1100), (edit,)))
    books.record(entry("HIT", (0, 0, 0, 0), (0.0, 0.5), (700, 0)))
    books.close()
    return path


def test_a_ledger_is_told_as_it_was(ledger):
    found = schemes(ledger)
    assert found["direct"] == {"requests": 2, "tokens": 2000, "usd": 2.5}
    run_ = found["as run"]
    assert (run_["uncached"], run_["read"], run_["output"], run_["usd"]) == (100, 900, 100, 1.0)
    assert run_["hits"] == {"exact": 1}
    assert run_["spared"] == 700
    assert run_["removed"] == {"compress.any": 200}


def test_a_ledger_can_be_priced_as_another_model(ledger):
    found = schemes(ledger, "--as", "gpt-5")
    assert found["as run"]["usd"] == pytest.approx((190 * 1.25 + 100 * 10) / 1e6)
    assert found["direct"]["usd"] > found["as run"]["usd"]


def test_a_ledger_stands_alone_and_is_shown(ledger, trace):
    assert run(ledger, trace).exit_code == 2
    done = run(ledger)
    assert done.exit_code == 0
    assert "as run" in done.stdout


def test_another_database_is_no_ledger(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"SQLite format 3\x00" + bytes(100))
    assert run(path).exit_code == 1
