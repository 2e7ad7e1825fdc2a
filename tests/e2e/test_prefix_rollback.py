"""A route whose edits make input dearer is switched to shadow by itself, and says so."""

import json

import httpx2
import pytest

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.misbehaviours import chat_body
from tests.fakes.penstock import running

YAML = """
backends:
  openai: {use: openai, base_url: "${URL}/v1"}
routes:
  - {when: {model: "gpt-*"}, send: openai, pipeline: trial}
pipelines:
  trial:
    effects: [exact]
    holdout: 0.5
    steps: [{use: prefix.breakpoints}]
"""
LONG = "Never give a seat away twice. " * 200
KEY = b'"prompt_cache_key"'
MOST = 1000
_client = httpx2.Client(timeout=20, trust_env=False)


class Contrary(Misbehaving):
    """Its cache finds what comes with a key only where `good`, and anything else always."""

    good = False

    async def _serve(self, peer, seen):
        await peer.read_body()
        self.requests.append(seen)
        found = 1024 if self.good or KEY not in seen.body else 0
        usage = {"prompt_tokens": 1500, "completion_tokens": 3, "total_tokens": 1503}
        usage["prompt_tokens_details"] = {"cached_tokens": found}
        await peer.answer(json.dumps(json.loads(chat_body()) | {"usage": usage}).encode())


@pytest.fixture
def upstream():
    with Contrary() as made:
        yield made


def ask(penstock, number):
    said = [{"role": "system", "content": LONG}, {"role": "user", "content": f"{number}?"}]
    body = {"model": "gpt-5", "messages": said}
    assert _client.post(penstock.url + "/v1/chat/completions", json=body).status_code == 200


def switched(penstock):
    lines = _client.get(penstock.url + "/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("penstock_rollbacks_total{")]
    return [line.rpartition(" ")[2] for line in found]


def test_edits_that_lose_reads_are_planned_only_from_then_on(upstream):
    with running(YAML, env={"URL": upstream.url}) as penstock:
        asked = 0
        while not switched(penstock) and asked < MOST:
            ask(penstock, asked)
            asked += 1
        with_key = [KEY in seen.body for seen in upstream.requests]
        assert 50 <= sum(with_key) < asked - 50
        assert switched(penstock) == ["1.0"]
        for number in range(MOST, MOST + 20):
            ask(penstock, number)
        assert not any(KEY in seen.body for seen in upstream.requests[asked:])
        told = [line for line in penstock.output().splitlines() if "input costs" in line]
        assert len(told) == 1
        assert "pipeline trial:" in told[0]
        assert "shadow" in told[0]


def test_edits_that_lose_nothing_go_on(upstream):
    upstream.good = True
    with running(YAML, env={"URL": upstream.url}) as penstock:
        for number in range(400):
            ask(penstock, number)
        assert switched(penstock) == []
        assert any(KEY in seen.body for seen in upstream.requests[-20:])
