import json

import pytest

from policies.base.call import Dialect
from policies.compress.freeze_calls import tool_call


def raws(*messages):
    return [json.dumps(message).encode() for message in messages]


def chat(call, name, arguments="{}"):
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": call, "function": function}]}


def test_the_call_is_found_in_every_dialect():
    earlier = raws({"role": "user", "content": "x"}, chat("1", "look", '{"q": "a"}'))
    assert tool_call(Dialect.CHAT, earlier, "1") == ("look", '{"q": "a"}')
    use = {"type": "tool_use", "id": "1", "name": "look", "input": {"q": "a"}}
    earlier = raws({"role": "assistant", "content": [{"type": "text", "text": "1"}, use]})
    assert tool_call(Dialect.MESSAGES, earlier, "1") == ("look", '{"q":"a"}')
    earlier = raws({"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"})
    assert tool_call(Dialect.RESPONSES, earlier, "1") == ("look", "{}")
    earlier = raws({"type": "custom_tool_call", "call_id": "1", "name": "run", "input": "ls -l"})
    assert tool_call(Dialect.RESPONSES, earlier, "1") == ("run", "ls -l")


def test_an_id_that_is_used_again_is_the_latest_call():
    earlier = raws(chat("1", "old"), {"role": "tool", "tool_call_id": "1"}, chat("1", "new"))
    assert tool_call(Dialect.CHAT, earlier, "1").name == "new"


@pytest.mark.parametrize(
    "message",
    [
        chat("2", "look"),
        chat("1", 7),
        {"role": "assistant", "tool_calls": "1"},
        {"role": "assistant", "tool_calls": ["1", {"id": "1"}, {"id": "1", "function": "f"}]},
        ["1"],
    ],
)
def test_odd_shapes_are_no_calls(message):
    for dialect in Dialect:
        assert tool_call(dialect, raws(message), "1") is None
    assert tool_call(Dialect.CHAT, [b'{"1"'], "1") is None
    assert tool_call(Dialect.CHAT, raws(chat("", "look")), "") is None
