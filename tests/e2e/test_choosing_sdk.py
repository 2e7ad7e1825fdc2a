"""The OpenAI SDK with tools and retrieved documents, through selection and projection."""

import json
import subprocess
from itertools import pairwise

import openai
import pytest

from tests.fakes.penstock import command, environment, running
from tests.fakes.prefix_upstream import PrefixUpstream
from tests.fakes.receipt_headers import receipt

YAML = """
backends:
  model: {use: openai, base_url: "${UPSTREAM}/v1"}
pipelines:
  chosen:
    effects: [exact, lossless, lossy]
    steps:
      - use: compress.project
        deadline: 30s
        budget: 20s
        tools: {find_orders: {keep: ["orders[].id", "orders[].total"]}}
      - {use: compress.select, share: 0.4, deadline: 30s, budget: 20s}
      - {use: compress.lossless, deadline: 30s, budget: 20s}
routes: [{send: model, pipeline: chosen}]
"""
THINGS = ("gold", "tin", "iron", "salt", "clay", "coal", "peat", "zinc", "opal", "jade")
PAGES = [
    f"{thing.title()} is dug in the hills, carried down to the river, and sold as {thing} to "
    f"whoever comes along the road and asks for {thing} in the market of the town there."
    for thing in THINGS
]
DOCUMENTS = "\n".join(
    f"Document [{n}](Title: {thing}) {page}"
    for n, (thing, page) in enumerate(zip(THINGS, PAGES, strict=True), 1)
)
ORDERS = json.dumps(
    {"orders": [{"id": f"o-{n}", "total": 12.50, "note": "left at the door"} for n in range(30)]},
    indent=2,
)
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("find_orders", "read_page")
]


@pytest.fixture(scope="module")
def upstream():
    with PrefixUpstream("openai_steps") as made:
        yield made


@pytest.fixture(scope="module")
def penstock(upstream):
    with running(YAML, env={"UPSTREAM": upstream.url}) as server:
        yield server


def call(name, arguments, key):
    function = {"name": name, "arguments": json.dumps(arguments)}
    calls = [{"id": key, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


SYSTEM = "You sell what is dug in the hills. " + "Never sell a thing twice. " * 300
TALK = [
    [{"role": "user", "content": f"Use these.\n\n{DOCUMENTS}\n\nQuestion: who sells the opal?"}],
    [
        {"role": "assistant", "content": "In the market."},
        {"role": "user", "content": "Find my orders."},
    ],
    [
        call("find_orders", {"of": "me"}, "c1"),
        {"role": "tool", "tool_call_id": "c1", "content": ORDERS},
    ],
    [
        call("read_page", {"about": "peat"}, "c2"),
        {"role": "tool", "tool_call_id": "c2", "content": "\n\n".join(PAGES)},
    ],
    [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "And of zinc?"}],
]


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_is_sent_in_fewer_tokens_and_each_turn_begins_as_the_last(
    penstock, upstream, stream
):
    begun = len(upstream.docs)
    messages, steps = [{"role": "system", "content": SYSTEM}], []
    with openai.OpenAI(base_url=penstock.url + "/v1", api_key="sk-x", max_retries=0) as client:
        for added in TALK:
            messages += added
            asked = client.chat.completions.with_raw_response.create(
                model="gpt-5", messages=messages, tools=TOOLS, stream=stream, user=f"{stream}"
            )
            reply = asked.parse()
            if stream:
                assert list(reply)[-1].choices[0].finish_reason == "stop"
            else:
                assert reply.choices[0].message.content
            steps.append(receipt(asked.headers))
    assert [step.steps["compress.select"] for step in steps] == ["edit"] * len(TALK)
    assert steps[-1].steps["compress.project"] == "edit"
    turns = [doc["messages"] for doc in upstream.docs[begun:]]
    assert len(turns) == len(TALK)
    for before, after in pairwise(turns):
        assert after[: len(before)] == before
    user, orders, page = turns[-1][1], turns[-1][5], turns[-1][7]
    assert user["content"].startswith("Use these.\n\nDocument [")
    assert "(Title: opal)" in user["content"]
    assert user["content"].endswith("documents left out]\n\nQuestion: who sells the opal?")
    assert "door" not in orders["content"]
    assert all(f"o-{n}" in orders["content"] for n in range(30))
    assert orders["content"].count("12.5") >= 1
    assert "Peat is dug" in page["content"]
    assert page["content"].endswith("of 10 passages left out]")
    assert turns[-1][-1] == messages[-1]
    assert [turns[-1][n] for n in (0, 2, 3, 4, 6, 8)] == [messages[n] for n in (0, 2, 3, 4, 6, 8)]


def test_explain_tells_what_was_left_out(penstock, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"model": "gpt-5", "messages": sum(TALK[:4], [])}))  # noqa: RUF017 - four short lists
    done = subprocess.run(
        command("explain", str(request), "--json", "--config", str(penstock.config)),
        env=environment(penstock.config.parent) | {"UPSTREAM": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    why = {step["policy"]: step["why"] for step in json.loads(done.stdout)["steps"]}
    assert why["compress.project"].endswith(" tokens fewer, 30 values left out")
    assert why["compress.select"].endswith(" passages left out")
