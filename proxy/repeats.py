"""What was read in a request body is remembered for when the same bytes come again.

A repeat is the cache's best customer: it should not have to be parsed to be recognised.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.errors import MalformedBody
from policies.base.fingerprint import DECISIVE_FIELDS, FORM
from policies.base.prompt_memo import Memo
from proxy.errors import BadRequest
from proxy.histories import Histories
from proxy.wire import envelope
from proxy.wire.envelope import Envelope

_REMEMBERED = 2048  # bodies, a kilobyte each; and as many older ones
_LARGEST = 1024  # characters of what is remembered of one, as far as its client chooses them
_SAMPLE = 256  # bytes
_QUICK = 128 * 1024  # bytes that are read in a millisecond


class _Known(msgspec.Struct, frozen=True, gc=False):
    raw: bytes  # SHA-256 of the whole text
    canonical: bytes | None
    fields: dict[str, object]
    envelope: Envelope


class Repeats:
    """Reads bodies; those seen twice are known the third time by their SHA-256 alone.

    Only a body whose sample was seen before is hashed whole, since most never come again.
    """

    def __init__(self) -> None:
        self._histories = Histories()
        self._seen: Memo[tuple[Dialect, bytes, bytes], _Known | Literal["once"]] = Memo(_REMEMBERED)

    def read(self, dialect: Dialect, body: Body) -> Envelope:
        """As `envelope.read`, with the same errors."""
        text, seen = body.raw, self._seen
        sample = (dialect, text[-_SAMPLE:], text[:: len(text) // _SAMPLE + 1])
        known = seen.get(sample)
        if known is None:
            seen.put(sample, "once")
            return self.read_new(dialect, body)
        digest = sha256(text).digest()
        if known != "once" and known.raw == digest:
            body.recall(known.fields, FORM, known.canonical)
            return known.envelope
        found = self.read_new(dialect, body)
        fields = {name: body.field(name) for name in DECISIVE_FIELDS}
        if len(repr(fields)) <= _LARGEST:
            seen.put(sample, _Known(digest, body.digest(FORM), fields, found))
        return found

    def is_quick(self, text: bytes) -> bool:
        """Whether reading a body takes less than a millisecond: else it is for a thread."""
        return len(text) <= _QUICK or len(text) - self._histories.known(text) <= _QUICK

    def read_new(self, dialect: Dialect, body: Body) -> Envelope:
        """As `read`, of a body that is not looked for among those seen before."""
        try:
            self._histories.read(body)
        except MalformedBody as error:
            raise BadRequest(error.message, param=error.param) from None
        return envelope.read(dialect, body)
