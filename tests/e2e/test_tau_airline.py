"""The main job: real agent conversations through a running Penstock, with receipts that add up."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
from rich.console import Console

from benchmarks.tau_airline import conversations, replay, table, trace
from tests.fakes.penstock import command, environment, running

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tau_airline.py"
YAML = """
backends:
  model: {use: simulated, models: [gpt-4o], rule: openai_steps}
routes: [{send: model, pipeline: safe}]
"""

pytestmark = pytest.mark.skipif(not trace().exists(), reason=f"there is no {trace()}")


@pytest.fixture
def penstock():
    with running(YAML) as server:
        yield server


async def passes(penstock, found, times):
    async with openai.AsyncOpenAI(
        base_url=penstock.url + "/v1",
        api_key="sk-test",
        timeout=120,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        return [await replay(client, found, at_once=4) for _ in range(times)]


def penstock_report(penstock, requests):
    """What `penstock report` says, once the ledger has all of them."""
    until = time.monotonic() + 20
    while True:
        done = subprocess.run(
            command("report", "--json", "--config", str(penstock.config)),
            env=environment(penstock.config.parent),
            capture_output=True,
            text=True,
            check=True,
        )
        total = json.loads(done.stdout)["total"]
        if total["requests"] >= requests or time.monotonic() > until:
            return total
        time.sleep(0.2)


def check(penstock, found):
    first, second = asyncio.run(passes(penstock, found, 2))
    both = (first, second)
    asked = sum(message["role"] == "assistant" for one in found for message in one["messages"])
    assert [one.requests for one in both] == [asked, asked]
    assert second.hits == asked, second.words
    assert second.after == second.billed == second.output == 0
    assert first.before > first.after == first.billed  # results of tools go shorter
    # A hit spares what had been sent, or what a hit of the first pass had spared.
    repeated = second.before - first.after
    assert 0 <= repeated <= first.spared
    assert first.cached > first.billed / 2  # a conversation sends its history again
    assert second.spared == first.spared + first.billed + first.output

    total = penstock_report(penstock, 2 * asked)
    assert total["requests"] == 2 * asked
    assert total["hits"] == first.hits + second.hits
    assert total["tokens_in"] == first.billed
    assert total["cached"] == first.cached
    assert total["tokens_out"] == first.output
    compressed = first.before - first.after - repeated
    assert total["tokens_saved"] == first.spared + second.spared + compressed
    assert 0 < total["usd"] < total["usd_direct"]
    return both


def test_a_dozen_conversations(penstock):
    check(penstock, conversations(trace(), 12))


@pytest.mark.soak
def test_the_whole_file(penstock, capsys):
    both = check(penstock, conversations(trace()))
    with capsys.disabled():
        print()
        Console(width=110).print(table(list(both)))


def test_the_script(penstock):
    options = ["--url", penstock.url + "/v1", "--conversations", "2", "--json"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "--data", str(trace().parents[1])],
        env=environment(penstock.config.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["requests"] == second["requests"] == second["hits"] > 0


def test_the_script_without_data(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--data" in done.stderr
