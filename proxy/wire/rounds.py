"""Replies in which the model may call a tool that the client does not know.

The model may call it, be answered and go on, several times within one request of the client:
each time is a round. What is common to the dialects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from policies.base.local_tool import Said
from proxy.wire.sse import Event

Members = dict[str, Any]

LIMIT = "max_output_tokens"  # Responses' word for a reply that was not carried on


class Call(NamedTuple):
    """A call of the tool: its id, and the JSON text of its arguments."""

    id: str
    arguments: str


class Calls(NamedTuple):
    """What one round calls. `others`: tools of the client. `whole`: the reply ended by itself."""

    own: Sequence[Call]
    others: bool
    whole: bool


Answers = Sequence[tuple[Call, Said]]


class Relay(Protocol):
    """Lets the frames of a stream through, round by round, less the calls of one tool.

    `over`: the round at hand has had its last event. `failed`: it has told an error, which is not
    shown as long as it may be replaced. `events`: those of this round, as they came.
    """

    over: bool
    failed: bool
    events: list[Event]

    @property
    def own(self) -> bool:
        """The round at hand calls the tool, or something that may still become its name."""

    @property
    def begun(self) -> bool:
        """The client has been shown something of the round at hand."""

    @property
    def whole(self) -> bool:
        """The round at hand has said how it ends."""

    def feed(self, frame: bytes) -> bytes:
        """What passes to the client at once."""

    def again(self) -> bytes:
        """The round is over and another follows."""

    def same(self) -> Members:
        """What the client has been told of the reply as a whole, and must find in its end."""

    def broken(self) -> bytes:
        """There will be no more: what an error must not come without."""

    def end(self, shown: Members | None, *, cut: bool) -> bytes:
        """The last round is over: what was held, in accord with the plain reply `shown`.

        None: as the upstream sent it. `cut`: the model was not answered any more.
        """


class Form(Protocol):
    """A dialect. Raises `CannotRender` for shapes that it does not know."""

    field: str  # the request's list of messages
    silence: Any  # the `tool_choice` that allows none

    def plain(self, events: list[Event]) -> Members:
        """The plain reply that a stream amounts to."""

    def calls(self, doc: Members, name: str) -> Calls:
        """What a plain reply calls."""

    def turn(self, doc: Members) -> list[Members]:
        """A reply as it stands in the next prompt."""

    def results(self, answers: Answers) -> list[Members]:
        """Answers as they stand in the next prompt."""

    def beside(self, answers: Answers) -> list[Members]:
        """Answers that must stand at the head of the next message of the client."""

    def shown(self, docs: Sequence[Members], name: str, *, cut: bool) -> Members:
        """All rounds as one reply, without calls of this tool."""

    def relay(self, name: str, *, usage: bool) -> Relay:
        """For a stream; `usage`: the client has asked to be told it."""


class Apart(ABC):
    """A `Form`'s answers where each is a message of its own, behind the reply and nowhere else."""

    @abstractmethod
    def answer(self, call: Call, said: Said) -> Members:
        """The message of one answer."""

    def results(self, answers: Answers) -> list[Members]:
        """As `Form`."""
        return [self.answer(call, said) for call, said in answers]

    def beside(self, answers: Answers) -> list[Members]:  # noqa: ARG002 - they stand alone
        """As `Form`: none."""
        return []


def place(value: Any) -> int:
    """An index; those that are none are all alike, and at least no fault of ours."""
    return value if type(value) is int else -1


def total(docs: Sequence[Members]) -> Any:
    """The usage of all rounds; None where one does not tell, since a part would mislead."""
    told = [doc.get("usage") for doc in docs]
    if not all(isinstance(usage, dict) for usage in told):
        return None
    whole = told[0]
    for usage in told[1:]:
        whole = _sum(whole, usage)
    return whole


def _sum(one: Any, other: Any) -> Any:
    """Counts add up; of all else the last counts."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {
            name: _sum(one[name], value) if name in one else value for name, value in other.items()
        }
    if type(one) in (int, float) and type(other) in (int, float):
        return one + other
    return one if other is None else other
