"""Server-sent events as WHATWG HTML section 9.2 reads them, in bytes.

Data stays bytes, since it goes to a JSON parser that checks UTF-8 itself. Line ends within
it are LF, whatever they were on the wire.
"""

from __future__ import annotations

import msgspec

_BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event. `id` is the last event id at that time, as the standard has it."""

    data: bytes
    event: str = "message"
    id: str = ""


class EventTooLong(ValueError):
    """An event went on past the limit without its closing blank line."""


class Parser:
    """Incremental parser: any cut of a stream into chunks gives the same events.

    Holds at most `limit` bytes of an unfinished event; comments before it count.
    """

    __slots__ = ("_after_cr", "_begun", "_id", "_limit", "_pending")

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._begun = False  # the first bytes were looked at for a BOM
        self._after_cr = False
        self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises `EventTooLong`; then the parser is done."""
        if not chunk:
            return []
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return []
        self._after_cr = chunk[-1:] == b"\r"
        pending = self._pending
        searched = max(0, len(pending) - 1)
        pending += _newlines(chunk)
        if not self._begun and len(pending) >= len(_BOM):
            self._begun = True
            if pending.startswith(_BOM):
                del pending[: len(_BOM)]
                searched = 0
        end = pending.rfind(b"\n\n", searched)
        if end < 0:
            self._check(pending)
            return []
        self._begun = True
        blocks = bytes(pending[:end]).split(b"\n\n")
        del pending[: end + 2]
        self._check(pending, *blocks)
        return self._dispatch(blocks)

    def close(self) -> bool:
        """End of the stream. Whether an event was left unfinished; the standard drops it."""
        left = bool(self._pending.strip(b"\n"))
        self._pending.clear()
        return left

    def _check(self, *blocks: bytes | bytearray) -> None:
        for block in blocks:
            if len(block) > self._limit and len(block.strip(b"\n")) > self._limit:
                raise EventTooLong(f"an event of the stream is over {self._limit} bytes")

    def _dispatch(self, blocks: list[bytes]) -> list[Event]:
        found: list[Event] = []
        for block in blocks:
            event, self._id = _read(block, self._id)
            if event is not None:
                found.append(event)
        return found


def events(body: bytes) -> list[Event]:
    """All events of a whole stream; what follows the last blank line is dropped."""
    body = _newlines(body.removeprefix(_BOM))
    blocks = body.split(b"\n\n")
    blocks.pop()
    found: list[Event] = []
    last_id = ""
    for block in blocks:
        if block[:6] == b"data: " and b"\n" not in block:
            found.append(Event(block[6:], "message", last_id))
            continue
        event, last_id = _read(block, last_id)
        if event is not None:
            found.append(event)
    return found


def ended(body: bytes) -> bool:
    """Whether nothing but blank lines and comments follows the last event of a stream."""
    rest = _newlines(body[-4096:]).rpartition(b"\n\n")[2]
    return all(line[:1] in (b"", b":") for line in rest.split(b"\n"))


def encode(data: bytes, event: str | None = None) -> bytes:
    """One event on the wire; `event` must be a single line."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    lines = _newlines(data).replace(b"\n", b"\ndata: ")
    return b"".join((head, b"data: ", lines, b"\n\n"))


def _newlines(data: bytes) -> bytes:
    if b"\r" in data:
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _read(block: bytes, last_id: str) -> tuple[Event | None, str]:
    """The event of the lines between two blank lines, and the last event id after it."""
    data: list[bytes] = []
    name = ""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            last_id = value.decode("utf-8", "replace")
    if not data:
        return None, last_id
    return Event(b"\n".join(data), name or "message", last_id), last_id
