from typing import ClassVar

import msgspec
import pytest

from policies.base.call import Dialect
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.wire import sse
from proxy.wire.replay import CannotRender, render
from tests.fakes import sdk_replies as sdk

HEADERS = ((b"content-type", b"text/event-stream"), (b"x-request-id", b"r1"))
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt"}
DONE = sse.encode(b"[DONE]")


def piece(delta=None, index=0, finish=None, **rest):
    return {"index": index, "delta": delta or {}, "finish_reason": finish, **rest}


def body(*choices, last=()):
    chunks = [{**HEAD, "choices": [choice]} for choice in choices]
    return b"".join(sse.encode(msgspec.json.encode(doc)) for doc in (*chunks, *last)) + DONE


def plain(stream, usage=None):
    recording = Recording(200, HEADERS, stream, True, usage)
    return msgspec.json.decode(render(Dialect.CHAT, recording, False, None)[1])


def said(*deltas, finish="stop"):
    """The message that deltas of one choice amount to; the SDK must agree."""
    stream = body(*[piece(delta) for delta in deltas], piece(finish=finish))
    doc = plain(stream)
    accumulated = sdk.dumped(sdk.chat_streamed(stream, 7))["choices"][0]["message"]
    message = doc["choices"][0]["message"]
    assert {name: value for name, value in accumulated.items() if value is not None} == {
        name: value for name, value in message.items() if value is not None
    }
    return message


def call(index, name=None, arguments="", **rest):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function, **rest}


def test_text_joins_even_where_a_chunk_cuts_an_emoji():
    deltas = [{"role": "assistant", "content": ""}, {"content": "né 🙂"}, {"content": "🙃"}]
    assert said(*deltas) == {"role": "assistant", "content": "né 🙂🙃"}


def test_parallel_tool_calls_join_by_index():
    message = said(
        {"role": "assistant", "content": None},
        {"tool_calls": [call(0, "f", id="a", type="function")]},
        {"tool_calls": [call(0, arguments='{"x"')]},
        {"tool_calls": [call(1, "g", id="b", type="function")]},
        {"tool_calls": [call(1, arguments="{}"), call(0, arguments=":1}")]},
        finish="tool_calls",
    )
    assert message["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    assert message["content"] is None


@pytest.mark.parametrize("name", [None, "f"])
@pytest.mark.parametrize("ids", [["a", "a", "a"], ["a", "b", "c"]])
def test_pieces_of_one_call_that_all_have_an_id_are_one(ids, name):
    """Some upstreams repeat it, some make a new one each time; the first is the call's."""
    pieces = zip(ids, ["f", name, name], ["", '{"x"', ":1}"], strict=True)
    parts = [call(0, said, text, id=each, type="function") for each, said, text in pieces]
    two = call(0, "f", '{"x":2}', id="z", type="function")
    stream = body(*[piece({"tool_calls": [each]}) for each in [*parts, two]], piece(finish="stop"))
    calls = plain(stream)["choices"][0]["message"]["tool_calls"]
    assert [(each["id"], each["function"]) for each in calls] == [
        ("a", {"name": "f", "arguments": '{"x":1}'}),
        ("z", {"name": "f", "arguments": '{"x":2}'}),
    ]


def test_refusals_reasoning_and_unknown_texts_join():
    message = said(
        {"role": "assistant", "refusal": "I ", "reasoning_content": "h", "x_note": "1"},
        {"refusal": "can't", "reasoning_content": "m", "x_note": "2"},
    )
    assert message["refusal"] == "I can't"
    assert (message["reasoning_content"], message["x_note"]) == ("hm", "12")


def test_a_legacy_function_call_joins():
    message = said(
        {"role": "assistant", "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        finish="function_call",
    )
    assert message["function_call"] == {"name": "f", "arguments": "{}"}


def test_choices_and_their_logprobs_stay_apart():
    def token(word):
        return {"content": [{"token": word, "logprob": -0.5, "top_logprobs": []}], "refusal": None}

    stream = body(
        piece({"role": "assistant", "content": ""}, 0, logprobs=None),
        piece({"role": "assistant", "content": ""}, 1, logprobs=None),
        piece({"content": "a"}, 1, logprobs=token("a")),
        piece({"content": "x"}, 0, logprobs=token("x")),
        piece({"content": "b"}, 1, logprobs=token("b")),
        piece(finish="stop", index=1, logprobs=None),
        piece(finish="stop", index=0, logprobs=None),
    )
    doc = plain(stream)
    final = sdk.dumped(sdk.chat_streamed(stream, 11))
    for choice, seen in zip(doc["choices"], final["choices"], strict=True):
        assert choice["logprobs"] == seen["logprobs"]
        assert choice["message"]["content"] == seen["message"]["content"]
    assert [choice["message"]["content"] for choice in doc["choices"]] == ["x", "ab"]
    assert [len(choice["logprobs"]["content"]) for choice in doc["choices"]] == [1, 2]


def test_what_upstreams_add_is_kept():
    filters = {"choices": [], "id": "", "created": 0, "model": "", "prompt_filter_results": [1]}
    chunks = [
        filters,
        {**HEAD, "service_tier": "default", "choices": [piece({"content": "a"}, token_ids=[1])]},
        {**HEAD, "x_groq": {"id": "g"}, "choices": [piece({"content": "b"}, token_ids=[1])]},
        {**HEAD, "obfuscation": "zzz", "choices": [piece(finish="stop", stop_reason=7)]},
    ]
    doc = plain(b"".join(sse.encode(msgspec.json.encode(chunk)) for chunk in chunks) + DONE)
    assert doc.pop("choices") == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ab"},
            "finish_reason": "stop",
            "token_ids": [1, 1],
            "stop_reason": 7,
        }
    ]
    assert doc == {
        **HEAD,
        "object": "chat.completion",
        "service_tier": "default",
        "prompt_filter_results": [1],
        "x_groq": {"id": "g"},
    }


def test_a_repeated_head_of_a_call_is_not_joined():
    head = call(0, "f", '{"a"', id="a", type="function")
    again = call(0, "f", ":1}", id="a", type="function")
    stream = body(piece({"tool_calls": [head]}), piece({"tool_calls": [again]}, finish="stop"))
    assert plain(stream)["choices"][0]["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]


def test_audio_joins():
    parts = [{"id": "a", "data": "QUJD"}, {"data": "REVG", "transcript": "x"}, {"expires_at": 5}]
    doc = plain(body(*[piece({"audio": part}) for part in parts], piece(finish="stop")))
    audio = {"id": "a", "data": "QUJDREVG", "transcript": "x", "expires_at": 5}
    assert doc["choices"][0]["message"]["audio"] == audio


@pytest.mark.parametrize("at", [{"index": 0}, {"index": None}, {}])
def test_calls_that_share_an_index_or_have_none_are_told_apart_by_their_ids(at):
    parts = [call(0, "f", id="a"), call(0, None, "[]"), call(0, "f", "{}", id="b")]
    for part in parts:
        del part["index"]
        part.update(at)
    stream = body(*(piece({"tool_calls": [each]}) for each in [*parts, call(1, "g", id="c")]))
    made = plain(stream)["choices"][0]["message"]["tool_calls"]
    said = [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in made]
    assert said == [("a", "f", "[]"), ("b", "f", "{}"), ("c", "g", "")]


@pytest.mark.parametrize(
    "deltas",
    [
        [{"tool_calls": [{"index": "0", "id": "a"}]}],
        [{"reasoning_details": [{"text": "a"}]}, {"reasoning_details": [{"text": "b"}]}],
        [{"content": "a"}, {"content": [{"type": "text"}]}],
        [{"audio": {"data": "QQ=="}}, {"audio": {"data": "QQ=="}}],
        ["text"],
    ],
)
def test_what_could_only_be_guessed_is_refused(deltas):
    with pytest.raises(CannotRender):
        plain(body(*[piece(delta) for delta in deltas]))


def test_usage_counted_by_us_fills_a_gap():
    usage = Usage(uncached=3, output=4, estimated=True)
    doc = plain(body(piece({"content": "a"}), piece(finish="stop")), usage)
    assert (doc["usage"]["prompt_tokens"], doc["usage"]["completion_tokens"]) == (3, 4)
    told = {**HEAD, "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 9}}
    assert plain(body(piece(finish="stop"), last=[told]), usage)["usage"] == told["usage"]


def test_headers_follow_the_form():
    stream = body(piece(finish="stop"))
    recording = Recording(200, (*HEADERS, (b"content-length", b"9")), stream, True)
    assert render(Dialect.CHAT, recording, True, None) == (recording.headers, stream)
    headers, _ = render(Dialect.CHAT, recording, False, None)
    assert dict(headers) == {b"x-request-id": b"r1", b"content-type": b"application/json"}


def test_custom_tools_and_long_texts_are_streamed_in_pieces():
    message = {
        "role": "assistant",
        "content": "é" * 5000,
        "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x" * 3000}}],
    }
    doc = {**HEAD, "object": "chat.completion"}
    doc["choices"] = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    recording = Recording(200, HEADERS, msgspec.json.encode(doc), False)
    _, stream = render(Dialect.CHAT, recording, True, None)
    assert max(map(len, stream.split(b"\n\n"))) < 5000
    assert plain(stream) == doc
    assert "".join(chunk.choices[0].delta.content or "" for chunk in sdk.chat_chunks(stream)) == (
        "é" * 5000
    )


class TestUsageInStreams:
    """Whether a stored stream tells the usage, against whether it was asked to."""

    silent = body(piece({"content": 'data: "usage"'}), piece(finish="stop"))
    usage: ClassVar = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    told = body(
        piece({"content": "a"}),
        piece(finish="stop"),
        last=[{**HEAD, "choices": [], "usage": usage}],
    )
    within = body(
        piece({"content": "a"}), last=[{**HEAD, "choices": [piece(finish="stop")], "usage": usage}]
    )

    def replay(self, stream, asked, usage=None):
        recording = Recording(200, HEADERS, stream, True, usage)
        return render(Dialect.CHAT, recording, True, {"include_usage": asked})[1]

    def test_the_bytes_stay_where_they_fit(self):
        assert self.replay(self.silent, asked=False) is self.silent
        assert self.replay(self.told, asked=True) is self.told
        assert self.replay(self.within, asked=True) is self.within
        assert self.replay(self.within, asked=False) is self.within

    def test_it_is_dropped_when_not_asked_for(self):
        crlf = self.told.replace(b"\n", b"\r\n")
        for stream in (self.told, crlf):
            chunks = sdk.chat_chunks(self.replay(stream, asked=False))
            assert [chunk.usage for chunk in chunks] == [None, None]
            assert all("usage" not in chunk.to_dict() for chunk in chunks)

    def test_it_is_added_when_asked_for(self):
        chunks = sdk.chat_chunks(self.replay(self.silent, True, Usage(uncached=5, output=6)))
        assert [chunk.to_dict()["usage"] for chunk in chunks[:-1]] == [None, None]
        assert chunks[-1].choices == []
        assert (chunks[-1].id, chunks[-1].usage.total_tokens) == ("c1", 11)

    def test_an_unknown_usage_is_a_miss(self):
        with pytest.raises(CannotRender):
            self.replay(self.silent, asked=True)

    def test_other_members_keep_their_bytes(self):
        odd = b'data: {"choices": [{"x": 1.0e2}],"usage":null}\n\n' + self.told
        assert b'"choices":[{"x": 1.0e2}]}' in self.replay(odd, asked=False)

    def test_options_of_a_wrong_type_ask_for_nothing(self):
        recording = Recording(200, HEADERS, self.silent, True)
        for options in (None, [], "include_usage", {"include_usage": 1}):
            assert render(Dialect.CHAT, recording, True, options)[1] is self.silent
