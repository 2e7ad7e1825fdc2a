"""Messages with their texts, and what they are sent as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from policies.compress.freeze_form import Form
from policies.compress.freeze_places import Message, Spot, replaced


class Sent(NamedTuple):
    """What a message is sent as: `raw` is None where it stays.

    `results`: how many texts have another form; `before` and `after`: their tokens; `left_out`:
    pieces.
    """

    raw: bytes | None
    results: int = 0
    before: int = 0
    after: int = 0
    left_out: int = 0


UNCHANGED = Sent(None)


class Read(NamedTuple):
    """A message with its texts, the key of each in the store, and 8 bytes for where it stands."""

    message: Message
    spots: Sequence[Spot]
    keys: Sequence[bytes]
    places: Sequence[bytes]


def sent_as(found: Sequence[Read], known: Mapping[bytes, Form]) -> list[Sent]:
    """The messages with their texts replaced."""
    return [_message(each, [known[key] for key in each.keys]) for each in found]


def _message(read: Read, forms: Sequence[Form]) -> Sent:
    chosen = [
        (spot.path, one)
        for spot, place, one in zip(read.spots, read.places, forms, strict=True)
        if one.text is not None and not one.missed(place)
    ]
    new = None
    if chosen:
        texts = {path: one.text for path, one in chosen if one.text is not None}
        new = replaced(read.message.raw, texts)
    if new is None:
        return UNCHANGED
    before, after = (
        sum(counts) for counts in zip(*((o.before, o.after) for _, o in chosen), strict=True)
    )
    left_out = sum(one.left_out for _, one in chosen)
    return Sent(new, len(chosen), before, after, left_out)
