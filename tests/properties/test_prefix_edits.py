"""Laws of the policies that edit prompts, over conversations, dialects, restarts and workers."""

import itertools
import json

import msgspec
from backends import call
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.prefix.canonical_outline import outline
from policies.prefix.volatile_lines import placeholder
from policies.prefix_canonical import CanonicalTools
from policies.prefix_documents import StableDocuments
from policies.prefix_volatile import VolatileLines

KINDS = (CanonicalTools, VolatileLines, StableDocuments)
LISTED = {Dialect.CHAT: "messages", Dialect.MESSAGES: "messages", Dialect.RESPONSES: "input"}


class Shelf:
    def __init__(self):
        self.kept = {}
        self.now = 1e9

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, self.now, self.now + ttl, model)


class House:
    """Workers that share a store; each request goes through the enabled policies in order."""

    def __init__(self, kinds, workers):
        self.kinds = kinds
        self.shelves = [Shelf() for _ in kinds]
        self.workers = [self._worker() for _ in range(workers)]

    def _worker(self):
        return [kind(kind.Settings()) for kind in self.kinds]

    def restart(self, number):
        self.workers[number] = self._worker()

    async def send(self, one, worker, later):
        steps = []
        for policy, shelf in zip(self.workers[worker], self.shelves, strict=True):
            shelf.now += later
            step = await policy.plan(one, View(shelf, shelf.now))
            steps.append((policy, one, step, shelf))
            if isinstance(step, Edit):
                one = msgspec.structs.replace(one, body=step.body)
        for policy, seen, step, shelf in steps:
            await policy.settle(seen, step, Outcome(200), shelf)
        return one


def block(names):
    return "\n".join(f"<document>{name}{name * 500}</document>" for name in names)


words = st.text(max_size=12)
papers = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)
told = st.one_of(words, papers.map(block))
part = st.tuples(words, told).map(
    lambda pair: [{"type": "text", "text": text or "-"} for text in pair]
)
turn = st.tuples(st.one_of(told, part), st.integers(0, 2))  # what the user says, calls of tools
conversation = st.lists(turn, min_size=1, max_size=4)


def tool(number):
    inner = {"name": f"f{number}", "parameters": {"type": "object", "properties": {}}}
    return {"type": "function", "function": inner}


def requests(name, turns, dialect):
    """What a client sends, request by request, without the system prompt."""
    listed = []
    for number, (said, loops) in enumerate(turns):
        listed.append({"role": "user", "content": _named(name, said)})
        for loop in range(loops):
            yield list(listed)
            listed += _loop(f"{name}-{number}-{loop}", dialect)
        yield list(listed)
        listed.append({"role": "assistant", "content": f"answer {number}"})


def _named(name, said):
    """No two conversations begin alike: those could not be told apart."""
    if isinstance(said, str):
        return f"{name}: {said}"
    return [{"type": "text", "text": name}, *said]


def _loop(key, dialect):
    if dialect is Dialect.CHAT:
        asked = {"id": key, "type": "function", "function": {"name": "f1", "arguments": "{}"}}
        return [
            {"role": "assistant", "content": None, "tool_calls": [asked]},
            {"role": "tool", "tool_call_id": key, "content": block("ab")},
        ]
    if dialect is Dialect.MESSAGES:
        result = {"type": "tool_result", "tool_use_id": key, "content": block("ab")}
        thought = {"type": "thinking", "thinking": "so", "signature": "c2ln" + key}
        use = {"type": "tool_use", "id": key, "name": "f1", "input": {}}
        return [
            {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [result]},
        ]
    return [
        {"type": "reasoning", "id": key, "encrypted_content": "c2VjcmV0"},
        {"type": "function_call", "call_id": key, "name": "f1", "arguments": "{}"},
        {"type": "function_call_output", "call_id": key, "output": block("ab")},
    ]


def request(listed, dialect, stamp, rng):
    prompt = f'You help.\nRequest 4fe9{stamp:012d} at 12:00\nObey the rules.\nBe "brief" \u00e9.'
    doc = {"model": "m", "response_format": {"b": 1, "a": 2}, "tools": [tool(n) for n in range(4)]}
    rng.shuffle(doc["tools"])
    if dialect is Dialect.CHAT:
        listed = [{"role": "system", "content": prompt}, *listed]
    else:
        doc["system" if dialect is Dialect.MESSAGES else "instructions"] = prompt
    doc[LISTED[dialect]] = listed
    body = Body(json.dumps(doc, ensure_ascii=False).encode())
    return call(body=body, dialect=dialect)


def pieces(one):
    """The bytes of the prompt: tools, system prompt, and each message."""
    found = outline(one.body)
    raw = one.body.raw
    head = [
        raw[slice(*found.spans[n])] for n in ("tools", "system", "instructions") if n in found.spans
    ]
    return head + found.items(LISTED[one.dialect])[0]


dialects = st.sampled_from(list(LISTED))
enabled = st.sets(st.sampled_from(KINDS), min_size=1).map(lambda k: [it for it in KINDS if it in k])
lawful = settings(max_examples=30, deadline=None)


async def _taught(kinds, dialect, rng):
    house = House(kinds, 2)
    for number in range(8):
        turns = [(f"{block(rng.sample('abcd', 4))}", 0)]
        listed = next(iter(requests(f"lesson {number}", turns, dialect)))
        await house.send(request(listed, dialect, number, rng), number % 2, 100.0)
    return house


@lawful
@given(dialects, st.lists(conversation, min_size=1, max_size=3), st.randoms(use_true_random=False))
async def test_each_turn_begins_with_the_bytes_of_the_turn_before(dialect, talks, rng):
    house = await _taught(KINDS, dialect, rng)
    queues = [list(requests(f"talk {i}", talk, dialect)) for i, talk in enumerate(talks)]
    before = [[] for _ in queues]
    stamps = itertools.count(100)
    while any(queues):
        number = rng.choice([i for i, queue in enumerate(queues) if queue])
        if rng.random() < 0.2:
            house.restart(rng.randrange(2))
        one = request(queues[number].pop(0), dialect, next(stamps), rng)
        sent = await house.send(one, rng.randrange(2), rng.choice([0.1, 30.0, 4000.0, -50.0]))
        after = pieces(sent)
        assert after[: len(before[number])] == before[number]
        before[number] = after


@lawful
@given(enabled, dialects, conversation, st.randoms(use_true_random=False))
async def test_edits_can_be_undone_and_touch_nothing_else(kinds, dialect, talk, rng):
    house = await _taught(kinds, dialect, rng)
    reminded = {}
    for stamp, listed in enumerate(requests("talk", talk, dialect), 100):
        one = request(listed, dialect, stamp, rng)
        sent = await house.send(one, rng.randrange(2), 100.0)
        before, after = one.doc(), sent.doc()
        assert list(before) == list(after)
        assert sorted(map(str, before["tools"])) == sorted(map(str, after["tools"]))
        assert before["response_format"] == after["response_format"]
        line = _prompt(before, dialect).split("\n")[1]
        assert _prompt(after, dialect).replace(placeholder(1), line) == _prompt(before, dialect)
        pairs = zip(before[LISTED[dialect]], after[LISTED[dialect]], strict=True)
        for index, (old, new) in enumerate(pairs):
            if old.get("role") != "user" or old["content"] == new["content"]:
                assert old == new or old.get("role") == "system"
                continue
            reminded.setdefault(index, f'\n\n<system-line n="2">{line}</system-line>')
            assert _undone(new["content"], reminded[index]) == _bare(old["content"])


def _prompt(doc, dialect):
    if dialect is Dialect.CHAT:
        return doc["messages"][0]["content"]
    return doc["system" if dialect is Dialect.MESSAGES else "instructions"]


def _undone(content, reminder):
    """The words of an edited message in a fixed order, without what was added."""
    if isinstance(content, list) and content[-1]["text"] == reminder.strip():
        content = content[:-1]
    text = content if isinstance(content, str) else "\0".join(it["text"] for it in content)
    return _bare(text.removesuffix(reminder))


def _bare(content):
    """The same for an order of documents and for pointers to them."""
    text = content if isinstance(content, str) else "\0".join(it["text"] for it in content)
    head, *rest = text.split("<document>")
    head = head.split("\n\n[The documents above")[0]
    names = []
    for each in rest:
        inner = each.split("</document>")[0]
        names.append(inner.split('begins: "')[1][0] if inner.startswith("[Given") else inner[0])
    return head, sorted(names)


shapes = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "function", "x"]), inner
        )
    ),
    max_leaves=10,
)
fields = st.sampled_from(["messages", "input", "system", "instructions", "tools", "tool_choice"])


@lawful
@given(st.dictionaries(fields, shapes), st.sampled_from(list(Dialect)))
async def test_foreign_shapes_never_fail(doc, dialect):
    house = House(KINDS, 1)
    for _ in range(3):
        one = call(body=Body(json.dumps(doc).encode()), dialect=dialect)
        sent = await house.send(one, 0, 1.0)
        assert sent.body.raw == one.body.raw


@lawful
@given(st.binary(max_size=80))
async def test_foreign_bytes_are_left_alone(raw):
    shelf = Shelf()
    one = call(body=Body(b'{"messages":[{"role":"user","content":"' + raw + b'"}]}'))
    try:
        one.doc()
    except ValueError:
        return  # refused before any policy sees it
    for kind in KINDS:
        step = await kind(kind.Settings()).plan(one, View(shelf, 0.0))
        assert isinstance(step, Skip)
