"""Whatever bytes come from an upstream: only declared errors, and never a broken reply."""

import contextlib

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies.base.call import Dialect
from policies.base.reply import Recording
from policies.base.usage import Usage
from proxy.wire.complete import Finding, inspect
from proxy.wire.document import read
from proxy.wire.encoding import decode
from proxy.wire.replay import CannotRender, render
from tests.fakes import wire_replies as made

JSON = ((b"content-type", b"application/json"),)
SSE = ((b"content-type", b"text/event-stream"),)
DEEP = b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}"
replies = {
    Dialect.CHAT: made.chat_replies(),
    Dialect.COMPLETIONS: made.completion_replies(),
    Dialect.RESPONSES: made.response_replies(),
    Dialect.MESSAGES: made.message_replies(),
}
junk = st.sampled_from([None, True, 0, -1, 2**70, 1.5, "", "x", [], {}, [[]], [{}], {"a": [None]}])
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def everything(dialect, body):
    """Run all that reads a recording; a complete one must render in both forms or refuse."""
    for stream in (False, True):
        headers = SSE if stream else JSON
        finding = inspect(dialect, headers, body, stream)
        assert isinstance(finding, Finding)
        assert finding.complete == (not finding.reason)
        for usage in (None, Usage(1, 0, 0, 2)):
            recording = Recording(200, headers, body, stream, usage)
            for asked in (False, True):
                with contextlib.suppress(CannotRender):
                    _, plain = render(dialect, recording, False, None)
                    assert not stream or dialect not in replies or read(plain) is not None
                with contextlib.suppress(CannotRender):
                    render(dialect, recording, True, {"include_usage": asked})


@given(st.sampled_from(list(Dialect)), st.binary(max_size=200))
@example(Dialect.CHAT, DEEP)
@example(Dialect.CHAT, b"data: " + DEEP + b"\n\ndata: [DONE]\n\n")
@example(Dialect.CHAT, b'{"choices": [{"index": 0, "message": "\\ud83d"}]}')
@example(Dialect.CHAT, b"[" + b"9" * 5000 + b"]")
def test_arbitrary_bytes(dialect, body):
    everything(dialect, body)


@pytest.mark.parametrize("depth", [930, 985, 100_000])
def test_deep_nesting(depth):
    deep = b"[" * depth + b"]" * depth
    for member in (b"choices", b"content", b"output", b"usage", b"error", b"type", b"x"):
        inner = b'{"index":0,"type":"tool_use","finish_reason":%b,"input":{"a":%b}}' % (deep, deep)
        for value in (deep, b"[%b]" % inner):
            doc = b'{"%b":%b,"usage":{}}' % (member, value)
            for dialect in replies:
                everything(dialect, doc)
                everything(dialect, b"data: %b\n\ndata: %b\n\ndata: [DONE]\n\n" % (doc, doc))


@st.composite
def spoilt(draw, doc):
    """`doc` with one value somewhere inside replaced by something of the wrong kind."""
    doc = msgspec.json.decode(msgspec.json.encode(doc))
    at = doc
    for _ in range(draw(st.integers(0, 6))):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        keys = [key for key in keys if isinstance(at[key], dict | list) and at[key]]
        if not keys:
            break
        at = at[draw(st.sampled_from(keys))]
    key = draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
    if draw(st.booleans()) or isinstance(at, list):
        at[key] = draw(junk)
    else:
        del at[key]
    return doc


@pytest.mark.parametrize("dialect", replies)
@some
@given(data=st.data())
def test_spoilt_plain_replies(dialect, data):
    everything(dialect, msgspec.json.encode(data.draw(spoilt(data.draw(replies[dialect])))))


@pytest.mark.parametrize("dialect", replies)
@some
@given(data=st.data())
def test_spoilt_streams(dialect, data):
    doc = data.draw(replies[dialect])
    recording = Recording(200, JSON, msgspec.json.encode(doc), False)
    _, stream = render(dialect, recording, True, {"include_usage": True})
    lines = stream.split(b"\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    if lines[at].startswith(b"data: {"):
        event = data.draw(spoilt(msgspec.json.decode(lines[at][6:])))
        lines[at] = b"data: " + msgspec.json.encode(event)
    else:
        del lines[at]
    everything(dialect, b"\n".join(lines))


@pytest.mark.parametrize("dialect", replies)
@some
@given(data=st.data())
def test_a_stream_cut_short_is_never_complete(dialect, data):
    doc = data.draw(replies[dialect])
    recording = Recording(200, JSON, msgspec.json.encode(doc), False)
    _, stream = render(dialect, recording, True, None)
    cut = data.draw(st.integers(0, len(stream) - 1))
    assert not inspect(dialect, SSE, stream[:cut], True).complete
    everything(dialect, stream[:cut])


@given(st.sampled_from([b"gzip", b"deflate", b"gzip, deflate", b"br", b",,"]), st.binary())
def test_arbitrary_encoded_bytes(coding, body):
    plain = decode(((b"content-encoding", coding),), body, 100)
    assert plain is None or len(plain) <= 100
