"""The form of one text with the fewest tokens, and how a store keeps it."""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from policies.compress import json_compact
from policies.compress.json_exact import minified
from policies.compress.log_stamps import take
from policies.compress.text_choice import choose, decode, normal
from policies.compress.text_measure import Count, tokens

log = logging.getLogger("penstock.compress")

VERSION = 1  # of what a text may become: what an older one has sent is sent no more
LARGEST = 500_000  # characters; of longer texts only JSON is looked at, and up to four times that
_MOST = 32  # conversations in which a text came too late: from then on it does in all
_FEWEST = 8  # lines of a log that somebody pasted
_STAMPED = 0.8  # of its lines have a time


class Rules(NamedTuple):
    """What a form must reach: `min_gain` is a share of the tokens of a text that has enough."""

    min_tokens: int
    min_gain: float


class Form(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a text becomes. `text` is None where it stays; tokens are those before and after.

    `late`: conversations in which the original has been sent and goes on being sent, since
    the form was not there in time. `known` is False as long as that is all there is to say.
    """

    text: str | None = None
    before: int = 0
    after: int = 0
    late: tuple[bytes, ...] = ()
    known: bool = True

    def missed(self, conversation: bytes) -> bool:
        """Whether the original goes in this conversation."""
        return conversation in self.late or len(self.late) >= _MOST

    def without(self, conversation: bytes) -> Form:
        """The same, late in this conversation too."""
        late = tuple(sorted({*self.late, conversation})[:_MOST])
        return msgspec.structs.replace(self, late=late)


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
    """What two workers know of one text; where they differ, the first has it."""
    known = one if one.known else other
    late = tuple(sorted({*one.late, *other.late})[:_MOST])
    return msgspec.structs.replace(known, late=late)


def form(text: str, count: Count, rules: Rules, *, pasted: bool) -> Form:
    """The form of a text. A function of its arguments alone, as long as `count` is one.

    `pasted`: by a user, where only what is JSON or a log throughout may change. Has been
    read back and compared; where anything fails, the text stays.
    """
    try:
        return _form(text, count, rules, pasted=pasted)
    except Exception as error:  # noqa: BLE001 - no codec may cost a client its answer
        log.warning("a text is left as it came: %s", type(error).__name__)
        return AS_IT_CAME


def _form(text: str, count: Count, rules: Rules, *, pasted: bool) -> Form:
    before = tokens(text, count)
    if before < rules.min_tokens:
        return AS_IT_CAME
    short = _shorter(text, count, pasted=pasted)
    if short is None or not short.strip():  # providers refuse parts without any text
        return AS_IT_CAME
    after = tokens(short, count)
    if after >= before or after > before * (1 - rules.min_gain):
        return AS_IT_CAME
    return Form(short, before, after)


def _shorter(text: str, count: Count, *, pasted: bool) -> str | None:
    """JSON as `json_compact` writes it, all else as `text_choice` does."""
    compact = json_compact.encode(text, count, LARGEST)
    if compact is not None:
        return compact
    if len(text) > LARGEST or (text.lstrip()[:1] in ("{", "[") and minified(text) is not None):
        return None
    if pasted and not _is_log(text):
        return None
    chosen = choose(text, count)
    return chosen.text if decode(chosen) == normal(text) else None


def _is_log(text: str) -> bool:
    """Whether nearly every line has a time, the first one included."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < _FEWEST or not take(lines[0])[1]:
        return False
    return len(take(text)[1]) >= _STAMPED * len(lines)
