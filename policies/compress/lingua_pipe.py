"""What Penstock and the process that holds the model say to each other over its pipes.

A frame is its length, four bytes in network order, and a message in MessagePack. The process
first says `Ready` or `Failed`; after that each `Ask` has one `Verdicts`, in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

LARGEST = 1 << 26  # bytes of a message
LENGTH = 4  # bytes


class Start(msgspec.Struct, frozen=True):
    """What the process is started with, as JSON in its only argument.

    `model`: a folder, or the id of a model that the Hugging Face cache has. `rate`: the least
    share of the words that may go which stays. `batch`: chunks that the model reads at once.
    """

    model: str
    device: str
    rate: float
    batch: int


class Shown(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Words of one text, and a byte for each: 1 where it must stay."""

    words: Sequence[str]
    must: bytes


class Ask(msgspec.Struct, frozen=True, tag="ask", gc=False):
    """Asks which of the words stay."""

    texts: Sequence[Shown]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The model is there, on this device."""

    device: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It cannot be loaded; the process ends."""

    why: str


class Verdicts(msgspec.Struct, frozen=True, tag="verdicts", gc=False):
    """For each text a byte for each word: 1 where it stays; None where nothing can be said."""

    texts: Sequence[bytes | None]


Answer = Ready | Failed | Verdicts

_encode = msgspec.msgpack.Encoder().encode
_ask = msgspec.msgpack.Decoder(Ask).decode
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def framed(message: Ask | Answer) -> bytes:
    """The message with its length. Raises `ValueError` for one that is too long."""
    payload = _encode(message)
    if len(payload) > LARGEST:
        raise ValueError(f"a message of {len(payload):,} bytes is more than a frame holds")
    return len(payload).to_bytes(LENGTH, "big") + payload


def length(head: bytes) -> int:
    """The length of the message behind these four bytes. Raises `ValueError` for a foreign one."""
    found = int.from_bytes(head, "big")
    if found > LARGEST:
        raise ValueError("no frame is as long as that")
    return found


def ask(payload: bytes) -> Ask:
    """What Penstock says. Raises `ValueError` where it is something else."""
    return _ask(payload)  # msgspec's errors are ValueErrors


def answer(payload: bytes) -> Answer:
    """What the process says. Raises `ValueError` where it is something else."""
    return _answer.decode(payload)
