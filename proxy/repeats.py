"""What was read in a request body is remembered for when the same bytes come again.

A repeat is the cache's best customer: it should not have to be parsed to be recognised.
"""

from __future__ import annotations

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

_ONCE = 4096  # bodies seen once, a kilobyte each; and as many older ones
_BOUND = 8_000_000  # bytes of bodies seen twice; and as many of older ones
_SAMPLE = 256  # bytes
_OVERHEAD = 2000  # bytes of memory that a body takes besides its text
_QUICK = 128 * 1024  # bytes that are read in a millisecond

_Sample = tuple[Dialect, int, bytes, bytes]


class _Known(msgspec.Struct, frozen=True, gc=False):
    text: bytes
    digest: bytes | None
    fields: dict[str, object]
    envelope: Envelope


class Repeats:
    """Reads bodies; those seen twice are known the third time by their text alone.

    Only a text whose sample was seen before is kept, since most never come again.
    """

    def __init__(self) -> None:
        self._histories = Histories()
        self._once: Memo[_Sample, bool] = Memo(_ONCE)
        self._known: Memo[_Sample, _Known] = Memo(_BOUND)

    def read(self, dialect: Dialect, body: Body) -> Envelope:
        """As `envelope.read`, with the same errors."""
        text = body.raw
        size = len(text)
        sample = (dialect, size, text[-_SAMPLE:], text[:: size // _SAMPLE + 1])
        known = self._known.get(sample)
        if known is not None and known.text == text:
            body.recall(known.fields, FORM, known.digest)
            return known.envelope
        found = self.read_new(dialect, body)
        if self._once.get(sample) is None:
            self._once.put(sample, True)
        else:
            fields = body.fields(DECISIVE_FIELDS)
            known = _Known(text, body.digest(FORM), fields, found)
            self._known.put(sample, known, size + _OVERHEAD)
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
