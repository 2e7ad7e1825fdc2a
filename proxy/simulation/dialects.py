"""The dialects that generate text, each by the same four functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from policies.base.call import Dialect
from proxy.simulation import chat, completions, messages, response_events, responses
from proxy.simulation.exchange import Exchange
from proxy.simulation.tokens import Encode
from proxy.simulation.turn import Ask, Turn
from proxy.simulation.wire import Frame


class Voice(NamedTuple):
    """What one dialect takes and gives.

    `read` a request (raises `Invalid`), render an answer as it is `heard` in the next prompt,
    and write the reply `whole` or as a `stream`.
    """

    read: Callable[[dict[str, Any], Encode], list[Ask]]
    heard: Callable[[Turn, Encode], bytes]
    whole: Callable[[Exchange], dict[str, Any]]
    stream: Callable[[Exchange], Iterator[Frame]]


VOICES = {
    Dialect.CHAT: Voice(chat.read, chat.heard, chat.whole, chat.stream),
    Dialect.COMPLETIONS: Voice(
        completions.read, completions.heard, completions.whole, completions.stream
    ),
    Dialect.RESPONSES: Voice(
        responses.read, responses.heard, responses.whole, response_events.stream
    ),
    Dialect.MESSAGES: Voice(messages.read, messages.heard, messages.whole, messages.stream),
}
