from typing import ClassVar

import msgspec
import pytest

from policies.base.call import Dialect
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.wire import sse
from proxy.wire.replay import CannotRender, render
from tests.fakes import sdk_replies as sdk

JSON = ((b"content-type", b"application/json"),)
SSE = ((b"content-type", b"text/event-stream"),)
MESSAGES, RESPONSES, COMPLETIONS = Dialect.MESSAGES, Dialect.RESPONSES, Dialect.COMPLETIONS


def typed(*docs):
    return b"".join(sse.encode(msgspec.json.encode(doc), doc["type"]) for doc in docs)


def plain(dialect, stream, usage=None):
    recording = Recording(200, SSE, stream, True, usage)
    return msgspec.json.decode(render(dialect, recording, False, None)[1])


def streamed(dialect, doc):
    recording = Recording(200, JSON, msgspec.json.encode(doc), False)
    return render(dialect, recording, True, None)[1]


class TestMessages:
    """As Anthropic streams them."""

    start: ClassVar = {
        "type": "message_start",
        "message": {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1},
        },
    }
    end = (
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 50},
        },
        {"type": "message_stop"},
    )

    def stream(self, *blocks):
        docs = [self.start, {"type": "ping"}]
        for index, (block, *deltas) in enumerate(blocks):
            where = {"index": index}
            docs.append({"type": "content_block_start", **where, "content_block": block})
            docs += [{"type": "content_block_delta", **where, "delta": one} for one in deltas]
            docs.append({"type": "content_block_stop", **where})
        return typed(*docs, *self.end)

    def test_blocks_join(self):
        stream = self.stream(
            (
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "h"},
                {"type": "thinking_delta", "thinking": "m"},
                {"type": "signature_delta", "signature": "S"},
            ),
            ({"type": "redacted_thinking", "data": "xx"},),
            (
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": "né"},
                {"type": "text_delta", "text": " 🙂"},
                {"type": "citations_delta", "citation": {"type": "char_location"}},
            ),
            (
                {"type": "tool_use", "id": "t", "name": "f", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a": "n'},
                {"type": "input_json_delta", "partial_json": 'é"}'},
            ),
            ({"type": "tool_use", "id": "u", "name": "g", "input": {}},),
        )
        doc = plain(MESSAGES, stream)
        assert doc["content"] == [
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            {"type": "redacted_thinking", "data": "xx"},
            {"type": "text", "text": "né 🙂", "citations": [{"type": "char_location"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": "né"}},
            {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        ]
        assert doc["stop_reason"] == "tool_use"
        assert doc["usage"] == {
            "input_tokens": 9,
            "cache_read_input_tokens": 4,
            "output_tokens": 50,
        }
        final = sdk.dumped(sdk.message_streamed(stream, 5))
        assert final == {**doc, "stop_details": None}

    @pytest.mark.parametrize(
        "block",
        [
            ({"type": "text", "text": ""}, {"type": "new_delta"}),
            ({"type": "tool_use", "input": {}}, {"type": "input_json_delta", "partial_json": "{"}),
            ({"type": "text"}, {"type": "text_delta", "text": "a"}),
        ],
    )
    def test_what_could_only_be_guessed_is_refused(self, block):
        with pytest.raises(CannotRender):
            plain(MESSAGES, self.stream(block))

    def test_unknown_blocks_are_not_streamed(self):
        with pytest.raises(CannotRender):
            streamed(MESSAGES, {"usage": {}, "content": [{"type": "hologram"}]})

    def test_results_of_server_tools_come_whole(self):
        result = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"a": 1}]}
        doc = {"type": "message", "content": [result], "usage": {"output_tokens": 1}}
        assert plain(MESSAGES, streamed(MESSAGES, doc)) == doc

    def test_compactions_of_the_context_come_in_one_piece(self):
        said = {"content": "So far: gold.", "encrypted_content": "xx"}
        begun = {"type": "compaction", "content": None, "encrypted_content": None}
        (block,) = plain(MESSAGES, self.stream((begun, {"type": "compaction_delta", **said})))[
            "content"
        ]
        assert block == {"type": "compaction", **said}

    def test_usage_counted_by_us_fills_a_gap(self):
        recording = Recording(200, JSON, b'{"content":[]}', False, Usage(3, 0, 0, 4))
        _, stream = render(MESSAGES, recording, True, None)
        assert plain(MESSAGES, stream)["usage"]["output_tokens"] == 4


class TestResponses:
    """As OpenAI streams them."""

    item: ClassVar = {"id": "i1", "type": "message", "role": "assistant", "status": "completed"}

    def response(self, *items):
        return {"id": "r1", "object": "response", "status": "completed", "output": list(items)}

    def test_the_order_of_events(self):
        logprobs = [{"token": "a", "logprob": -1.0}]
        part = {"type": "output_text", "text": "a", "annotations": [{}], "logprobs": logprobs}
        refused = {"type": "refusal", "refusal": "no"}
        stream = streamed(RESPONSES, self.response({**self.item, "content": [part, refused]}))
        events = sse.events(stream)
        assert [event.event.removeprefix("response.") for event in events] == [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
        docs = [msgspec.json.decode(event.data) for event in events]
        assert [doc["sequence_number"] for doc in docs] == list(range(len(docs)))
        assert [doc["type"] for doc in docs] == [event.event for event in events]
        assert docs[2]["item"] == {**self.item, "status": "in_progress", "content": []}
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        assert docs[3]["part"] == empty
        assert docs[4] == {
            "type": "response.output_text.delta",
            "delta": "a",
            "logprobs": logprobs,
            "content_index": 0,
            "output_index": 0,
            "item_id": "i1",
            "sequence_number": 4,
        }

    def test_calls_and_reasoning(self):
        summary = [{"type": "summary_text", "text": "hm"}]
        response = self.response(
            {"id": "a", "type": "reasoning", "summary": summary, "encrypted_content": "x"},
            {"id": "b", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"id": "d", "type": "web_search_call", "status": "completed"},
            {"id": "e", "type": "computer_call", "status": "completed"},
        )
        stream = streamed(RESPONSES, response)
        names = [event.event for event in sse.events(stream)]
        assert "response.reasoning_summary_text.delta" in names
        assert "response.function_call_arguments.done" in names
        assert "response.web_search_call.searching" in names
        assert plain(RESPONSES, stream) == response

    @pytest.mark.parametrize("kind", ["image_generation_call", "mcp_call", "new", None])
    def test_items_with_events_unknown_to_us_are_refused(self, kind):
        with pytest.raises(CannotRender):
            streamed(RESPONSES, self.response({"id": "a", "type": kind}))

    def test_items_are_collected_where_the_end_has_none(self):
        item = {**self.item, "content": []}
        stream = typed(
            {"type": "response.created", "response": {}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": "r", "output": None}},
        )
        assert plain(RESPONSES, stream) == {"id": "r", "output": [item]}
        with pytest.raises(CannotRender):
            plain(RESPONSES, typed({"type": "response.created", "response": {}}))

    def test_usage_counted_by_us_fills_a_gap(self):
        stream = typed({"type": "response.completed", "response": {"output": [], "usage": None}})
        assert plain(RESPONSES, stream, Usage(3, 0, 0, 4))["usage"]["total_tokens"] == 7


def test_completions_join_with_their_logprobs():
    def logprobs(word, offset):
        lists = {"tokens": [word], "token_logprobs": [-1.0], "text_offset": [offset]}
        return lists | {"top_logprobs": None}

    def chunk(text, finish=None, logprobs=None):
        choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": logprobs}
        return sse.encode(msgspec.json.encode({"id": "c", "choices": [choice]}))

    first, second = chunk("a", None, logprobs("a", 0)), chunk("b", "stop", logprobs("b", 1))
    doc = plain(COMPLETIONS, first + second + sse.encode(b"[DONE]"))
    assert doc == {
        "id": "c",
        "object": "text_completion",
        "choices": [
            {
                "index": 0,
                "text": "ab",
                "finish_reason": "stop",
                "logprobs": {
                    "tokens": ["a", "b"],
                    "token_logprobs": [-1.0, -1.0],
                    "text_offset": [0, 1],
                    "top_logprobs": None,
                },
            }
        ],
    }


def test_embeddings_have_one_form_and_opaque_replies_only_their_own():
    recording = Recording(200, JSON, b"{}", False)
    assert render(Dialect.EMBEDDINGS, recording, True, None) == (JSON, b"{}")
    assert render(Dialect.OPAQUE, recording, False, None) == (JSON, b"{}")
    with pytest.raises(CannotRender):
        render(Dialect.OPAQUE, recording, True, None)


def test_an_error_in_the_stream_is_not_rendered():
    for error in (b"event: error\ndata: {}\n\n", b'data: {"error": {}}\n\n'):
        with pytest.raises(CannotRender):
            plain(Dialect.CHAT, error + sse.encode(b"[DONE]"))
