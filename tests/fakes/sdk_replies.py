"""The real SDKs reading bytes we made: plain replies parsed, streams accumulated."""

import anthropic
import httpx2
import openai

_JSON = "application/json"
_SSE = "text/event-stream; charset=utf-8"


def _reply(body, media_type, cut):
    def answer(request):
        chunks = iter([body[at : at + cut] for at in range(0, len(body), cut)])
        return httpx2.Response(200, headers={"content-type": media_type}, content=chunks)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _openai(body, media_type, cut):
    http_client = _reply(body, media_type, cut)
    return openai.OpenAI(api_key="k", base_url="http://t/v1", http_client=http_client)


def _anthropic(body, media_type, cut):
    http_client = _reply(body, media_type, cut)
    return anthropic.Anthropic(api_key="k", base_url="http://t", http_client=http_client)


_asked = {"model": "m", "messages": [{"role": "user", "content": "?"}]}


def chat_plain(body, cut=1000):
    client = _openai(body, _JSON, cut)
    return client.chat.completions.create(**_asked)


def chat_streamed(body, cut=1000):
    """What `client.chat.completions.stream` accumulates."""
    with _openai(body, _SSE, cut).chat.completions.stream(**_asked) as stream:
        return stream.get_final_completion()


def chat_chunks(body, cut=1000):
    return list(_openai(body, _SSE, cut).chat.completions.create(**_asked, stream=True))


def completion_chunks(body, cut=1000):
    client = _openai(body, _SSE, cut)
    return list(client.completions.create(model="m", prompt="?", stream=True))


def response_plain(body, cut=1000):
    return _openai(body, _JSON, cut).responses.create(model="m", input="?")


def response_streamed(body, cut=1000):
    """What `client.responses.stream` accumulates, and the events it passed on."""
    with _openai(body, _SSE, cut).responses.stream(model="m", input="?") as stream:
        events = list(stream)
        return stream.get_final_response(), events


def message_plain(body, cut=1000):
    return _anthropic(body, _JSON, cut).messages.create(**_asked, max_tokens=9)


def message_streamed(body, cut=1000):
    """What `client.messages.stream` accumulates."""
    with _anthropic(body, _SSE, cut).messages.stream(**_asked, max_tokens=9) as stream:
        return stream.get_final_message()


def dumped(value):
    """An SDK object as JSON would show it, without what only the SDK adds."""
    return _own(value.to_dict(mode="json"))


def _own(value):
    if isinstance(value, list):
        return [_own(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    added = {"parsed", "parsed_arguments", "parsed_output"}
    if "function" in value or "custom" in value:
        added.add("index")  # the accumulator keeps the index of a streamed tool call
    return {name: _own(entry) for name, entry in value.items() if name not in added}
