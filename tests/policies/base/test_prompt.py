import json

import pytest
from backends import call

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.prompt import blocks, fields
from policies.base.prompt_parts import written

MARK = {"cache_control": {"type": "ephemeral"}}
POINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
TOOLS = [
    {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "b"}},
]
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi \u00e9"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "a"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "42"},
]
CLAUDE = {
    "system": [{"type": "text", "text": "Be brief."}],
    "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}],
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "a"}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": "42"}],
        },
    ],
}


def of(doc, dialect=Dialect.CHAT):
    return blocks(call(body=Body(json.dumps(doc).encode()), dialect=dialect))


def chains(doc, dialect=Dialect.CHAT):
    return [block.chain for block in of(doc, dialect)]


def text(part):
    return [{"type": "text", "text": part}]


def test_chat_is_read_in_the_order_in_which_providers_render_it():
    schema = {"type": "json_schema", "json_schema": {"name": "s"}}
    found = of({"messages": CHAT, "tools": TOOLS, "response_format": schema})
    assert [(b.place, b.index, b.path) for b in found] == [
        ("tools", 0, ("tools", 0)),
        ("tools", 1, ("tools", 1)),
        ("tools", 0, ("response_format",)),
        ("system", 0, ("messages", 0, "content")),
        ("message", 1, ("messages", 1, "content")),
        ("message", 2, ("messages", 2, "tool_calls", 0)),
        ("message", 3, ("messages", 3, "content")),
    ]
    assert [b.turn_end for b in found] == [False] * 4 + [True, False, True]
    assert [b.markable for b in found] == [False] * 3 + [True, True, False, True]
    assert len({b.chain for b in found}) == 7


def test_a_message_system_wrote_later_is_a_message():
    later = [*CHAT, {"role": "system", "content": "Now be long."}]
    assert of({"messages": later})[-1].place == "message"


def test_anthropic_takes_marks_on_tools_and_system_too():
    found = of(CLAUDE, Dialect.MESSAGES)
    assert [b.place for b in found] == ["tools", "tools", "system", *["message"] * 3]
    assert all(b.markable for b in found)
    assert [b.turn_end for b in found] == [False] * 3 + [True, False, True]


def test_responses_are_read_with_what_stands_before_their_input():
    doc = {
        "instructions": "Be brief.",
        "previous_response_id": "r",
        "input": [
            {"role": "user", "content": "Hi"},
            {"type": "function_call", "call_id": "1", "name": "a", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "42"},
        ],
    }
    found = of(doc, Dialect.RESPONSES)
    assert [b.path[0] for b in found] == ["instructions", "previous_response_id", *["input"] * 3]
    assert [b.turn_end for b in found] == [False, False, True, False, True]
    assert [b.markable for b in found] == [False, False, True, False, False]


def test_an_input_text_is_the_list_of_one_message():
    one = chains({"input": "caf\u00e9"}, Dialect.RESPONSES)
    assert one == chains({"input": [{"role": "user", "content": "caf\u00e9"}]}, Dialect.RESPONSES)


@pytest.mark.parametrize("mark", [MARK, POINT])
def test_marks_and_the_lists_they_need_do_not_count(mark):
    plain = {"messages": CHAT, "tools": TOOLS}
    listed = {**CHAT[3], "content": [{**text("42")[0], **mark}]}
    tool = {**TOOLS[1], **mark}
    marked = {"messages": [*CHAT[:3], listed], "tools": [TOOLS[0], tool]}
    assert chains(plain) == chains(marked)
    assert [b.size for b in of(plain)] == [b.size for b in of(marked)]
    assert [b.marked for b in of(marked)] == [False, True, False, False, False, True]
    assert not any(b.marked for b in of(plain))


def test_marks_inside_a_tool_result_do_not_count():
    def result(**mark):
        inner = [{"type": "text", "text": "42", **mark}, {"type": "text", "text": "43"}]
        block = {"type": "tool_result", "tool_use_id": "1", "content": inner}
        return {"messages": [{"role": "user", "content": [block]}]}

    assert chains(result(), Dialect.MESSAGES) == chains(result(**MARK), Dialect.MESSAGES)
    assert of(result(**MARK), Dialect.MESSAGES)[0].marked
    assert not of(result(), Dialect.MESSAGES)[0].marked


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{**CHAT[0], "role": "developer"}, *CHAT[1:]]},
        {"messages": [{**CHAT[0], "name": "n"}, *CHAT[1:]]},
        {"messages": [{**CHAT[0], "content": "Be brief!"}, *CHAT[1:]]},
        {"tools": TOOLS[::-1]},
        {"tools": TOOLS[:1]},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_whatever_the_model_sees_counts(other):
    doc = {"messages": CHAT, "tools": TOOLS}
    assert chains(doc)[-1] not in chains(doc | other)


def test_two_messages_are_not_two_parts_of_one():
    parts = [{"role": "user", "content": text("a") + text("b")}]
    apart = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert chains({"messages": parts})[0] == chains({"messages": apart})[0]
    assert chains({"messages": parts})[1] != chains({"messages": apart})[1]


def test_a_longer_conversation_begins_with_the_shorter_one():
    doc = {"messages": CHAT[:2], "tools": TOOLS}
    assert chains(doc | {"messages": CHAT})[: len(chains(doc))] == chains(doc)


def test_a_longer_completion_prompt_shares_its_pieces():
    lines = [f"line {number}" for number in range(2000)]
    shorter = chains({"prompt": "\n".join(lines[:1500])}, Dialect.COMPLETIONS)
    longer = chains({"prompt": "\n".join(lines)}, Dialect.COMPLETIONS)
    assert len(shorter) > 5
    assert longer[: len(shorter) - 1] == shorter[:-1]
    assert longer[len(shorter) - 1] != shorter[-1]


def test_completion_prompts_in_a_list_begin_anew():
    alone = chains({"prompt": "a"}, Dialect.COMPLETIONS)
    assert chains({"prompt": ["b", "a"]}, Dialect.COMPLETIONS)[1:] == alone


def test_token_ids_are_cut_like_text():
    ids = list(range(3000))
    shorter = chains({"prompt": ids}, Dialect.COMPLETIONS)
    longer = chains({"prompt": [*ids, 1]}, Dialect.COMPLETIONS)
    assert longer[: len(shorter) - 1] == shorter[:-1]


def test_dialects_share_nothing():
    doc = {"messages": CHAT[1:2]}
    assert chains(doc)[0] != chains(doc, Dialect.MESSAGES)[0]


@pytest.mark.parametrize(
    ("doc", "dialect"),
    [
        ({"messages": []}, Dialect.CHAT),
        ({"messages": "hi"}, Dialect.CHAT),
        ({"messages": [1]}, Dialect.CHAT),
        ({"messages": [{"content": "hi"}]}, Dialect.CHAT),
        ({"messages": [{"role": "user", "content": 1}]}, Dialect.CHAT),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, Dialect.CHAT),
        ({"messages": [{"role": "user", "content": ["hi"]}]}, Dialect.CHAT),
        ({"messages": CHAT, "tools": {"a": 1}}, Dialect.CHAT),
        ({**CLAUDE, "system": 1}, Dialect.MESSAGES),
        ({**CLAUDE, "system": {"type": "text", "text": "a"}}, Dialect.MESSAGES),
        ({"messages": [{"role": "user"}]}, Dialect.MESSAGES),
        ({"input": None}, Dialect.RESPONSES),
        ({"input": [{"type": "never_heard_of"}]}, Dialect.RESPONSES),
        ({"prompt": None}, Dialect.COMPLETIONS),
        ({"prompt": []}, Dialect.COMPLETIONS),
        ({"input": "hi"}, Dialect.EMBEDDINGS),
    ],
)
def test_shapes_that_are_not_known_have_no_blocks(doc, dialect):
    assert of(doc, dialect) is None


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"messages":[{"role":"user","content":"\xff"}]}', b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_has_neither_blocks_nor_fields(raw):
    one = call(body=Body(raw))
    assert blocks(one) is None
    assert fields(one) is None


def test_128_tools_of_one_name_are_128_blocks():
    assert len(of({"messages": CHAT[:1], "tools": TOOLS[:1] * 128})) == 129


def test_a_body_is_read_once():
    one = call({"messages": CHAT})
    assert blocks(one) is blocks(one)


def test_fields_tell_null_from_absent():
    found = fields(call({"prompt_cache_key": None}))
    assert found.has("prompt_cache_key")
    assert not found.has("cache_salt")


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_a_system_message_in_the_middle_is_a_message_however_much_was_read_before(known):
    talk = [
        {"role": "system", "content": f"rules {known}"},
        {"role": "user", "content": "hello"},
        {"role": "system", "content": "be brief"},
    ]
    if known:
        of({"messages": talk[:known]})
    found = of({"messages": talk})
    assert [block.place for block in found] == ["system", "message", "message"]


@pytest.mark.parametrize(
    "style", [{"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}], ids=str
)
def test_it_does_not_count_how_a_client_writes_its_json(style):
    odd = 'é \u4e2d \U0001f600 / "quoted" \\ \n\u2028'
    said = [*CHAT, {"role": "user", "content": text(odd)}, {"role": "user", "content": odd}]
    schema = {"type": "json_schema", "json_schema": {"name": odd, "strict": True}}
    doc = {"messages": said, "tools": TOOLS, "response_format": schema}
    inner = {"type": "tool_result", "tool_use_id": "1", "content": text(odd)}
    claude = CLAUDE | {"messages": [*CLAUDE["messages"], {"role": "user", "content": [inner]}]}
    for each, dialect in ((doc, Dialect.CHAT), (claude, Dialect.MESSAGES)):
        spelt = json.dumps(each, **style).replace("/", "\\/").encode()
        found = blocks(call(body=Body(spelt), dialect=dialect))
        assert [block.chain for block in found] == chains(each, dialect)


@pytest.mark.parametrize(
    "odd",
    [
        *(b'"\\ud800"', b"[1,", b"[" * 9999 + b"]" * 9999, b'{"a":NaN}'),
        *(b"[0.10000000000000000001]", b"[9007199254740993.0]", b"[1e999]", b"[1e-400]"),
        *(b"[12345678901234567890123]", b"[-0.0]", b"[1e2]"),  # a number is what it is written as
        b'"\\/' + b"x" * 1_000_000 + b'"',  # reading would keep hold of the interpreter
    ],
    ids=lambda odd: odd[:24],
)
def test_what_cannot_be_read_counts_as_it_stands(odd):
    assert written(odd) == odd
