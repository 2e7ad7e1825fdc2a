"""Hypothesis strategies for complete plain replies of every dialect."""

from hypothesis import strategies as st

text = st.text(max_size=40)
words = st.text(min_size=1, max_size=12)
count = st.integers(0, 10_000)
scalar = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | words
json_value = st.recursive(
    scalar | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
json_object = st.dictionaries(words, json_value, max_size=3)


def record(optional=None, **required):
    return st.fixed_dictionaries(required, optional=optional or {})


token = record(
    token=text,
    logprob=st.floats(-20, 0),
    bytes=st.none() | st.lists(st.integers(0, 255), max_size=3),
    top_logprobs=st.lists(record(token=text, logprob=st.floats(-20, 0)), max_size=2),
)
function_call = record(
    id=words,
    type=st.just("function"),
    function=record(name=words, arguments=text),
)
custom_call = record(id=words, type=st.just("custom"), custom=record(name=words, input=text))


def _finished(message):
    call = "tool_calls" if message.get("tool_calls") else "stop"
    return st.just("function_call" if message.get("function_call") else call)


chat_message = record(
    role=st.just("assistant"),
    content=st.none() | text,
    optional={
        "refusal": st.none() | text,
        "reasoning_content": st.none() | text,
        "annotations": st.just([]),
        "tool_calls": st.lists(function_call, max_size=3),
        "function_call": record(name=words, arguments=text),
    },
)


@st.composite
def chat_replies(draw):
    messages = draw(st.lists(chat_message, min_size=1, max_size=3))
    slots = st.none() | st.lists(token, max_size=3)
    logprobs = st.none() | record(content=slots, refusal=slots)
    choices = [
        {
            "index": index,
            "message": message,
            "logprobs": draw(logprobs),
            "finish_reason": draw(_finished(message)),
        }
        for index, message in enumerate(messages)
    ]
    head = draw(
        record(
            id=words,
            object=st.just("chat.completion"),
            created=count,
            model=words,
            usage=record(prompt_tokens=count, completion_tokens=count, total_tokens=count),
            optional={"system_fingerprint": st.none() | words, "service_tier": st.none() | words},
        )
    )
    return {**head, "choices": choices}


_size = st.shared(st.integers(0, 4), key="tokens")


def _each(values):
    return _size.flatmap(lambda size: st.lists(values, min_size=size, max_size=size))


completion_logprobs = record(
    tokens=_each(text),
    token_logprobs=_each(st.floats(-20, 0)),
    top_logprobs=st.none() | _each(st.dictionaries(words, st.floats(-20, 0), max_size=2)),
    text_offset=_each(count),
)


@st.composite
def completion_replies(draw):
    texts = draw(st.lists(text, min_size=1, max_size=3))
    choices = [
        {
            "index": index,
            "text": said,
            "logprobs": draw(st.none() | completion_logprobs),
            "finish_reason": "stop",
        }
        for index, said in enumerate(texts)
    ]
    return {
        "id": draw(words),
        "object": "text_completion",
        "created": draw(count),
        "model": draw(words),
        "choices": choices,
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


done = st.just("completed")
output_text = record(
    type=st.just("output_text"),
    text=text,
    annotations=st.lists(record(type=st.just("file_path"), file_id=words, index=count), max_size=2),
    optional={"logprobs": st.lists(token, max_size=3)},
)
refusal = record(type=st.just("refusal"), refusal=text)
output_item = st.one_of(
    record(
        type=st.just("message"),
        role=st.just("assistant"),
        status=done,
        content=st.lists(output_text | refusal, max_size=3),
    ),
    record(
        type=st.just("reasoning"),
        summary=st.lists(record(type=st.just("summary_text"), text=text), max_size=2),
        optional={
            "content": st.lists(record(type=st.just("reasoning_text"), text=text), max_size=2),
            "encrypted_content": st.none() | words,
        },
    ),
    record(type=st.just("function_call"), status=done, name=words, arguments=text),
    record(type=st.just("custom_tool_call"), status=done, name=words, input=text),
    record(
        type=st.just("web_search_call"),
        status=done,
        action=record(type=st.just("search"), query=text),
    ),
)


@st.composite
def response_replies(draw):
    items = draw(st.lists(output_item, min_size=1, max_size=4))
    for index, item in enumerate(items):
        item["id"] = f"item_{index}"
        if item["type"].endswith("_call") and "search" not in item["type"]:
            item["call_id"] = f"call_{index}"
    usage = {
        "input_tokens": draw(count),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": draw(count),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": draw(count),
    }
    return {
        "id": draw(words),
        "object": "response",
        "created_at": draw(count),
        "status": "completed",
        "completed_at": draw(st.none() | count),
        "error": None,
        "incomplete_details": None,
        "model": draw(words),
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "metadata": {},
        "usage": usage,
    }


citation = record(
    type=st.just("char_location"),
    cited_text=text,
    document_index=count,
    document_title=st.none() | words,
    start_char_index=count,
    end_char_index=count,
)
content_block = st.one_of(
    record(
        type=st.just("text"),
        text=text,
        optional={"citations": st.none() | st.lists(citation, max_size=2)},
    ),
    record(type=st.just("thinking"), thinking=text, signature=words),
    record(type=st.just("redacted_thinking"), data=words),
    record(type=st.just("tool_use"), id=words, name=words, input=json_object),
)


@st.composite
def message_replies(draw):
    usage = draw(
        record(
            input_tokens=count,
            output_tokens=count,
            optional={
                "cache_creation_input_tokens": st.none() | count,
                "cache_read_input_tokens": st.none() | count,
                "service_tier": st.just("standard"),
            },
        )
    )
    return {
        "id": draw(words),
        "type": "message",
        "role": "assistant",
        "model": draw(words),
        "content": draw(st.lists(content_block, min_size=1, max_size=4)),
        "stop_reason": draw(st.sampled_from(["end_turn", "tool_use", "stop_sequence"])),
        "stop_sequence": draw(st.none() | words),
        "usage": usage,
    }
