"""An event stream cut into its events as they stand on the wire, so that they can pass unread."""

from __future__ import annotations

import re

_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


class Frames:
    """Incremental: any cut into chunks gives the same frames. A frame ends in a blank line."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""  # of an event that is not whole yet

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this chunk completes."""
        found: list[bytes] = []
        searched = max(0, len(self.rest) - 3)
        text = self.rest + chunk
        at = 0
        while (end := _END.search(text, max(at, searched))) is not None:
            found.append(text[at : end.end()])
            at = end.end()
        self.rest = text[at:]
        return found
