"""An upstream that fails for a while: marks come back with it, whatever was asked meanwhile."""

import time

import httpx2
import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream

YAML = """
backends:
  claude:
    use: anthropic
    base_url: "${URL}/v1"
    retry: {attempts: 1}
    breaker: {failures: 4, rest: 500ms}
routes:
  - {when: {model: "claude-*"}, send: claude, pipeline: safe}
"""
LONG = "Never give a seat away twice. " * 400
TOOL = {"name": "book", "input_schema": {"type": "object"}}
_client = httpx2.Client(timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def upstream():
    with PrefixUpstream("anthropic_marks") as made:
        yield made


@pytest.fixture
def penstock(upstream):
    with running(YAML, env={"URL": upstream.url}) as made:
        yield made


def once(number):
    """With tools and instructions, and nothing in common with any other."""
    said = [{"role": "user", "content": "Hi"}]
    own = {"max_tokens": 9, "tools": [TOOL], "system": f"{number} {LONG}"}
    return {"model": "claude-sonnet-5", **own, "messages": said}


def ask(penstock, number, tenant="t", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["authorization"] = "Bearer " + tenant
    url = penstock.url + "/v1/messages"
    return _client.post(url, json=once(number), headers=named).status_code


def test_marks_are_there_again_as_soon_as_the_upstream_is(penstock, upstream):
    found = [ask(penstock, number, x_fake="500") for number in range(100)]
    assert set(found) == {500, 503}  # of the upstream, and of the breaker
    time.sleep(0.6)  # until the breaker lets one try
    assert ask(penstock, 1000, "u") == 200
    assert b"cache_control" in upstream.bodies[-1]


def test_a_thousand_explanations_leave_no_trace(penstock, upstream):
    for number in range(1000):
        url = penstock.url + "/admin/explain?path=messages&tenant=t"
        told = _client.post(url, json=once(number))
        assert told.status_code == 200, told.text
    assert '"1 marks"' in told.text
    assert ask(penstock, 1000) == 200
    assert b"cache_control" in upstream.bodies[-1]
