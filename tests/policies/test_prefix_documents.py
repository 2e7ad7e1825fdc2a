import json

import pytest
from backends import call

from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.prefix_documents import StableDocuments


class Room:
    """A policy and its store; every request comes 100 seconds after the last."""

    def __init__(self, kept=None, **settings):
        self.policy = StableDocuments(StableDocuments.Settings(**settings))
        self.kept = {} if kept is None else kept
        self.now = 1e9

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)

    async def send(self, *turns, **fields):
        self.now += 100.0
        roles = ("user", "assistant")
        listed = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
        one = call({"messages": listed, "input": listed}, **fields)
        step = await self.policy.plan(one, View(self, self.now))
        await self.policy.settle(one, step, Outcome(200), self)
        return step


def xml(*names, size=0):
    inner = "\n".join(f'<document id="{it}">text of {it}{it * size}</document>' for it in names)
    return f"<documents>\n{inner}\n</documents>"


def texts(step):
    return [each["content"] for each in step.body.json()["messages"]]


def places(text):
    return [line[14] for line in text.split("\n") if line.startswith("<document id")]


async def test_documents_seen_before_come_first():
    room = Room()
    assert isinstance(await room.send("one " + xml("a", "b", "c")), Skip)
    step = await room.send("two " + xml("d", "c", "a"))
    (text,) = texts(step)
    assert places(text) == ["a", "c", "d"]
    assert "the most relevant first, is: 3, 2, 1.]\n</documents>" in text
    assert text.startswith("two <documents>")


async def test_an_order_that_is_kept_needs_no_edit():
    room = Room()
    for question in ("one ", "two "):
        assert isinstance(await room.send(question + xml("a", "b")), Skip)


async def test_old_turns_keep_their_bytes_and_restarts_do_not_matter():
    room = Room()
    await room.send("x " + xml("c", "b", "a"))
    turns, before = ["q " + xml("a", "b")], []
    for number in range(4):
        after = texts(await room.send(*turns))
        assert after[: len(before)] == before
        before = after
        turns += [f"answer {number}", f"more {number} " + xml("e", "c", "b")]
        room = Room(room.kept)
    assert places(after[0]) == ["b", "a"]


async def test_a_turn_without_documents_still_repeats_the_ones_before():
    room = Room()
    await room.send("x " + xml("b", "a"))
    before = texts(await room.send("q " + xml("a", "b")))
    after = texts(await room.send("q " + xml("a", "b"), "yes", "thanks"))
    assert after == [*before, "yes", "thanks"]


async def test_what_is_not_remembered_is_left_alone():
    room = Room()
    await room.send("x " + xml("b", "a"))
    step = await room.send("q " + xml("a", "b"), "yes", "more " + xml("a", "b"))
    assert isinstance(step, Skip)
    assert "began unedited" in step.why


async def test_a_document_given_before_becomes_a_pointer():
    room = Room()
    first = "q " + xml("a", "b", size=500)
    await room.send(first)
    step = await room.send(first, "yes", "more " + xml("c", "a", size=500))
    assert texts(step)[0] == first
    last = texts(step)[2]
    assert '<document id="a">[Given in full earlier in this conversation' in last
    assert "text of c" in last
    assert last.count("a" * 100) == 0
    again = await room.send(first, "yes", "more " + xml("c", "a", size=500), "ok", "bye")
    assert texts(again)[:3] == texts(step)


async def test_a_short_document_is_given_again():
    room = Room()
    await room.send("q " + xml("a"))
    assert isinstance(await room.send("q " + xml("a"), "yes", "more " + xml("a")), Skip)


async def test_a_single_document_may_become_a_pointer():
    room = Room()
    first = "q " + xml("a", size=500)
    await room.send(first)
    assert "[Given in full" in texts(await room.send(first, "yes", xml("a", size=500)))[2]


@pytest.mark.parametrize("label", ["Document [{}] (Title: {})", "[{}] {}"])
async def test_numbered_passages_keep_their_labels(label):
    def passages(*names):
        return "\n\n".join(label.format(i, it) + " words" for i, it in enumerate(names, 1))

    room = Room()
    await room.send(passages("a", "b", "c") + "\n\nWhich?")
    step = await room.send(passages("d", "b", "c") + "\n\nWhat?")
    found = texts(step)[0].split("\n\n")
    first, second, third = passages("d", "b", "c").split("\n\n")
    assert found[:3] == [second, third, first]
    assert "is: 3, 1, 2" in found[3]
    assert found[4] == "What?"


@pytest.mark.parametrize(
    "text",
    [
        "<document>a</document> and <document>b</document>",
        "<document>a<document>b</document></document>",
        "<document>a</document>\n<document>b",
        "[1] a\n\n[3] b",
        "[2] a\n\n[1] b",
        "[1] a\n\nno\n\n[2] b",
        "see [1] and [2]",
        "[1] only",
        "",
    ],
)
async def test_what_is_not_one_clear_block_is_left_alone(text):
    room = Room()
    await room.send("x " + xml("b", "a"))
    assert isinstance(await room.send(text), Skip)


async def test_delimiters_are_chosen_by_setting():
    room = Room(delimiters=("numbered",))
    await room.send("x " + xml("b", "a"))
    assert isinstance(await room.send("q " + xml("a", "b")), Skip)


@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES])
async def test_parts_and_dialects(dialect):
    room = Room()
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    for names in (("a", "b"), ("b", "a")):
        parts = [{"type": "text", "text": it} for it in ("see", xml(*names), "Which?")]
        step = await room.send(parts, dialect=dialect)
    assert isinstance(step, Edit)
    content = step.body.json()[name][0]["content"]
    assert [content[0], content[2]] == [parts[0], parts[2]]
    assert places(content[1]["text"]) == ["a", "b"]


async def test_a_clients_marks_are_respected():
    room = Room()
    mark = {"cache_control": {"type": "ephemeral"}}
    for names in (("a", "b"), ("b", "a")):
        assert isinstance(await room.send([{"type": "text", "text": xml(*names)} | mark]), Skip)


async def test_tools_results_are_left_alone():
    room = Room()
    await room.send("x " + xml("b", "a"))
    result = {"type": "tool_result", "tool_use_id": "1", "content": xml("a", "b")}
    step = await room.send("q", "call", [result], dialect=Dialect.MESSAGES)
    assert isinstance(step, Skip)


async def test_the_store_holds_no_text():
    room = Room()
    for names in (("a", "b"), ("b", "a")):
        await room.send("q " + xml(*names))
    assert b"text of" not in b"".join(entry.value for entry in room.kept.values())


async def test_damaged_memory_is_no_memory():
    room = Room()
    await room.send("x " + xml("b", "a"))
    await room.send("q " + xml("a", "b"))
    for key, entry in room.kept.items():
        room.kept[key] = Entry(entry.value[:-1], entry.stored, entry.expires)
    assert isinstance(await room.send("q " + xml("a", "b"), "yes", "more"), Skip)


async def test_the_rest_of_the_body_keeps_its_bytes():
    room = Room()
    await room.send("x " + xml("b", "a"))
    one = call({"messages": [{"role": "user", "content": xml("a", "b")}], "x": [1.50, "\u00e9"]})
    step = await room.policy.plan(one, View(room, room.now))
    text = json.dumps(xml("a", "b")).encode()
    head, tail = one.body.raw.split(text)
    assert step.body.raw.startswith(head)
    assert step.body.raw.endswith(tail)
