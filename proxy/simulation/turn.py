"""What is asked of the simulated model, whatever the dialect, and what it says.

It calls tools when it is told to (`required`), and else when the text of the last user message
contains a tool's name as a whole word: all that are named, in order, or only the first where
parallel calls are off. After a tool result it answers in text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from operator import itemgetter
from random import Random
from typing import Any

import msgspec

from proxy.simulation.example import example
from proxy.simulation.prompt import Prompt
from proxy.simulation.tokens import pieces
from proxy.simulation.wire import dumps
from proxy.simulation.words import speech


class Tool(msgspec.Struct, frozen=True):
    """A function that may be called; `schema` is that of its arguments."""

    name: str
    schema: Any


class Ask(msgspec.Struct, frozen=True):
    """One prompt and what is wanted of the answer.

    `last` is the text that the answer takes up; `named_in` the text whose words may name
    tools, empty after a tool result. `schema` None: plain text. `limit` in tokens.
    """

    model: str
    prompt: Prompt
    last: str
    named_in: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"  # auto | none | required
    parallel: bool = True
    schema: Any = None
    limit: int | None = None
    stops: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    echo: str = ""  # to be repeated before the answer


class End(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOLS = "tools"


class ToolCall(msgspec.Struct, frozen=True):
    """A call with its JSON arguments in tokens; joined, they are the JSON."""

    name: str
    pieces: list[str]

    @property
    def arguments(self) -> str:
        """The JSON text."""
        return "".join(self.pieces)


class Turn(msgspec.Struct, frozen=True):
    """An answer: text in tokens, or tool calls. `stopped_by`: the stop sequence found."""

    pieces: list[str]
    calls: list[ToolCall]
    end: End
    stopped_by: str | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """Output tokens; a call's name counts as one."""
        return len(self.pieces) + sum(1 + len(call.pieces) for call in self.calls)


def answer(ask: Ask) -> list[Turn]:
    """`ask.n` turns. The same conversation, model and seed always get the same."""
    *_, last = ask.prompt.digests([ask.prompt.total])
    origin = blake2b(last + dumps([ask.model, ask.seed]), digest_size=8).digest()
    return [_turn(ask, Random(int.from_bytes(origin) + i)) for i in range(ask.n)]  # noqa: S311 - plausible words, not secrets


def _turn(ask: Ask, dice: Random) -> Turn:
    if calls := _called(ask, dice):
        made = [ToolCall(t.name, pieces(_json(_arguments(t, dice)))) for t in calls]
        return _limited_calls(made, ask.limit)
    text = speech(dice, ask.last) if ask.schema is None else _json(example(ask.schema, dice))
    text, stopped_by = _stopped(text, ask.stops)
    end = End.STOP if stopped_by is None else End.STOP_SEQUENCE
    said = pieces(text)
    if ask.limit is not None and len(said) > ask.limit:
        said, end, stopped_by = said[: ask.limit], End.LENGTH, None
    return Turn(said, [], end, stopped_by)


def _called(ask: Ask, dice: Random) -> Sequence[Tool]:
    if not ask.tools or ask.choice == "none":
        return ()
    found = [(_mentioned(tool.name, ask.named_in), tool) for tool in ask.tools]
    named = [tool for at, tool in sorted(found, key=itemgetter(0)) if at >= 0]
    if not named and ask.choice == "required":
        named = [dice.choice(ask.tools)]
    return named if ask.parallel else named[:1]


def _mentioned(name: str, text: str) -> int:
    """Where the text has the name as a whole word; -1 where it has not."""
    if name not in text:
        return -1
    match = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
    return -1 if match is None else match.start()


def _arguments(tool: Tool, dice: Random) -> Any:
    made = example(tool.schema, dice) if tool.schema else {}
    return made if isinstance(made, dict) else {}


def _limited_calls(calls: list[ToolCall], limit: int | None) -> Turn:
    left = limit
    kept = []
    for call in calls:
        if left is not None:
            if left < 1 + len(call.pieces):
                kept.append(ToolCall(call.name, call.pieces[: max(0, left - 1)]))
                return Turn([], kept, End.LENGTH)
            left -= 1 + len(call.pieces)
        kept.append(call)
    return Turn([], kept, End.TOOLS)


def _stopped(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop


def _json(value: Any) -> str:
    return dumps(value).decode("utf-8", "surrogatepass")
