import json
import re

import pytest
from backends import call

from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.base.terms import Terms
from policies.prefix_documents import StableDocuments, _looks

TERMS = Terms(rule="openai_steps", read=0.1)


class Room:
    """A policy and its store; every request comes 100 seconds after the last."""

    def __init__(self, kept=None, terms=TERMS, **settings):
        self.terms = terms
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
        step = await self.policy.plan(one, View(self, self.now, lambda _: self.terms))
        await self.policy.settle(one, step, Outcome(200), self)
        return step


def xml(*names, size=350):
    inner = "\n".join(f'<document id="{it}">text of {it}{it * size}</document>' for it in names)
    return f"<documents>\n{inner}\n</documents>"


def texts(step):
    return [each["content"] for each in step.body.json()["messages"]]


def places(text):
    return [line[14] for line in text.split("\n") if line.startswith("<document id")]


async def test_documents_seen_before_come_first():
    room = Room()
    assert isinstance(await room.send("q " + xml("a", "b", "c")), Skip)
    step = await room.send("q " + xml("d", "c", "a"))
    (text,) = texts(step)
    assert places(text) == ["a", "d", "c"]
    assert "the most relevant first, is: 2, 3, 1.]\n</documents>" in text
    assert text.startswith("q <documents>")
    (text,) = texts(await room.send("q " + xml("c", "d", "a")))
    assert places(text) == ["a", "d", "c"]


async def test_an_order_that_is_kept_needs_no_edit():
    room = Room()
    for question in ("One?", "Two?"):
        assert isinstance(await room.send(xml("a", "b") + question), Skip)


async def test_old_turns_keep_their_bytes_and_restarts_do_not_matter():
    room = Room()
    await room.send("q " + xml("b", "c", "a"))
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
    await room.send("q " + xml("b", "a"))
    before = texts(await room.send("q " + xml("a", "b")))
    after = texts(await room.send("q " + xml("a", "b"), "yes", "thanks"))
    assert after == [*before, "yes", "thanks"]


async def test_what_is_not_remembered_is_left_alone():
    room = Room()
    await room.send("q " + xml("b", "a"))
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
        return "\n\n".join(label.format(i, it) + " words" * 80 for i, it in enumerate(names, 1))

    room = Room()
    first = passages("a", "b") + "\n\nWhich?"
    await room.send(first)
    step = await room.send(first, "a", passages("d", "b") + "\n\nWhat?")
    found = texts(step)[2].split("\n\n")
    one, two = passages("d", "b").split("\n\n")
    assert found[0] == one
    assert found[1].startswith(two[: two.index("]") + 1])
    assert "[Given in full earlier" in found[1]
    assert found[2] == "What?"


@pytest.mark.parametrize(
    "text",
    [
        "<document>a</document> and <document>b</document>",
        "<document>a<document>b</document></document>",
        "<document>a</document>\n<document>b",
        "[1] a\n\n[3] b",
        "[2] a\n\n[1] b",
        "<source>a</source> and <source>b</source>",
        "<source>a</source>",
        "Source 1: a\nSource 3: b",
        "[1] a\n\nno\n\n[2] b",
        "see [1] and [2]",
        "[1] only",
        "",
    ],
)
async def test_what_is_not_one_clear_block_is_left_alone(text):
    room = Room()
    await room.send("q " + xml("b", "a"))
    assert isinstance(await room.send(text), Skip)


async def test_delimiters_are_chosen_by_setting():
    room = Room(delimiters=("numbered",))
    await room.send("q " + xml("b", "a"))
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
    await room.send("q " + xml("b", "a"))
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
    await room.send("q " + xml("b", "a"))
    await room.send("q " + xml("a", "b"))
    for key, entry in room.kept.items():
        room.kept[key] = Entry(entry.value[:-1], entry.stored, entry.expires)
    assert isinstance(await room.send("q " + xml("a", "b"), "yes", "more"), Skip)


async def test_the_rest_of_the_body_keeps_its_bytes():
    room = Room()
    await room.send(xml("b", "a"))
    one = call({"messages": [{"role": "user", "content": xml("a", "b")}], "x": [1.50, "\u00e9"]})
    step = await room.policy.plan(one, View(room, room.now, lambda _: TERMS))
    text = json.dumps(xml("a", "b")).encode()
    head, tail = one.body.raw.split(text)
    assert step.body.raw.startswith(head)
    assert step.body.raw.endswith(tail)


@pytest.mark.parametrize(
    ("terms", "before", "size"),
    [
        (Terms(), "q ", 350),
        (Terms(rule="anthropic_marks", read=0.1, write=1.25, minimum=1024), "q ", 350),
        (Terms(rule="openai_breakpoints", read=0.1, write=1.25, minimum=1024), "q ", 9000),
        (Terms(rule="openai_steps", read=0.1, minimum=1024), "q ", 350),  # too short to be cached
        (Terms(rule="openai_steps", read=0.9), "q ", 350),
        (TERMS, None, 350),  # what stands before the documents differs
        (TERMS, "q ", 20),  # a word on ranks costs more
    ],
)
async def test_nothing_is_reordered_where_that_does_not_pay(terms, before, size):
    room = Room(terms=terms)
    for number, names in enumerate((("a", "b", "c"), ("c", "a", "b"), ("b", "a", "c"))):
        lead = f"Question {number}: " if before is None else before
        assert isinstance(await room.send(lead + xml(*names, size=size)), Skip)


@pytest.mark.parametrize(
    ("label", "end"),
    [
        ("<search_result>", "</search_result>\n"),
        ("<DOC>", "</DOC>"),
        ("Passage {}:", "\n"),
        ("[Source {}]", "\n\n"),
        ("[doc{}]", "\n"),
        ("Document [{}]", "\r\n"),
        ("[{}]", "\r\n\r\n"),
    ],
)
async def test_documents_of_all_forms_are_not_sent_twice(label, end):
    def block(*names):
        each = (f"{label.format(n)} {it * 500}{end}" for n, it in enumerate(names, 1))
        return "q\n" + "".join(each) + "\nWhich?"

    room = Room()
    first, second = block("a", "b"), block("c", "b")
    await room.send(first)
    text = texts(await room.send(first, "yes", second))[2]
    head, _, last = text.partition("[Given in full earlier in this conversation")
    assert second.startswith(head)
    assert head.endswith(label.format(2))
    assert last.rpartition("]")[2].lstrip() == second[second.rindex("b") + 1 :].lstrip()


async def test_elements_of_any_name_take_the_order_in_which_they_came():
    room = Room()
    await room.send(xml("a", "b", "c").replace("document", "Search_Result"))
    (text,) = texts(await room.send(xml("c", "d", "a").replace("document", "Search_Result")))
    assert re.findall('id="(.)"', text) == ["a", "c", "d"]


@pytest.mark.parametrize("written", ["\\u002fdoc>", "\\u002FDOC>", "/doc\\u003e", "\\/doc>"])
def test_tags_are_seen_however_json_writes_them(written):
    assert _looks(f'"<doc>a<{written}"'.encode())
    assert not _looks(b'"a doc/docs <b>a</b> Document 1 [1]"')
