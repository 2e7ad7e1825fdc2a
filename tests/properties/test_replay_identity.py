"""A plain reply made into a stream says the same: to us, and to the official SDKs."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.base.call import Dialect
from policies.base.reply import Recording
from proxy.wire import sse
from proxy.wire.complete import inspect
from proxy.wire.replay import render
from tests.fakes import sdk_replies as sdk
from tests.fakes import wire_replies as made

JSON = ((b"content-type", b"application/json"), (b"x-request-id", b"r1"))
USAGE = {"include_usage": True}
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
replies = {
    Dialect.CHAT: made.chat_replies(),
    Dialect.COMPLETIONS: made.completion_replies(),
    Dialect.RESPONSES: made.response_replies(),
    Dialect.MESSAGES: made.message_replies(),
}


def streamed(dialect, doc, options=USAGE):
    headers, body = render(
        dialect, Recording(200, JSON, msgspec.json.encode(doc), False), True, options
    )
    return Recording(200, headers, body, True)


@pytest.mark.parametrize("dialect", replies)
@few
@given(data=st.data())
def test_plain_to_stream_to_plain_is_identity(dialect, data):
    doc = data.draw(replies[dialect])
    stream = streamed(dialect, doc)
    headers, body = render(dialect, stream, False, None)
    assert msgspec.json.decode(body) == doc
    assert dict(headers) == dict(JSON)


@pytest.mark.parametrize("dialect", replies)
@few
@given(data=st.data())
def test_both_forms_are_complete_and_tell_the_same_usage_and_text(dialect, data):
    doc = data.draw(replies[dialect])
    stream = streamed(dialect, doc)
    of_stream = inspect(dialect, stream.headers, stream.body, True)
    of_plain = inspect(dialect, JSON, msgspec.json.encode(doc), False)
    assert of_stream.complete, of_stream.reason
    assert of_stream.complete == of_plain.complete
    assert of_stream.usage == of_plain.usage
    assert of_stream.usage is not None


@few
@given(made.chat_replies(), st.integers(1, 50))
def test_the_openai_sdk_accumulates_the_stored_chat_reply(doc, cut):
    body = streamed(Dialect.CHAT, doc).body
    for choice in doc["choices"]:
        if not choice["message"].get("tool_calls"):
            choice["message"].pop("tool_calls", None)  # the SDK shows no calls as null
    accumulated = sdk.dumped(sdk.chat_streamed(body, cut))
    assert without_nulls(accumulated) == without_nulls(doc)


@few
@given(made.response_replies(), st.integers(1, 50))
def test_the_openai_sdk_accumulates_the_stored_response(doc, cut):
    body = streamed(Dialect.RESPONSES, doc).body
    final, events = sdk.response_streamed(body, cut)
    assert sdk.dumped(final) == doc
    assert [event.sequence_number for event in events] == list(range(len(events)))


@few
@given(made.message_replies(), st.integers(1, 50))
def test_the_anthropic_sdk_accumulates_the_stored_message(doc, cut):
    body = streamed(Dialect.MESSAGES, doc).body
    plain = sdk.dumped(sdk.message_plain(msgspec.json.encode(doc)))
    assert sdk.dumped(sdk.message_streamed(body, cut)) == {"stop_details": None, **plain}


@few
@given(made.completion_replies(), st.integers(1, 50))
def test_completion_chunks_add_up(doc, cut):
    chunks = sdk.completion_chunks(streamed(Dialect.COMPLETIONS, doc).body, cut)
    said = ["" for _ in doc["choices"]]
    for chunk in chunks:
        for choice in chunk.choices:
            said[choice.index] += choice.text
    assert said == [choice["text"] for choice in doc["choices"]]
    assert chunks[-1].usage.to_dict() == doc["usage"]


@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.COMPLETIONS])
@few
@given(data=st.data())
def test_usage_is_told_when_asked_and_taken_back_when_not(dialect, data):
    doc = data.draw(replies[dialect])
    told = streamed(dialect, doc)
    silent = streamed(dialect, doc, None)
    assert render(dialect, told, True, USAGE)[1] is told.body
    assert render(dialect, silent, True, {"include_usage": False})[1] is silent.body
    dropped = render(dialect, told, True, None)[1]
    assert chunks(dropped) == chunks(silent.body)
    usage = inspect(dialect, told.headers, told.body, True).usage
    silent = Recording(200, silent.headers, silent.body, True, usage)
    added = render(dialect, silent, True, USAGE)[1]
    assert inspect(dialect, told.headers, added, True).usage == usage
    assert chunks(added)[:-1] == chunks(told.body)[:-1]


def without_nulls(value):
    """The SDK shows members it knows as null where they are absent."""
    if isinstance(value, list):
        return [without_nulls(entry) for entry in value]
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    return value


def chunks(body):
    return [msgspec.json.decode(event.data) for event in sse.events(body)[:-1]]
