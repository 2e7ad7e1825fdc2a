"""An upstream that does not take a cache field: the client never learns of it."""

import json

import httpx2
import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked

YAML = """
data: ${DATA}
backends:
  openai: {use: openai, base_url: "${URL}/v1"}
  claude: {use: anthropic, base_url: "${URL}/v1"}
  vllm: {use: vllm, replicas: ["${URL}"]}
routes:
  - {when: {model: "gpt-*"}, send: openai, pipeline: safe}
  - {when: {model: "claude-*"}, send: claude, pipeline: safe}
  - {when: {model: "qwen*"}, send: vllm, pipeline: safe}
"""
LONG = "Never give a seat away twice. " * 400
PATHS = {"chat": "chat/completions", "messages": "messages", "responses": "responses"}
_client = httpx2.Client(timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def server():
    with PrefixUpstream("openai_breakpoints") as made:
        yield made


@pytest.fixture
def upstream(server):
    server.requests.clear()
    server.rejects = set()
    return server


def serving(upstream, data):
    return running(YAML, env={"URL": upstream.url, "DATA": str(data)})


@pytest.fixture(scope="module")
def penstock(server, tmp_path_factory):
    with serving(server, tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
def ask(penstock, request):
    """Posts as a tenant of the test's own, for whom nothing has been rejected yet."""
    return asking(penstock, request.node.name)


def asking(penstock, tenant):
    def ask(dialect, doc, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = "Bearer " + tenant.encode().hex()
        return _client.post(f"{penstock.url}/v1/{PATHS[dialect]}", json=doc, headers=named)

    return ask


def body(dialect, model, number, **more):
    turn = {"role": "user", "content": f"Question {number}"}
    if dialect == "messages":
        tool = {"name": "book", "input_schema": {"type": "object"}}
        own = {"max_tokens": 99, "system": LONG, "tools": [tool]}
        return {"model": model, **own, "messages": [turn], **more}
    said = [{"role": "system", "content": LONG}, turn]
    return {"model": model, "input" if dialect == "responses" else "messages": said, **more}


CASES = [
    ("chat", "gpt-6-sol", "prompt_cache_breakpoint"),
    ("chat", "gpt-6-sol", "prompt_cache_key"),
    ("chat", "gpt-5", "prompt_cache_key"),
    ("responses", "gpt-6-sol", "prompt_cache_breakpoint"),
    ("responses", "gpt-5", "prompt_cache_key"),
    ("messages", "claude-sonnet-5", "cache_control"),
    ("chat", "qwen", "cache_salt"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_request_is_sent_once_more_without_and_never_with_it_again(ask, upstream, case, stream):
    dialect, model, field = case
    upstream.rejects = {field}
    asked = body(dialect, model, 1, **({"stream": True} if stream else {}))
    first = ask(dialect, asked)
    assert first.status_code == 200
    assert first.content
    assert upstream.calls == 2
    with_it, without = upstream.bodies
    assert field.encode() in with_it
    assert field.encode() not in without
    doc = json.loads(without)
    doc.pop("prompt_cache_key", None)
    assert unmarked(doc) == unmarked(asked)
    for number in (2, 3):
        assert ask(dialect, body(dialect, model, number)).status_code == 200
    assert upstream.calls == 4
    assert not any(field.encode() in each for each in upstream.bodies[1:])


def test_a_restart_does_not_forget_what_was_rejected(upstream, tmp_path):
    for number in range(2):
        with serving(upstream, tmp_path) as penstock:
            for dialect, model, field in CASES:
                upstream.rejects = {field}
                ask = asking(penstock, field + dialect)
                calls = upstream.calls
                assert ask(dialect, body(dialect, model, number)).status_code == 200
                assert upstream.calls - calls == (1 if number else 2)
                assert field.encode() not in upstream.bodies[-1]
            assert penstock.stop() == 0


def test_a_field_that_was_not_rejected_is_still_sent(ask, upstream):
    upstream.rejects = {"prompt_cache_breakpoint"}
    for number in range(3):
        assert ask("chat", body("chat", "gpt-6-sol", number)).status_code == 200
    assert [b"prompt_cache_key" in each for each in upstream.bodies[2:]] == [True] * 2


def test_marks_are_still_set_where_only_the_key_was_rejected(ask, upstream):
    upstream.rejects = {"prompt_cache_key"}
    for number in range(3):
        assert ask("chat", body("chat", "gpt-6-sol", number)).status_code == 200
    assert [b"prompt_cache_breakpoint" in each for each in upstream.bodies[2:]] == [True] * 2


def forked(number):
    """Many go on from the same example: what only one of them writes is not read again."""
    example = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes."}]
    turn = {"role": "user", "content": f"Question {number}. {LONG}"}
    return {"model": "gpt-6-sol", "messages": [*example, turn]}


def test_where_openais_own_mark_does_not_pay_only_explicit_marks_are_asked_for(ask, upstream):
    for number in range(4):
        assert ask("chat", forked(number)).status_code == 200
    last = upstream.docs[-1]
    assert last["prompt_cache_options"] == {"mode": "explicit"}
    assert [b"prompt_cache_breakpoint" in json.dumps(it).encode() for it in last["messages"]] == [
        True,
        False,
        False,
    ]


def test_an_upstream_that_rejects_the_cache_options(ask, upstream):
    upstream.rejects = {"prompt_cache_options"}
    for number in range(5):
        assert ask("chat", forked(number)).status_code == 200
    assert [b"prompt_cache_options" in each for each in upstream.bodies].count(True) == 1


@pytest.mark.parametrize(("dialect", "model", "field"), CASES)
def test_another_400_passes_untouched_and_nothing_is_repeated(ask, upstream, dialect, model, field):
    doc = body(dialect, model, 1)
    refused = ask(dialect, doc, x_fake="400")
    assert refused.status_code == 400
    assert upstream.calls == 1
    assert refused.json()["error"]["param"] == "temperature"
    assert ask(dialect, doc).status_code == 200
    assert all(field.encode() in each for each in upstream.bodies)


def test_a_field_that_the_client_has_set_itself_is_its_own_affair(ask, upstream):
    upstream.rejects = {"prompt_cache_key"}
    for model in ("gpt-5", "gpt-6-sol"):
        refused = ask("chat", body("chat", model, 1, prompt_cache_key="mine"))
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "prompt_cache_key"
    assert upstream.calls == 2


def test_another_model_of_the_same_upstream_still_gets_the_field(ask, upstream):
    upstream.rejects = {"prompt_cache_key"}
    assert ask("chat", body("chat", "gpt-5", 1)).status_code == 200
    upstream.rejects = set()
    assert ask("chat", body("chat", "gpt-4.1", 1)).status_code == 200
    assert ask("chat", body("chat", "gpt-5", 2)).status_code == 200
    assert [b"prompt_cache_key" in each for each in upstream.bodies] == [True, False, True, False]


def test_the_repeat_is_one_request_that_is_cached(ask, penstock, upstream):
    upstream.rejects = {"prompt_cache_key"}
    before = counted(penstock)
    told = ask("chat", body("chat", "gpt-5", 1)).headers
    assert told["x-penstock-cache"] == "MISS"
    assert "prefix.breakpoints=" in told["x-penstock-steps"]
    assert ask("chat", body("chat", "gpt-5", 1)).headers["x-penstock-cache"] == "HIT"
    assert counted(penstock) == before + 2


def counted(penstock):
    lines = _client.get(penstock.url + "/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("penstock_requests_total")]
    return sum(float(line.rpartition(" ")[2]) for line in found)
