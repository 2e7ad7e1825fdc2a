import msgspec
import pytest

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.wire import sse
from proxy.wire.complete import inspect

JSON = ((b"content-type", b"Application/JSON; charset=utf-8"),)
SSE = ((b"content-type", b"text/event-stream"),)
CHAT, MESSAGES, RESPONSES = Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES
EMBEDDINGS, COMPLETIONS = Dialect.EMBEDDINGS, Dialect.COMPLETIONS


def plain(dialect, doc):
    return inspect(dialect, JSON, msgspec.json.encode(doc), False)


def stream(dialect, *docs, end=b""):
    body = b"".join(sse.encode(msgspec.json.encode(doc)) for doc in docs)
    return inspect(dialect, SSE, body + end, True)


def choice(reason, index=0, **rest):
    return {"index": index, "finish_reason": reason, **rest}


def chunk(*choices):
    return {"choices": list(choices)}


DONE = sse.encode(b"[DONE]")


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call"])
def test_a_finished_chat_reply_is_complete(reason):
    assert plain(CHAT, chunk(choice(reason), choice("stop", 1))).complete
    docs = chunk(choice(None)), chunk(choice(None, 1)), chunk(choice(reason), choice("stop", 1))
    assert stream(CHAT, *docs, end=DONE).complete


@pytest.mark.parametrize(
    "doc",
    [
        {},
        chunk(),
        {"choices": None},
        {"choices": {"0": choice("stop")}},
        chunk(choice("length")),
        chunk(choice("content_filter")),
        chunk(choice(None)),
        chunk(choice(["stop"])),
        chunk(choice("stop"), choice("length", 1)),
        chunk({"finish_reason": "stop"}),
        chunk(choice("stop", [0])),
        {"error": {"message": "no"}, **chunk(choice("stop"))},
        chunk(choice("stop", error={"code": 502})),
    ],
)
def test_an_unfinished_or_failed_chat_reply_is_not(doc):
    assert plain(CHAT, doc).reason
    assert stream(CHAT, doc, end=DONE).reason


@pytest.mark.parametrize(
    ("docs", "end"),
    [
        ([chunk(choice("stop"))], b""),
        ([chunk(choice("stop"))], DONE[:-1]),
        ([chunk(choice("stop"))], DONE + DONE),
        ([chunk(choice("stop"))], DONE + b"data: {}\n\n"),
        ([chunk(choice("stop"))], DONE + b"data: {"),
        ([chunk(choice("stop"))], b"data: <html>\n\n" + DONE),
        ([chunk(choice("stop"))], b"event: error\ndata: {}\n\n" + DONE),
        ([chunk(choice("stop"), choice(None, 1))], DONE),
        ([], DONE),
        ([], b""),
    ],
)
def test_a_chat_stream_cut_off_or_broken_is_not(docs, end):
    assert not stream(CHAT, *docs, end=end).complete


def test_the_form_must_be_the_one_asked_for():
    body = msgspec.json.encode(chunk(choice("stop")))
    assert not inspect(CHAT, JSON, body, True).complete
    assert not inspect(CHAT, SSE, body, False).complete
    assert not inspect(CHAT, (), body, False).complete
    assert not inspect(CHAT, ((b"content-type", b"text/html"),), b"<html>", False).complete
    assert not inspect(Dialect.OPAQUE, JSON, body, False).complete


def test_completions_end_by_themselves():
    assert plain(COMPLETIONS, chunk(choice("stop"))).complete
    assert not plain(COMPLETIONS, chunk(choice("tool_calls"))).complete


def test_responses():
    done = {"status": "completed", "error": None, "output": [{"type": "message"}]}
    assert plain(RESPONSES, done).complete
    assert not plain(RESPONSES, done | {"status": "incomplete"}).complete
    assert not plain(RESPONSES, done | {"status": "in_progress"}).complete
    assert not plain(RESPONSES, done | {"output": []}).complete
    assert not plain(RESPONSES, done | {"error": {"code": "x"}}).complete
    assert not plain(RESPONSES, done | {"output": [{"status": "incomplete"}]}).complete
    begun = {"type": "response.created", "response": {"status": "in_progress", "error": None}}
    ended = {"type": "response.completed", "response": done}
    assert stream(RESPONSES, begun, ended).complete
    assert stream(RESPONSES, begun, ended, end=DONE).complete
    assert not stream(RESPONSES, begun).complete
    assert not stream(RESPONSES, begun, {"type": "error"}, ended).complete
    assert not stream(RESPONSES, begun, ended | {"type": "response.failed"}).complete


def test_messages():
    said = {"type": "message", "content": [{"type": "text", "text": "a"}]}
    for reason in ("end_turn", "tool_use", "stop_sequence"):
        assert plain(MESSAGES, said | {"stop_reason": reason}).complete
    for reason in ("max_tokens", "refusal", "pause_turn", None, []):
        assert not plain(MESSAGES, said | {"stop_reason": reason}).complete
    assert not plain(MESSAGES, {"type": "error", "error": {"type": "overloaded_error"}}).complete


def test_message_streams():
    start, stop = {"type": "message_start", "message": {}}, {"type": "message_stop"}
    block = [{"type": "content_block_start", "index": 0}, {"type": "content_block_stop"}]
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    ping = {"type": "ping"}
    assert stream(MESSAGES, start, ping, *block, delta, stop, ping).complete
    assert not stream(MESSAGES, start, *block, delta).complete
    assert not stream(MESSAGES, start, *block, stop).complete
    assert not stream(MESSAGES, start, block[0], delta, stop).complete
    assert not stream(MESSAGES, start, delta, stop).complete
    assert not stream(MESSAGES, start, *block, {"type": "error"}, delta, stop).complete


def test_embeddings():
    assert plain(EMBEDDINGS, {"data": [{"embedding": [0.1]}]}).complete
    assert not plain(EMBEDDINGS, {"data": []}).complete
    assert not plain(EMBEDDINGS, {}).complete


def test_text_is_given_where_usage_is_not():
    call = {"index": 0, "function": {"name": "f", "arguments": "{}"}}
    docs = [
        chunk(choice(None, delta={"role": "assistant", "content": "Hel", "reasoning": "hm"})),
        chunk(choice(None, delta={"content": "lo", "tool_calls": [call]})),
        chunk(choice("stop", delta={"tool_calls": [{"index": 0, "function": {"name": "g"}}]})),
    ]
    assert sorted(stream(CHAT, *docs, end=DONE).text) == ["Hello", "f{}g", "hm"]
    usage = {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    told = stream(CHAT, *docs, usage, end=DONE)
    assert (told.usage, told.text) == (Usage(3, 0, 0, 1), [])


def test_text_of_every_dialect():
    assert plain(COMPLETIONS, chunk(choice("stop", text="a"))).text == ["a"]
    message = {"role": "assistant", "content": "a", "function_call": {"name": "f"}}
    assert plain(CHAT, chunk(choice("stop", message=message))).text == ["a", "f"]
    part = {"type": "output_text", "text": "a"}
    assert plain(RESPONSES, {"output": [{"content": [part]}]}).text == ["a"]
    deltas = [{"type": "response.output_text.delta", "delta": piece} for piece in "ab"]
    assert stream(RESPONSES, *deltas).text == ["ab"]
    blocks = [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "f", "input": {"x": 1}}]
    assert plain(MESSAGES, {"content": blocks}).text == ["a", "f", '{"x":1}']
    deltas = [{"index": 0, "delta": {"text": piece}} for piece in "ab"]
    assert stream(MESSAGES, *deltas).text == ["ab"]
