"""`penstock serve` with LLMLingua-2, on a tiny model; `scripts/test-llmlingua` runs it."""

import importlib
import os
import time
from pathlib import Path

import httpx2
import pytest

from tests.fakes.penstock import running

pytestmark = [pytest.mark.llmlingua, pytest.mark.filterwarnings("default")]
CONFIG = """
backends: {{a: {{use: simulated}}}}
pipelines:
  default:
    effects: [exact, lossy]
    steps:
      - {{use: compress.llmlingua, model: {model}, device: cpu, budget: 100s, deadline: 110s}}
"""
SENTENCE = "On day {0} the committee met in the afternoon and discussed the report of the members. "
PROSE = "".join(map(SENTENCE.format, range(200)))


def children(pid):
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for thread in threads for each in thread.read_text().split()]


def ask(server, name):
    """A request in a conversation of that name; what Penstock did with it."""
    messages = [
        {"role": "user", "content": name},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": PROSE},
    ]
    body = {"model": "gpt-5", "messages": messages}
    reply = httpx2.post(server.url + "/v1/chat/completions", json=body, timeout=120)
    assert reply.status_code == 200
    return reply.headers["x-penstock-steps"]


CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def test_prose_is_shortened_also_after_the_process_was_killed_and_none_is_left(tmp_path):
    model = importlib.import_module("tiny_classifier").make(tmp_path / "model")
    with running(CONFIG.format(model=model)) as server:
        assert ask(server, "first") == "compress.llmlingua=edit"
        workers = every_child(server.pid)
        assert len(workers) == 1
        for pid in workers:
            os.kill(pid, 9)
        assert httpx2.get(server.url + "/readyz").status_code == 200
        assert ask(server, "first") == "compress.llmlingua=edit"
        end = time.monotonic() + 60
        while not (fresh := every_child(server.pid) - workers) and time.monotonic() < end:
            time.sleep(0.1)
        assert fresh
        assert server.stop() == 0
    assert not [pid for pid in workers | fresh if Path(f"/proc/{pid}").exists()]


def every_child(pid):
    """The processes that hold models, of all of the server's own."""
    found = set()
    for child in children(pid):
        found |= every_child(child)
        if b"lingua_worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            found.add(child)
    return found
