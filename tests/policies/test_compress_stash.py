import json
import re
from hashlib import blake2b

import pytest
from backends import call
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.compress.freeze_places import spots
from policies.compress.stash_original import Original, Terms, key_of, name_of
from policies.compress_stash import Stash

TOOL = {"type": "function", "function": {"name": "run"}}
NAMES = ["other", "read_original"]
CUSTOM = {"type": "custom", "custom": {"name": "read_original"}}
MCP = {"type": "mcp", "server_label": "x"}
USER = {"role": "user", "content": "hi"}
DAY = 86400.0
_marker = re.compile(
    r'\A\[This is an extract: .*call read_original with \{"id": "([0-9a-f]{16})"\}'
)


class Shelf:
    """A store in a dictionary, at the time `now`."""

    def __init__(self):
        self.kept = {}
        self.now = 1000.0
        self.puts = []

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.puts.append(key)
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)


@pytest.fixture
def stash():
    made = []

    def make(**settings):
        made.append(Stash(Stash.Settings(**{"budget": 30.0, "min_tokens": 200} | settings)))
        return made[-1]

    yield make
    for policy in made:
        policy._sight.close()


def log(name="a", rows=300):
    return "\n".join(f"{n:03d} worker {name} did {n * 7919 % 997}" for n in range(rows))


def result(text, number=1):
    return {"role": "tool", "tool_call_id": str(number), "content": text}


def chat(*messages, **fields):
    return call({"messages": [USER, *messages], "tools": [TOOL], **fields})


async def planned(policy, shelf, one):
    return await policy.plan(one, View(shelf, shelf.now))


async def sent(policy, shelf, one, outcome=None):
    step = await planned(policy, shelf, one)
    await policy.settle(one, step, outcome or Outcome(200), shelf)
    return step


def texts(step):
    return [message["content"] for message in step.body.json()["messages"]]


async def test_an_extract_goes_and_the_original_is_stored(stash):
    shelf, text = Shelf(), log() + "\nFATAL: no route to host\nexit status 3\n" + log("b")
    step = await sent(stash(), shelf, chat(result(text)))
    told = texts(step)[1]
    name = _marker.match(told)[1]
    assert name == blake2b(text.encode(), digest_size=8).hexdigest()
    assert "FATAL: no route to host" in told
    assert "exit status 3" in told
    assert shelf.kept[key_of(name)].value.decode() == text
    assert step.tokens_before == pytest.approx(len(text) / 4, rel=0.01)  # long texts are sampled
    assert -(-len(told) // 4) < step.tokens_after < step.tokens_before / 2


async def test_names_of_what_is_left_out_may_stay_away(stash):
    shelf, text = Shelf(), log()
    rare = text.replace("150 worker", "150 hidden_worker")
    long = texts(await sent(stash(), shelf, chat(result(rare))))[1]
    short = texts(await sent(stash(names=False), shelf, chat(result(rare))))[1]
    assert "hidden_worker" in long
    assert "hidden_worker" not in short
    assert "left out ...]" in short
    dense = "\n".join(f"{n} {n * 7919} {n * 104729}" for n in range(300))
    step = await sent(stash(), shelf, chat(result(dense)))
    assert texts(step)[1] == dense  # names would be most of it
    assert texts(await sent(stash(names=False), shelf, chat(result(dense))))[1] != dense


async def test_the_tool_is_offered_from_the_first_turn_on_and_all_other_bytes_stay(stash):
    raw = (
        b'{ "messages" : [{"role":"user", "content":"\\u00e9"}], "tools":[ {"type":"x"} ] ,"z":1.0}'
    )
    step = await planned(stash(), Shelf(), call(body=Body(raw)))
    before, after = raw.split(b" ] ,")
    assert step.body.raw.startswith(before + b',{"type":"function"')
    assert step.body.raw.endswith(b"}} ] ," + after)
    assert step.local.name == step.body.json()["tools"][1]["function"]["name"] == "read_original"
    assert step.local.rounds == 4


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"tools": None}, id="no tools"),
        pytest.param({"tools": []}, id="empty tools"),
        pytest.param({"tools": [{"function": {"name": "read_original"}}]}, id="its name"),
        pytest.param({"tools": [{"name": "read_original"}]}, id="its name, elsewhere"),
        pytest.param({"tools": [CUSTOM]}, id="its name, a custom tool's"),
        pytest.param({"tools": [TOOL, MCP | {"allowed_tools": NAMES}]}, id="its name, allowed"),
        pytest.param({"tools": [MCP | {"allowed_tools": {"tool_names": NAMES}}]}, id="and deeper"),
        pytest.param({"tools": [{"type": "namespace", "tools": [CUSTOM]}]}, id="in a namespace"),
        pytest.param({"tools": [{"configs": {"read_original": {}}}]}, id="its name, as a key"),
        pytest.param({"tools": [TOOL], "mcp_servers": [{"x": NAMES}]}, id="of another server"),
        pytest.param({"functions": [{"name": "f"}]}, id="functions"),
        pytest.param({"n": 2}, id="choices"),
        pytest.param({"tools": [{"cache_control": {"type": "ephemeral"}}]}, id="marks"),
        pytest.param({"cache_control": {"type": "ephemeral"}}, id="automatic marks"),
        pytest.param({"tools": "x"}, id="odd tools"),
        pytest.param({"tools": [TOOL] * 128}, id="as many tools as may be"),
        pytest.param({"messages": None}, id="no messages"),
    ],
)
async def test_where_it_would_be_ambiguous_nothing_is_done(stash, fields):
    step = await planned(stash(), Shelf(), chat(result(log()), **fields))
    assert isinstance(step, Skip)


@pytest.mark.parametrize(
    "fields", [{"background": True}, {"conversation": "c"}, {"input": None}, {"input": {}}]
)
async def test_responses_that_the_provider_carries_on_are_left_alone(stash, fields):
    doc = {"model": "m", "input": "hi", "tools": [{"type": "function", "name": "run"}], **fields}
    if doc["input"] is None:
        del doc["input"]
        doc["messages"] = []
    one = call(body=Body(json.dumps(doc).encode()), dialect=Dialect.RESPONSES)
    assert isinstance(await planned(stash(), Shelf(), one), Skip)


@pytest.mark.parametrize(
    "tools",
    [
        '[{"name": "\\u0072ead_original"}]',
        '[{"type": "custom", "custom": {"name": "read\\u005foriginal"}}]',
    ],
)
async def test_its_name_in_another_spelling(stash, tools):
    raw = b'{"messages": [], "tools": %b}' % tools.encode()
    assert isinstance(await planned(stash(), Shelf(), call(body=Body(raw))), Skip)


@pytest.mark.parametrize(
    "around",
    [
        '{"tools": [%s], "messages": []}',
        ' {"messages": [], "metadata": {"tools": [1]}, "tools" : [%s ] }',
        '{"messages": [], "tools": [%s], "metadata": {"x": [{"tools": [2]}]}}',
        '{"messages": [], "tools": [%s], "say \\"tools": [3], "x": "{ \\"tools"}',
        '{"messages": [], "tools": [%s], "m": [' + '{"tools": []}, ' * 9 + "1]}",
    ],
)
async def test_the_tool_stands_at_the_end_of_the_requests_own_list(stash, around):
    raw = (around % '{"name": "a", "tools": [{"tools": [1]}]}').encode()
    step = await planned(stash(), Shelf(), call(body=Body(raw)))
    doc, was = step.body.json(), json.loads(raw)
    assert [tool.get("name") for tool in doc["tools"][:-1]] == ["a"]
    assert doc.pop("tools")[:-1] == was.pop("tools")
    assert doc == was


async def test_keys_that_stand_twice_are_not_edited(stash):
    raw = json.dumps({"messages": [USER], "tools": [TOOL]}).encode()
    raw = raw[:-1] + b',"x":{"a":1,"a":2}}'
    assert isinstance(await planned(stash(), Shelf(), call(body=Body(raw))), Skip)


@pytest.mark.parametrize(
    "choice",
    ["required", "none", {"type": "function", "function": {"name": "run"}}, {"type": "any"}],
)
async def test_where_the_model_cannot_ask_what_is_new_goes_whole_now_and_later(stash, choice):
    policy, shelf, text = stash(), Shelf(), log()
    step = await sent(policy, shelf, chat(result(text), tool_choice=choice))
    assert texts(step)[1] == text
    assert step.local is not None
    later = chat(result(text), {"role": "assistant", "content": "ok"}, result(log("b"), 2))
    for again in (policy, stash()):
        step = await sent(again, shelf, later)
        assert texts(step)[1] == text
        assert _marker.match(texts(step)[3])


async def test_code_and_diffs_and_what_is_short_stay(stash):
    code = "\n".join(f"def f{n}(x):\n    return x + {n}" for n in range(300))
    diff = "diff --git a/x b/x\n@@ -1,2 +1,2 @@\n" + log()
    fenced = "```\n" + log() + "\n```"
    step = await sent(stash(), Shelf(), chat(*map(result, (code, diff, fenced, "ok"))))
    assert texts(step)[1:] == [code, diff, fenced, "ok"]


async def test_json_goes_as_an_extract_outside_of_any_json(stash):
    text = json.dumps([{"id": n, "error": None, "state": f"s{n}"} for n in range(300)])
    text = text[:-1] + ', {"id": 300, "error": "disk full on node 7"}]'
    told = texts(await sent(stash(), Shelf(), chat(result(text))))[1]
    assert _marker.match(told)
    assert "disk full on node 7" in told
    assert told.count('"error": null') < 30
    assert not told.startswith("[{")


async def test_an_extract_is_no_text_for_any_compressor(stash):
    step = await sent(stash(), Shelf(), chat(result(log("a", 4000)), result([text_part()], 2)))
    for raw in step.body.json()["messages"]:
        assert spots(Dialect.CHAT, json.dumps(raw).encode(), users=False) == []


def text_part():
    return {"type": "text", "text": log("b")}


async def test_shadow_stores_no_original(stash):
    shelf = Shelf()
    step = await sent(stash(), shelf, chat(result(log())), Outcome(200, applied=False))
    assert isinstance(step, Edit)
    assert not [key for key in shelf.kept if key.startswith(b"original:")]


async def test_an_original_lives_as_long_as_it_is_used(stash, monkeypatch):
    policy, shelf, text = stash(ttl=2 * DAY), Shelf(), log()
    clock = [shelf.now]
    monkeypatch.setattr("policies.compress_stash.time", lambda: clock[0])
    key = key_of(name_of(text))
    ends = []
    for hours in (0, 1, 25, 26, 60):
        clock[0] = shelf.now = 1000.0 + hours * 3600
        await sent(policy, shelf, chat(result(text)))
        ends.append(shelf.kept[key].expires - 1000.0)
    assert ends == [2 * DAY, 2 * DAY, 2 * DAY + 25 * 3600, 2 * DAY + 25 * 3600, 2 * DAY + 60 * 3600]


@pytest.fixture
def original():
    raw = json.dumps({"messages": [result(log("here"))]}).encode()
    return Original(Terms("read_original", 4, 1000, DAY), Dialect.CHAT, raw)


def asking(**arguments):
    return json.dumps(arguments)


async def test_the_original_comes_from_the_request_or_from_the_store(original, monkeypatch):
    shelf = Shelf()
    monkeypatch.setattr("policies.compress.stash_original.time.time", lambda: shelf.now + DAY)
    await shelf.put(key_of(name_of("short")), b"short", DAY * 1.2)
    assert (await original.answer(asking(id=name_of("short")), shelf)).text == "short"
    assert shelf.puts == [key_of(name_of("short"))] * 2  # its life was prolonged
    whole = log("here")
    first = await original.answer(asking(id=f" {name_of(whole)}\n"), Shelf())
    assert first.text.startswith(whole[:1000])
    found, offset = "", 0
    while offset is not None:
        said = (await original.answer(asking(id=name_of(whole), offset=offset), Shelf())).text
        found += said.rpartition("\n[Characters")[0]
        more = re.search(r"with offset (\d+)", said)
        offset = int(more[1]) if more else None
    assert found == whole


async def test_a_part_of_the_original(original):
    whole = log("here")
    for length, size in ((40, 40), (10**6, 1000), (None, 1000)):
        said = await original.answer(asking(id=name_of(whole), offset=7, length=length), Shelf())
        assert said.text.startswith(whole[7 : 7 + size] + f"\n[Characters 7 to {7 + size} of")
    said = await original.answer(asking(id=name_of(whole), length=-1), Shelf())
    assert said.failed


async def test_what_stands_under_a_name_must_have_that_name(original):
    shelf = Shelf()
    await shelf.put(key_of(name_of("mine")), b"something else", DAY)
    said = await original.answer(asking(id=name_of("mine")), shelf)
    assert said.failed
    assert "there is no original" in said.text


@pytest.mark.parametrize(
    "arguments",
    ["", "{", "[]", "{}", asking(id=3), asking(id="x"), asking(id="x", offset=-1), '"\\ud800"'],
)
async def test_what_cannot_be_answered_is_told(original, arguments):
    said = await original.answer(arguments, Shelf())
    assert said.failed
    assert said.text.startswith("Error: ")


async def test_an_offset_beyond_the_end(original):
    name = name_of(log("here"))
    said = await original.answer(asking(id=name, offset=10**9), Shelf())
    assert said.failed


@given(arguments=st.text() | st.from_type(dict).map(repr))
async def test_no_arguments_raise(arguments):
    one = Original(Terms("t", 4, 1000, DAY), Dialect.CHAT, b"{}")
    assert (await one.answer(arguments, Shelf())).failed
