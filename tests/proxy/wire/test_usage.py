import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Dialect
from policies.base.usage import Usage
from proxy.wire.usage import fields, usage_of, usage_of_chunks

CHAT, MESSAGES, RESPONSES = Dialect.CHAT, Dialect.MESSAGES, Dialect.RESPONSES


def stream(*docs):
    return list(docs)


@pytest.mark.parametrize(
    ("dialect", "usage", "expected"),
    [
        (
            CHAT,
            {
                "prompt_tokens": 100,
                "completion_tokens": 7,
                "total_tokens": 107,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
            },
            Usage(16, 64, 20, 7),
        ),
        (
            RESPONSES,
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 50},
                "output_tokens": 7,
                "total_tokens": 107,
            },
            Usage(0, 64, 36, 7),  # the write overlaps with the read
        ),
        (
            MESSAGES,
            {
                "input_tokens": 5,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 20,
                "output_tokens": 7,
            },
            Usage(5, 20, 10, 7),
        ),
        (MESSAGES, {"input_tokens": 5, "cache_read_input_tokens": None}, Usage(5, 0, 0, 0)),
        (  # DeepSeek
            CHAT,
            {
                "prompt_tokens": 30,
                "prompt_cache_hit_tokens": 10,
                "prompt_cache_miss_tokens": 20,
                "completion_tokens": 1,
                "total_tokens": 31,
            },
            Usage(20, 10, 0, 1),
        ),
        (  # vLLM
            CHAT,
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": None},
            Usage(3, 0, 0, 2),
        ),
        (  # Gemini: thinking is only in the total
            CHAT,
            {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 45},
            Usage(3, 0, 0, 42),
        ),
        (Dialect.EMBEDDINGS, {"prompt_tokens": 8, "total_tokens": 8}, Usage(8)),
        (Dialect.OPAQUE, {"prompt_tokens": 8}, None),
        (CHAT, {}, None),
        (CHAT, None, None),
        (CHAT, [1], None),
        (CHAT, {"prompt_tokens": True}, None),
        (CHAT, {"prompt_tokens": -1}, None),
        (CHAT, {"prompt_tokens": 2**63}, None),
        (CHAT, {"prompt_tokens": 1.0}, None),
        (CHAT, {"prompt_tokens": "1"}, None),
        (CHAT, {"prompt_tokens": 1, "prompt_tokens_details": "x"}, None),
        (CHAT, {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}, None),
    ],
)
def test_usage_of_a_plain_reply(dialect, usage, expected):
    assert usage_of(dialect, {"usage": usage}) == expected


def test_a_reply_without_usage_has_none():
    assert usage_of(CHAT, {}) is None
    assert usage_of_chunks(CHAT, stream({"choices": []}, {"usage": None})) is None


def test_the_last_usage_of_a_chat_stream_counts():
    told = [{"prompt_tokens": 3, "completion_tokens": n} for n in (1, 2)]
    docs = ({"usage": None}, {"usage": told[0]}, {"usage": told[1]}, {"usage": None})
    assert usage_of_chunks(CHAT, stream(*docs)) == Usage(3, 0, 0, 2)


def test_anthropic_counts_are_cumulative():
    start = {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1}
    events = stream(
        {"type": "message_start", "message": {"usage": start}},
        {"type": "ping"},
        {"type": "message_delta", "usage": {"output_tokens": 5, "input_tokens": None}},
        {"type": "message_delta", "usage": {"output_tokens": 8}},
    )
    assert usage_of_chunks(MESSAGES, events) == Usage(9, 4, 0, 8)


def test_responses_tell_it_in_the_end():
    usage = {"input_tokens": 9, "output_tokens": 5}
    events = stream(
        {"type": "response.created", "response": {"usage": None}},
        {"type": "response.completed", "response": {"usage": usage}},
    )
    assert usage_of_chunks(RESPONSES, events) == Usage(9, 0, 0, 5)


counts = st.integers(0, 2**38 - 1)  # four of them are fewer than a trillion


@given(st.sampled_from([CHAT, MESSAGES, RESPONSES]), st.builds(Usage, *[counts] * 4))
def test_fields_are_read_back(dialect, usage):
    assert usage_of(dialect, {"usage": fields(dialect, usage)}) == usage
