"""What the store keeps for `prefix.volatile`: which lines move, and what was said of them when."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.base.ports import Entry
from policies.prefix.volatile_learner import Moved


class Template(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Lines that move out of the system prompt whose remainder has the digest `rest`."""

    moved: tuple[Moved, ...]
    rest: bytes

    def indexes(self) -> tuple[int, ...]:
        """The lines' indexes."""
        return tuple(index for index, _, _ in self.moved)


class State(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How a conversation was sent up to a user message.

    `reminders` hold the index of a message and the text that went after it. This is the
    client's own text: it is kept in its tenant's store only, as long as the conversation may
    go on. `at`: Unix seconds of the first request that was sent so.
    """

    template: Template
    at: float
    reminders: tuple[tuple[int, str], ...]


_encode = msgspec.msgpack.Encoder().encode
_templates = msgspec.msgpack.Decoder(tuple[Template, ...]).decode
_state = msgspec.msgpack.Decoder(State).decode


def encoded(value: Any) -> bytes:
    """As the store keeps it."""
    return _encode(value)


def templates(entry: Entry | None) -> tuple[Template, ...]:
    """None of them where the entry is missing or damaged."""
    try:
        return _templates(entry.value) if entry else ()
    except msgspec.MsgspecError:
        return ()


def state(entry: Entry | None) -> State | None:
    """None where the entry is missing or damaged."""
    try:
        return _state(entry.value) if entry else None
    except msgspec.MsgspecError:
        return None
