import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policies.base.plan import Outcome
from policies.base.step import Skip
from policies.base.usage import Usage
from proxy.cli import app
from proxy.ledger import Ledger
from tests.fakes.finished import a_plan, a_row, an_answer, an_entry

FILE = """version: 1
data: {data}
backends: {{a: {{use: simulated}}}}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "penstock.yaml"
    path.write_text(FILE.format(data=tmp_path / "data"))
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `penstock` with these arguments, in an environment that says nothing to it."""
    for name in [*os.environ]:
        if name.startswith(("OPENAI_", "PENSTOCK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    runner = CliRunner()
    return lambda *args, env=None, text=None: runner.invoke(
        app, [str(arg) for arg in args], env=env, input=text, prog_name="penstock"
    )


@pytest.mark.parametrize("args", [["version"], ["--version"]])
def test_version(run, args):
    found = run(*args)
    assert (found.exit_code, found.stdout) == (0, "penstock 0.1.0\n")


@pytest.mark.parametrize(
    "args",
    [
        ["nope"],
        ["serve", "--port", "65536"],
        ["serve", "--workers", "0"],
        ["check"],
        ["explain"],
        ["report", "--by", "weekday"],
        ["report", "--since", "yesterday"],
        ["cache", "purge", "--older-than", "1 fortnight"],
    ],
)
def test_wrong_use_is_2(run, args):
    assert run(*args).exit_code == 2


@pytest.mark.parametrize("args", [["serve"], ["report"], ["cache", "purge"], ["explain", "-"]])
def test_a_configuration_that_cannot_be_used_is_2_with_every_error(run, config, args):
    config.write_text("version: 2\nlisen: {port: 1}\n")
    found = run(*args, "--config", config, text="{}")
    assert found.exit_code == 2
    assert found.stderr.splitlines() == [
        f"{config}:1:10: version: must be 1, the only version there is",
        f"{config}:2:1: lisen: unknown key (did you mean 'listen'?)",
    ]


# check


def test_check_of_a_good_file(run, config):
    found = run("check", config)
    assert found.exit_code == 0
    assert found.stdout == f"{config}: good: 1 backends, 1 routes\n"
    assert not (config.parent / "data").exists(), "checking writes nothing"


def test_the_environment_names_the_file(run, config):
    assert run("check", env={"PENSTOCK_CONFIG": str(config)}).exit_code == 0
    assert run("report", env={"PENSTOCK_CONFIG": str(config.parent / "none")}).exit_code == 2


def test_check_tells_all_errors(run, config):
    config.write_text("version: 2\nlisen: {port: 1}\n")
    found = run("check", config)
    assert found.exit_code == 2
    assert len(found.stderr.splitlines()) == 2
    told = run("check", config, "--json")
    assert told.exit_code == 2
    assert not json.loads(told.stdout)["good"]
    assert len(json.loads(told.stdout)["errors"]) == 2


def test_check_warns(run, config):
    config.write_text(config.read_text() + "routes:\n  - {send: a}\n  - {send: a}\n")
    found = run("check", config)
    assert found.exit_code == 0
    assert "is never reached" in found.stderr
    told = json.loads(run("check", config, "--json").stdout)
    assert (told["good"], len(told["warnings"]), told["routes"]) == (True, 1, 2)
    assert told["backends"] == ["a"]


def test_check_sets_everything_up(run, config, monkeypatch):
    """A missing extra and a missing file are found before anybody is served."""

    async def setup(self):
        raise ImportError("install penstock[semantic]")

    monkeypatch.setattr("policies.cache_exact.ExactCache.setup", setup)
    config.write_text(
        "version: 1\n"
        'backends: {b: {use: http, base_url: "https://x.test/v1", ca_file: /nope.pem}}\n'
        "pipelines:\n"
        "  default: [{use: cache.exact}]\n"
    )
    found = run("check", config)
    assert found.exit_code == 2
    assert f"{config}:2:15: backends.b: cannot be set up: " in found.stderr
    assert (
        f"{config}:4:13: pipelines.default[0]: "
        "cache.exact: cannot be set up: install penstock[semantic]\n" in found.stderr
    )


def test_check_lets_a_preset_be_that_nobody_uses(run, config, monkeypatch):
    async def setup(self):
        raise ImportError("install penstock[semantic]")

    monkeypatch.setattr("policies.prefix_volatile.VolatileLines.setup", setup)
    config.write_text(config.read_text() + "pipelines: {default: [{use: cache.exact}]}\n")
    assert run("check", config).exit_code == 0
    config.write_text(config.read_text() + "routes: [{send: a, pipeline: balanced}]\n")
    assert run("check", config).exit_code == 2


# explain


def test_explain(run, config):
    body = '{"model": "m", "messages": []}'
    found = run("explain", "-", "--config", config, "--json", text=body)
    assert found.exit_code == 0
    plan = json.loads(found.stdout)
    assert (plan["backends"], plan["steps"][0]["why"]) == (["a"], "miss")
    request = config.parent / "request.json"
    request.write_text(body)
    assert "cache.exact" in run("explain", request, "--config", config).stdout


def test_explain_with_a_diff(run, config):
    prompt = "word " * 4000
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": prompt}]})
    shown = run("explain", "-", "--config", config, "--diff", text=body).stdout
    assert "\nparameter prompt_cache_key: prefix.breakpoints, " in shown
    assert "\n+ " in shown
    plan = json.loads(run("explain", "-", "--config", config, "--diff", "--json", text=body).stdout)
    assert [told["place"] for told in plan["changes"]] == ["parameter prompt_cache_key"]


def test_explain_of_what_would_be_refused(run, config):
    assert run("explain", "-", "--config", config, text="[]").exit_code == 1
    assert run("explain", config.parent / "none", "--config", config).exit_code == 2


# report


@pytest.fixture
def ledger(config):
    folder = config.parent / "data"
    folder.mkdir()
    books = Ledger(folder / "ledger.sqlite3")
    answer = an_answer()
    hit = a_plan([a_row("cache.exact", answer)], answer)
    books.record(an_entry(hit, Outcome(200), started=1_790_000_000.0))
    miss = a_plan([a_row("cache.exact", Skip("miss"))], tenant="team-b")
    books.record(an_entry(miss, Outcome(200, "a", usage=Usage(uncached=10)), started=1_800_000_000))
    books.close()


@pytest.mark.parametrize("by", ["policy", "model", "tenant", "day", "holdout"])
def test_report(run, config, ledger, by):
    found = run("report", "--by", by, "--config", config)
    assert found.exit_code == 0
    assert found.stdout
    told = json.loads(run("report", "--by", by, "--config", config, "--json").stdout)
    assert (told["by"], told["total"]["requests"], told["total"]["hits"]) == (by, 2, 1)


def test_report_since(run, config, ledger, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0 + 86_400)
    told = json.loads(run("report", "--since", "2d", "--config", config, "--json").stdout)
    assert told["total"]["requests"] == 1


def test_report_without_a_ledger_says_so(run, config):
    found = run("report", "--config", config)
    assert found.exit_code == 0
    assert "There is no ledger" in found.stdout


def test_a_ledger_that_is_none_is_a_failure(run, config):
    (config.parent / "data").mkdir()
    (config.parent / "data" / "ledger.sqlite3").write_text("not a database, but some other file")
    found = run("report", "--config", config)
    assert found.exit_code == 1
    assert "cannot be read" in found.stderr


# serve refuses what would be dangerous before it listens


def test_an_address_for_all_without_clients(run, config):
    found = run("serve", "--config", config, "--host", "0.0.0.0")
    assert found.exit_code == 2
    assert "no `clients` are configured" in found.stderr


def test_a_port_that_is_taken(run, config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = run("serve", "--config", config, "--port", taken.getsockname()[1])
    assert found.exit_code == 1
    assert "cannot listen on" in found.stderr


def test_starting_the_command_loads_little():
    """Neither the server nor what draws tables is loaded for a command that needs none."""
    code = (
        "import sys, proxy.cli\n"
        "heavy = {'rich', 'fastapi', 'uvicorn', 'redis', 'toktok', 'prometheus_client'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert found.stdout == b"[]\n"
