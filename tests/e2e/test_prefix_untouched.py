"""What Penstock must forward byte for byte: marks of the client's, odd shapes, unknown hosts."""

import json

import httpx2
import pytest

from tests.fakes.penstock import running
from tests.fakes.prefix_upstream import PrefixUpstream, unmarked

YAML = """
backends:
  openai: {use: openai, base_url: "${URL}/v1", retry: {attempts: 1}}
  claude: {use: anthropic, base_url: "${URL}/v1", retry: {attempts: 1}}
  vllm: {use: vllm, replicas: ["${URL}"], retry: {attempts: 1}}
  unknown: {use: http, base_url: "${URL}/v1", retry: {attempts: 1}}
routes:
  - {when: {model: "gpt-*"}, send: openai, pipeline: aggressive}
  - {when: {model: "claude-*"}, send: claude, pipeline: aggressive}
  - {when: {model: "qwen*"}, send: vllm, pipeline: aggressive}
  - {when: {model: "hosted/*"}, send: unknown, pipeline: aggressive}
"""
LONG = "Never give a seat away twice. " * 400
EPHEMERAL = {"type": "ephemeral"}
EXPLICIT = {"mode": "explicit"}
_client = httpx2.Client(timeout=20, trust_env=False)
PATHS = {"chat": "chat/completions", "messages": "messages", "responses": "responses"}


@pytest.fixture(scope="module")
def upstream():
    with PrefixUpstream("openai_breakpoints") as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream):
    with running(YAML, env={"URL": upstream.url}) as server:
        yield server


@pytest.fixture
def forwarded(penstock, upstream):
    """What goes upstream for a body, which is sent as one text or as JSON."""

    def forward(dialect, body, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{penstock.url}/v1/{PATHS[dialect]}"
        before = upstream.calls
        _client.post(url, content=raw, headers=named)
        assert upstream.calls == before + 1
        return raw, upstream.bodies[-1]

    return forward


def text(words, **mark):
    return {"type": "text", "text": words, **mark}


def chat(*content, model="gpt-6-sol", **more):
    """A chat with a long system prompt, which is `content[0]` if that is a list."""
    first, *turns = content
    messages = [{"role": "system", "content": first}]
    for number, turn in enumerate(turns):
        messages.append({"role": ("user", "assistant")[number % 2], "content": turn})
    return {"model": model, "messages": messages, **more}


def messages(*turns, system=LONG, model="claude-sonnet-5", **more):
    roles = ("user", "assistant")
    said = [{"role": roles[number % 2], "content": it} for number, it in enumerate(turns)]
    return {"model": model, "max_tokens": 99, "system": system, "messages": said, **more}


def responses(*items, model="gpt-6-sol", **more):
    return {"model": model, "instructions": LONG, "input": list(items), **more}


def said(words, **mark):
    return {"role": "user", "content": [{"type": "input_text", "text": words, **mark}]}


TOOL = {"name": "book", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "1", "name": "book", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "1"}
NESTED = {**RESULT, "content": [text("done", cache_control=EPHEMERAL)]}
MARKED = {
    "claude system": ("messages", messages("hi", system=[text(LONG, cache_control=EPHEMERAL)])),
    "claude user": ("messages", messages([text(LONG, cache_control=EPHEMERAL), text("hi")])),
    "claude tool": ("messages", messages("hi", tools=[{**TOOL, "cache_control": EPHEMERAL}, TOOL])),
    "claude hour": ("messages", messages([text("hi", cache_control={**EPHEMERAL, "ttl": "1h"})])),
    "claude answer": (
        "messages",
        messages("hi", [text(LONG, cache_control=EPHEMERAL)], "go on", tools=[TOOL]),
    ),
    "claude result": ("messages", messages("hi", [USE], [NESTED], tools=[TOOL])),
    "claude automatic": ("messages", messages("hi", cache_control=EPHEMERAL, tools=[TOOL])),
    "chat both": (
        "chat",
        chat([text(LONG, prompt_cache_breakpoint=EXPLICIT)], "hi", prompt_cache_key="mine"),
    ),
    "chat options": ("chat", chat(LONG, "hi", prompt_cache_options=EXPLICIT, prompt_cache_key="a")),
    "chat retention": (
        "chat",
        chat(LONG, "hi", prompt_cache_retention="24h", prompt_cache_key="a"),
    ),
    "chat key": ("chat", chat(LONG, "hi", model="gpt-5", prompt_cache_key="mine")),
    "responses both": (
        "responses",
        responses(said("hi", prompt_cache_breakpoint=EXPLICIT), prompt_cache_key="mine"),
    ),
    "responses key": ("responses", responses(said("hi"), model="gpt-5", prompt_cache_key="mine")),
    "vllm salt": ("chat", chat(LONG, "hi", model="qwen", cache_salt="mine")),
}


@pytest.mark.parametrize("name", MARKED)
def test_with_all_marks_by_the_client_not_a_byte_changes(forwarded, name):
    dialect, body = MARKED[name]
    for _ in range(3):  # also once it is known what is read again
        sent, came = forwarded(dialect, body, x_penstock_cache="off")
        assert came == sent


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("chat", chat([text(LONG, prompt_cache_breakpoint=EXPLICIT), text("Be brief.")], "hi")),
        ("chat", chat(LONG, "hi", "hello", [text(LONG, prompt_cache_breakpoint=EXPLICIT)])),
        ("chat", chat(LONG, "hi", prompt_cache_options=EXPLICIT)),
        ("responses", responses(said("hi", prompt_cache_breakpoint=EXPLICIT), said("bye"))),
    ],
)
def test_with_marks_by_the_client_nothing_is_added(forwarded, dialect, body):
    for _ in range(3):
        sent, came = forwarded(dialect, body, x_penstock_cache="off")
        assert came == sent


def test_with_a_key_by_the_client_nothing_is_added(forwarded):
    for turn in ("hi", "again"):
        sent, came = forwarded("chat", chat(LONG, turn, prompt_cache_key="mine"))
        assert came == sent


@pytest.mark.parametrize(
    ("dialect", "body"),
    [("chat", chat("Be brief.", "hi")), ("messages", messages("hi", system="b"))],
)
def test_a_short_prompt_gets_no_mark(forwarded, dialect, body):
    for _ in range(3):
        _, came = forwarded(dialect, body, x_penstock_cache="off")
        assert b"prompt_cache_breakpoint" not in came
        assert b"cache_control" not in came
        assert unmarked(json.loads(came)["messages"]) == body["messages"]


def twice(count):
    """Tools of which each name stands twice."""
    names = [f"tool_{number // 2}" for number in range(count)]
    return [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]


ODD = {
    "unknown host": ("chat", chat(LONG, "hi", model="hosted/gpt-6-sol")),
    "unknown host, claude": ("messages", messages("hi", model="hosted/claude-sonnet-5")),
    "unknown model": ("chat", chat(LONG, "hi", model="gpt-unheard-of")),
    "short": ("chat", chat("Be brief.", "hi", model="gpt-5")),
    "unknown part": ("chat", chat(LONG, [text("look"), {"type": "hologram", "data": LONG}])),
    "unknown part, claude": ("messages", messages([{"type": "hologram", "data": LONG}])),
    "unknown role": ("chat", {**chat(LONG), "messages": [{"role": "oracle", "content": LONG}]}),
    "unknown item": ("responses", responses({"type": "hologram", "data": LONG})),
    "system a number": ("messages", messages("hi", system=17, tools=[TOOL])),
    "system an object": ("messages", messages("hi", system={"text": LONG}, tools=[TOOL])),
    "system true": ("messages", messages("hi", system=True)),
    "content a number": ("chat", chat(17, LONG)),
    "content of numbers": ("chat", chat([1, 2, 3], LONG)),
    "messages of texts": ("chat", {"model": "gpt-6-sol", "messages": ["hi", LONG]}),
    "no messages": ("chat", {"model": "gpt-6-sol", "prompt": LONG}),
    "lone surrogate": ("chat", chat("\ud800" + LONG, "hi", model="gpt-5")),
}


@pytest.mark.parametrize("name", ODD)
def test_where_nothing_applies_not_a_byte_changes(forwarded, name):
    dialect, body = ODD[name]
    for _ in range(3):
        sent, came = forwarded(dialect, body, x_penstock_cache="off")
        assert came == sent


def test_tools_whose_names_stand_twice_keep_order_and_bytes(forwarded):
    tools = twice(128)
    for order in (tools, tools[::-1], tools[1:] + tools[:1]):
        _, came = forwarded("chat", chat(LONG, "hi", model="gpt-5", tools=order))
        assert json.loads(came)["tools"] == order
        came = forwarded("chat", chat(LONG, "hi", tools=order, model="hosted/gpt-5"))
        assert came[0] == came[1]


@pytest.mark.parametrize("families", ["prefix", "all"])
@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("chat", chat(LONG, "bypassed", tools=twice(1))),
        ("chat", chat(LONG, "bypassed", model="gpt-5")),
        ("chat", chat(LONG, "bypassed", model="qwen")),
        ("responses", responses(said("bypassed"))),
        ("messages", messages("bypassed", tools=[TOOL])),
    ],
)
def test_a_bypass_leaves_the_body_untouched(forwarded, dialect, body, families):
    sent, edited = forwarded(dialect, body, x_penstock_cache="off")
    assert edited != sent
    sent, came = forwarded(dialect, body, x_penstock_bypass=families, x_penstock_cache="off")
    assert came == sent


@pytest.mark.parametrize(
    ("dialect", "model", "added"),
    [
        ("chat", "gpt-5", {"prompt_cache_key"}),
        ("chat", "gpt-6-sol", {"prompt_cache_key"}),
        ("responses", "gpt-5", {"prompt_cache_key"}),
        ("responses", "gpt-6-sol", {"prompt_cache_key"}),
        ("messages", "claude-sonnet-5", set()),
        ("chat", "qwen", {"cache_salt"}),
    ],
)
def test_which_fields_each_upstream_gets(forwarded, dialect, model, added):
    made = {"chat": lambda **m: chat(LONG, "hi", **m), "messages": lambda **m: messages("hi", **m)}
    body = made.get(dialect, lambda **m: responses(said("hi"), **m))(model=model)
    for turn in range(2):
        sent, came = forwarded(dialect, {**body, "top_p": 0.5 + turn / 4})
        found = json.loads(came).keys() - json.loads(sent).keys() - {"prompt_cache_options"}
        assert found == added
        assert all(1 <= len(json.loads(came)[name]) <= 64 for name in added)
