"""What one text becomes, and how a store keeps that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from policies.base.ports import Count

log = logging.getLogger("penstock.compress")

_MOST = 128  # places, the latest at which a text came too late


class Rules(NamedTuple):
    """What a form must reach: `min_gain` is a share of the tokens of a text that has enough."""

    min_tokens: int
    min_gain: float


class Short(NamedTuple):
    """A shorter text, and how many of the compressor's own pieces are not in it any more."""

    text: str
    left_out: int = 0


class Form(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a text becomes. `text` is None where it stays; tokens are those before and after.

    `late`: the latest places where the original has been sent and goes on being sent, since the
    form was not there in time. `known` is False as long as that is all there is to say.
    `left_out` counts the pieces that a compressor leaves out, in units of its own.
    """

    text: str | None = None
    before: int = 0
    after: int = 0
    late: tuple[bytes, ...] = ()
    known: bool = True
    left_out: int = 0

    def missed(self, place: bytes) -> bool:
        """Whether the original goes at this place."""
        return place in self.late

    def without(self, *places: bytes) -> Form:
        """The same, late at these places too."""
        return msgspec.structs.replace(self, late=_latest(self.late, places))


AS_IT_CAME = Form()
UNKNOWN = Form(known=False)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Form).decode


def stored(form: Form) -> bytes:
    """For a store."""
    return _encode(form)


def restored(value: bytes) -> Form:
    """From a store; `UNKNOWN` for bytes that are no form."""
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNKNOWN


def joined(one: Form, other: Form) -> Form:
    """What two workers know of one text; where they differ, the first."""
    known = one if one.known else other
    return msgspec.structs.replace(known, late=_latest(one.late, other.late))


def _latest(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Both, those of `other` last, without the first of too many."""
    return tuple(dict.fromkeys((*one, *other)))[-_MOST:]


def each_once(count: Count) -> Count:
    """Counts no text twice; for the work on one text."""
    counts: dict[str, int] = {}

    def once(text: str) -> int:
        if text not in counts:
            counts[text] = count(text)
        return counts[text]

    return once


def shortened(text: str, count: Count, rules: Rules, make: Callable[[], Short | None]) -> Form:
    """What `make` makes of a text, if the rules are met; the text stays where that fails."""
    try:
        before = count(text)
        short = make() if before >= rules.min_tokens else None
        if short is None or not short.text.strip():  # providers refuse parts without any text
            return AS_IT_CAME
        after = count(short.text)
        if after >= before or after > before * (1 - rules.min_gain):
            return AS_IT_CAME
        return Form(short.text, before, after, left_out=short.left_out)
    except Exception as error:  # noqa: BLE001 - no codec may cost a client its answer
        log.warning("a text is left as it came: %s", type(error).__name__)
        return AS_IT_CAME
