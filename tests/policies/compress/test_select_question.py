import json

import pytest

from policies.base.call import Dialect
from policies.compress.select_question import Questions, asked


def raws(*messages):
    return [json.dumps(message).encode() for message in messages]


def user(content):
    return {"role": "user", "content": content}


def call(arguments, number="1"):
    function = {"name": "look", "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": number, "function": function}]}


def of_result(dialect, earlier, call):
    return Questions().of_result(dialect, earlier, call)


def test_it_is_the_arguments_and_the_users_last_words():
    earlier = raws(
        user("old"), user("Who is it?"), call('{"q": "a b", "n": [7, true], "o": {"p": "x"}}')
    )
    assert of_result(Dialect.CHAT, earlier, "1") == "a b 7 x\nWho is it?"
    assert of_result(Dialect.CHAT, earlier, "2") == "Who is it?"
    assert of_result(Dialect.CHAT, raws(call("not JSON")), "1") == "not JSON"
    assert of_result(Dialect.CHAT, [], "1") == ""


def test_what_follows_on_other_messages_is_asked_as_if_it_came_alone():
    one = raws(user("Who?"), call("{}"), {"role": "tool"}, user(""), user("Why?"), {"role": "tool"})
    other = raws(user("Where?"), call("{}"), {"role": "tool"})
    questions = Questions()
    for earlier in (*(one[:end] for end in range(7)), one[:3], *(other[:end] for end in range(4))):
        for dialect in (Dialect.CHAT, Dialect.MESSAGES):
            alone = of_result(dialect, earlier, "")
            assert questions.of_result(dialect, earlier, "") == alone
    assert questions.of_result(Dialect.CHAT, one[:4], "") == "Who?"


def test_results_of_tools_are_not_what_a_user_says():
    result = {"type": "tool_result", "tool_use_id": "1", "content": "a result"}
    earlier = raws(user([{"type": "text", "text": "Why?"}]), user([result]))
    assert of_result(Dialect.MESSAGES, earlier, "2") == "Why?"
    part = {"type": "input_text", "text": "Why?"}
    earlier = raws(user([part]), {"type": "function_call_output", "output": '"user"'})
    assert of_result(Dialect.RESPONSES, earlier, "2") == "Why?"


def test_documents_are_not_what_a_user_says():
    text = "Document [1] a\nDocument [2] b\n\nWhich is right?"
    assert of_result(Dialect.CHAT, raws(user(text)), "") == "Which is right?"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Document [1] a\nDocument [2] b\n\nWhich?", "Which?"),
        ("Which?\n\nDocument [1] a\nDocument [2] b", "Which?"),
        ("Use these.\n\n[1] a\n\n[2] b\n\nWhich?", "Which?"),
        ("Which?\n<documents><document>a</document><document>b</document></documents>", "Which?"),
        ("Which?\n<SOURCES><source>a</source><source>b</source></SOURCES>", "Which?"),
        ("Which?\n<context>\n[doc1] a\n[doc2] b\n</context>", "Which?"),
        ("<docs><doc>a</doc><doc>b</doc></docs><b>Which?</b>", "<b>Which?</b>"),
        ("Document [1] a\nDocument [2] b", ""),
        ("plain words", None),
    ],
)
def test_what_is_asked_stands_behind_the_documents_or_before(text, question):
    assert asked(text) == question


def test_long_texts_count_from_their_end():
    question = of_result(Dialect.CHAT, raws(user("x" * 9_000 + " end")), "")
    assert len(question) == 4_000
    assert question.endswith(" end")
