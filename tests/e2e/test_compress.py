"""`POST /v1/compress`: a prompt in fewer tokens, and what each step did; nothing is sent."""

import contextlib
import gzip
import json
import sqlite3
import time

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.misbehaving import Misbehaving
from tests.fakes.penstock import running

YAML = """
clients:
  - {{name: team-a, key: "${{KEY_A}}"}}
  - {{name: team-b, key: "${{KEY_B}}"}}
limits: {{body: 300kB}}
backends: {{a: {{use: http, base_url: "{url}/v1"}}}}
pipelines:
  default:
    - {{use: cache.exact}}
    - {{use: compress.lossless, budget: 10s, deadline: 20s}}
    - {{use: prefix.breakpoints}}
  quiet: [{{use: compress.lossless, budget: 10s, deadline: 20s, mode: shadow}}]
  hasty: [{{use: compress.lossless, budget: 0.01ms, deadline: 20s}}]
  bare: [{{use: cache.exact}}]
  stash:
    effects: [lossless, lossy]
    steps: [{{use: compress.stash, min_tokens: 100, budget: 9s, deadline: 20s}}]
  eager:
    effects: [lossy]
    steps: [{{use: compress.history, keep: 2, above: 0}}]
  patient:
    effects: [lossy]
    steps: [{{use: compress.history, keep: 2, above: 1000000}}]
routes:
  - {{when: {{model: "gpt-4o"}}, send: a, effects: [lossy], pipeline: patient}}
  - {{when: {{model: "untouched"}}, send: a, effects: [exact]}}
  - {{when: {{model: "stash"}}, send: a, effects: [lossless, lossy], pipeline: stash}}
  - {{when: {{model: "gpt-*"}}, send: a, pipeline: default}}
"""
SECRETS = {"KEY_A": "sk-team-a-0123456789", "KEY_B": "sk-team-b-0123456789"}
KEYS = [{"authorization": f"Bearer {key}"} for key in SECRETS.values()]
ROWS = json.dumps([{"id": n, "mail": f"user{n}@example.org"} for n in range(40)], indent=2)
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}}
CHAT = [
    {"role": "user", "content": "who?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": ROWS},
]
_client = httpx2.Client(timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def upstream():
    with Misbehaving() as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream):
    with running(YAML.format(url=upstream.url), env=SECRETS) as made:
        yield made


@pytest.fixture
def ask(penstock, upstream):
    """Posts a body; whatever comes of it, nothing may have been sent on."""
    before = len(upstream.requests)

    def asked(body, path="compress", headers=KEYS[0], **fields):
        content = body if isinstance(body, bytes) else json.dumps(body | fields).encode()
        kind = {"content-type": "application/json"}
        return _client.post(f"{penstock.url}/v1/{path}", content=content, headers=kind | headers)

    yield asked
    assert len(upstream.requests) == before


def good(reply):
    assert reply.status_code == 200, reply.text
    return reply.json()


def refused(reply, status, param):
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (status, param), reply.text
    return error


def test_a_bare_text_counts_as_a_tools_result(ask):
    found = good(ask({"model": "gpt-5", "text": ROWS}))
    assert list(found) == ["model", "pipeline", "text", "tokens", "steps"]
    assert (found["model"], found["pipeline"]) == ("gpt-5", "default")
    assert "39 user39" in found["text"]
    (step,) = found["steps"]
    assert (step["policy"], step["effect"], step["applied"]) == (
        "compress.lossless",
        "lossless",
        True,
    )
    assert step["tokens"] == found["tokens"]
    assert found["tokens"]["after"] < 0.6 * found["tokens"]["before"]


def test_of_messages_only_results_change(ask):
    found = good(ask({"model": "gpt-5", "messages": CHAT, "tools": [{"type": "function"}]}))
    assert found["messages"][:2] == CHAT[:2]
    assert found["tools"] == [{"type": "function"}]
    assert found["messages"][2]["content"] == good(ask({"model": "gpt-5", "text": ROWS}))["text"]
    saved = found["tokens"]["before"] - found["tokens"]["after"]
    step = found["steps"][0]["tokens"]
    assert saved == step["before"] - step["after"] > 0


def test_what_does_not_change_keeps_its_bytes(ask):
    odd = b'[{"role":  "user", "content": "caf\\u00e9", "n": 1.0}]'
    reply = ask(b'{"model": "gpt-5", "messages": ' + odd + b"}")
    assert b'"messages":' + odd + b"," in reply.content
    found = good(reply)
    assert found["tokens"]["before"] == found["tokens"]["after"] > 0
    assert found["steps"][0]["decision"] == "skip"


def test_the_other_dialects(ask):
    result = {"type": "tool_result", "tool_use_id": "t", "content": ROWS}
    turns = [{"role": "user", "content": [result]}]
    found = good(
        ask({"model": "gpt-5", "system": "s", "messages": turns}, "compress?path=messages")
    )
    assert "39 user39" in found["messages"][0]["content"][0]["content"]
    assert found["system"] == "s"
    items = [{"type": "function_call_output", "call_id": "c", "output": ROWS}]
    form = {"format": {"type": "text"}}
    found = good(ask({"model": "gpt-5", "input": items, "text": form}, "compress?path=responses"))
    assert "39 user39" in found["input"][0]["output"]


def test_a_pipeline_by_name(ask):
    body = {"model": "gpt-5", "text": ROWS}
    found = good(ask(body, pipeline="quiet"))
    assert (found["pipeline"], found["text"]) == ("quiet", ROWS)
    assert found["steps"][0]["mode"] == "shadow"
    assert found["steps"][0]["tokens"]["after"] < found["steps"][0]["tokens"]["before"]
    found = good(ask(body, headers=KEYS[0] | {"x-penstock-policy": "bare"}))
    assert (found["text"], found["steps"]) == (ROWS, [])


def test_a_tool_that_only_penstock_can_answer_is_not_offered_to_other_programs(ask):
    prompt = {"messages": CHAT, "tools": [{"type": "function"}]}
    found = good(ask(prompt | {"model": "stash"}))
    assert {name: found[name] for name in prompt} == prompt
    assert found["steps"] == []


def test_a_conversation_goes_on_as_if_nobody_had_asked(ask, penstock, upstream):
    messages = [{"role": "user", "content": "look"}]
    for number in range(7):
        call = CALL | {"id": f"c{number}"}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        text = f"page {number}: " + "apples and pears; " * 99
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
    body = {"model": "gpt-4o", "messages": messages}
    found = good(ask(body, headers=KEYS[0] | {"x-penstock-policy": "eager"}))
    assert json.dumps(found["messages"]).count("is left out") == 4
    learnt(ask, penstock, "gpt-5-after", KEYS[0])  # and so would be what was learnt before
    url = f"{penstock.url}/v1/chat/completions"
    _client.post(url, content=json.dumps(body).encode(), headers=KEYS[0])
    assert json.loads(upstream.requests.pop().body)["messages"] == messages


def test_effects_only_narrow(ask):
    found = good(ask({"model": "untouched", "text": ROWS, "pipeline": "default"}))
    assert found["steps"][0]["mode"] == "denied"
    assert found["text"] == ROWS
    found = good(
        ask({"model": "gpt-5", "text": ROWS}, headers=KEYS[0] | {"x-penstock-bypass": "compress"})
    )
    assert (found["text"], found["steps"][0]["mode"]) == (ROWS, "bypass")


@pytest.mark.parametrize(
    ("body", "path", "status", "param"),
    [
        ({"model": "gpt-5"}, "compress", 400, "text"),
        ({"model": "gpt-5", "text": "a", "messages": []}, "compress", 400, "text"),
        ({"model": "gpt-5", "text": ["a"]}, "compress", 400, "text"),
        ({"model": "gpt-5", "text": {}}, "compress", 400, "text"),
        ({"model": "gpt-5", "messages": {}}, "compress", 400, "messages"),
        ({"model": "gpt-5", "text": "a", "pipeline": "none"}, "compress", 400, "pipeline"),
        ({"model": "gpt-5", "text": "a", "pipeline": 1}, "compress", 400, "pipeline"),
        ({"model": 1, "text": "a"}, "compress", 400, "model"),
        ({"model": "other", "text": "a"}, "compress", 404, "model"),
        ({"model": "gpt-5", "text": "a"}, "compress?path=files", 400, "path"),
        ({"model": "gpt-5", "text": "a" * 400_000}, "compress", 413, None),
        (b"[]", "compress", 400, None),
        (b'{"model": "gpt-5", "text": "a"', "compress", 400, None),
        (b'{"model": "gpt-5", "text": "\\ud800"}', "compress", 400, None),
        (b'{"model": "gpt-5", "messages": [NaN]}', "compress", 400, None),
        (b'{"model": "gpt-5", "text": "a", "text": "b"}', "compress", 400, "text"),
    ],
)
def test_what_cannot_be_read_is_refused(ask, body, path, status, param):
    refused(ask(body, path), status, param)


def test_it_takes_post_and_readable_encodings_only(ask, penstock):
    reply = _client.get(penstock.url + "/v1/compress", headers=KEYS[0])
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    body = json.dumps({"model": "gpt-5", "text": ROWS}).encode()
    found = good(ask(gzip.compress(body), headers=KEYS[0] | {"content-encoding": "gzip"}))
    assert "39 user39" in found["text"]
    for coding in ("compress", "br"):  # one that is not known, one that the body has not
        refused(ask(body, headers=KEYS[0] | {"content-encoding": coding}), 400, "content-encoding")


VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.just(ROWS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEY = st.sampled_from(["text", "messages", "input", "pipeline", "tools", "system", "stream"])
PATH = st.sampled_from(["compress", "compress?path=messages", "compress?path=responses"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(KEY, VALUE, max_size=3) | st.fixed_dictionaries({"messages": VALUE}), PATH)
def test_any_body_is_answered_or_refused(ask, body, path):
    reply = ask(json.dumps({"model": "gpt-5", **body}).encode(), path)
    assert reply.status_code in (200, 400), reply.text
    if reply.status_code == 200:
        assert reply.json()["tokens"]["before"] >= reply.json()["tokens"]["after"]


def test_a_key_is_needed(ask):
    refused(ask({"model": "gpt-5", "text": "a"}, headers={}), 401, None)


@pytest.mark.parametrize("text", ["", " ", "a", "\x00\u2028\U0001f600", "x" * 200_000])
def test_a_text_with_nothing_to_gain_comes_back_as_it_is(ask, text):
    found = good(ask({"model": "gpt-5", "text": text}))
    assert found["text"] == text
    assert found["tokens"]["before"] == found["tokens"]["after"]


def test_tenants_get_the_same_form(ask):
    bodies = [good(ask({"model": "gpt-5", "text": ROWS}, headers=key)) for key in KEYS]
    assert bodies[0]["text"] == bodies[1]["text"]


def test_explain_shows_the_same_as_a_diff(penstock, ask):
    body = {"model": "gpt-5", "messages": CHAT}
    url = f"{penstock.url}/admin/explain?tenant=team-a"
    (told,) = _client.post(url + "&diff=true", json=body).json()["changes"]
    assert told["before"] == ROWS
    assert told["after"] == good(ask(body))["messages"][2]["content"]
    assert "changes" not in _client.post(url, json=body).json()


def test_what_is_only_explained_is_not_late_when_it_comes(penstock, ask):
    rows = json.dumps([{"n": n, "name": f"explained {n % 7} {n}"} for n in range(4000)])
    body = {"model": "gpt-5", "messages": [*CHAT[:-1], CHAT[-1] | {"content": rows}]}
    headers = {"x-penstock-policy": "hasty"}
    url = f"{penstock.url}/admin/explain?tenant=team-a"
    told = _client.post(url, content=json.dumps(body), headers=headers).json()
    assert told["steps"][0]["why"] == "nothing to gain"
    until = time.monotonic() + 20
    while good(ask({"model": "gpt-5", "text": rows, "pipeline": "hasty"}))["text"] == rows:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert good(ask(body | {"pipeline": "hasty"}))["messages"][-1]["content"] != rows


def test_a_text_that_was_late_is_there_the_next_time(ask):
    rows = json.dumps([{"n": n, "name": f"late {n % 7} {n}"} for n in range(4000)])
    body = {"model": "gpt-5", "text": rows, "pipeline": "hasty"}
    assert good(ask(body))["text"] == rows
    until = time.monotonic() + 20
    while good(ask(body))["text"] == rows:
        assert time.monotonic() < until
        time.sleep(0.05)


def learnt(ask, penstock, model, key):
    """Which parts of the store hold what was learnt of a text, once it is there."""
    rows = json.dumps([{"n": n, "name": f"stored {n}"} for n in range(60)])
    good(ask({"model": model, "text": rows}, headers=key))

    def stored():
        query = "SELECT space, tenant FROM entries WHERE model = ?"
        with contextlib.closing(sqlite3.connect(penstock.data / "store.sqlite")) as db:
            return db.execute(query, [model]).fetchall()

    until = time.monotonic() + 10
    while not stored() and time.monotonic() < until:  # it is written soon after
        time.sleep(0.02)
    return stored()


def test_what_was_learnt_is_stored_for_its_tenant(penstock, ask):
    assert learnt(ask, penstock, "gpt-5-stored", KEYS[1]) == [("compress.lossless", "team-b")]
