"""One conversation with tools, held by an official SDK, in any of three dialects.

    talk = Talk("messages", penstock.url, stream=True)
    answer = talk.ask("Read the log")     # Answer(text, calls, usage, end)
    answer = talk.give({"call_1_0": "..."})

The history is what users of the SDK send back: what it has returned, as it returned it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import anthropic
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

__all__ = ["TOOL", "Answer", "Talk"]

TOOL = "run"
_SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}}


class Answer(NamedTuple):
    """`calls`: names by id. `usage`: input, of it read, output; None where it was not told."""

    text: str
    calls: dict[str, str]
    usage: tuple[int, int, int] | None
    end: str


class Talk:
    """`more`: further fields of every request."""

    def __init__(self, kind: str, url: str, *, stream: bool, key: str = "k", **more: Any) -> None:
        self.history: list[Any] = []
        self.events: list[Any] = []  # of the last stream
        self.more = {"tools": [_tool(kind)], **more}
        self._stream = stream
        self._kind = kind
        if kind == "messages":
            self.sdk: Any = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
        else:
            self.sdk = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, text: str) -> Answer:
        self.history.append({"role": "user", "content": text})
        return self._answer()

    def give(self, results: Mapping[str, str]) -> Answer:
        self.add(results)
        return self._answer()

    def add(self, results: Mapping[str, str]) -> None:
        """Results of tools, to be sent with what comes next."""
        if self._kind == "messages":
            blocks = [
                {"type": "tool_result", "tool_use_id": each, "content": text}
                for each, text in results.items()
            ]
            self.history.append({"role": "user", "content": blocks})
        elif self._kind == "responses":
            self.history += [
                {"type": "function_call_output", "call_id": each, "output": text}
                for each, text in results.items()
            ]
        else:
            self.history += [
                {"role": "tool", "tool_call_id": each, "content": text}
                for each, text in results.items()
            ]

    def _answer(self) -> Answer:
        if self._kind == "messages":
            return self._messages()
        return self._responses() if self._kind == "responses" else self._chat()

    def _chat(self) -> Answer:
        asked = {"model": "m", "messages": self.history, **self.more}
        if self._stream:
            options = {"stream": True, "stream_options": {"include_usage": True}}
            self.events = list(self.sdk.chat.completions.create(**{**options, **asked}))
            state = ChatCompletionStreamState()
            for chunk in self.events:
                state.handle_chunk(chunk)
            answer = state.get_final_completion()
        else:
            answer = self.sdk.chat.completions.create(**asked)
        choice = answer.choices[0]
        sent = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in sent.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        self.history.append(sent)
        calls = {call.id: call.function.name for call in choice.message.tool_calls or ()}
        told = answer.usage
        usage = told and (
            told.prompt_tokens,
            told.prompt_tokens_details.cached_tokens,
            told.completion_tokens,
        )
        return Answer(choice.message.content or "", calls, usage, choice.finish_reason)

    def _messages(self) -> Answer:
        asked = {"model": "m", "max_tokens": 99, "messages": self.history, **self.more}
        if self._stream:
            with self.sdk.messages.stream(**asked) as stream:
                self.events = list(stream)
                answer = stream.get_final_message()
        else:
            answer = self.sdk.messages.create(**asked)
        blocks = [block.model_dump(exclude_none=True) for block in answer.content]
        for block in blocks:
            block.pop("parsed_output", None)
        self.history.append({"role": "assistant", "content": blocks})
        text = "\n\n".join(block.text for block in answer.content if block.type == "text")
        calls = {block.id: block.name for block in answer.content if block.type == "tool_use"}
        told = answer.usage
        read = told.cache_read_input_tokens
        usage = (told.input_tokens + read, read, told.output_tokens)
        return Answer(text, calls, usage, answer.stop_reason)

    def _responses(self) -> Answer:
        asked = {"model": "m", "input": self.history, **self.more}
        if self._stream:
            with self.sdk.responses.stream(**asked) as stream:
                self.events = list(stream)
                answer = stream.get_final_response()
        else:
            answer = self.sdk.responses.create(**asked)
        self.last = answer
        unsent = {"parsed_arguments", "status"}
        items = [
            {
                name: it
                for name, it in item.model_dump(exclude_none=True).items()
                if name not in unsent
            }
            for item in answer.output
        ]
        for item in items:
            for part in item.get("content") or ():
                part.pop("parsed", None)
        self.history += items
        said = [item for item in answer.output if item.type == "message"]
        text = "\n\n".join(part.text for item in said for part in item.content)
        made = [item for item in answer.output if item.type == "function_call"]
        told = answer.usage
        usage = (told.input_tokens, told.input_tokens_details.cached_tokens, told.output_tokens)
        end = (answer.incomplete_details and answer.incomplete_details.reason) or answer.status
        return Answer(text, {item.call_id: item.name for item in made}, usage, end)


def _tool(kind: str) -> dict[str, Any]:
    if kind == "messages":
        return {"name": TOOL, "description": "Runs a command.", "input_schema": _SCHEMA}
    function = {"name": TOOL, "description": "Runs a command.", "parameters": _SCHEMA}
    if kind == "responses":
        return {"type": "function", **function}
    return {"type": "function", "function": function}
