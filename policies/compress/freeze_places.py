"""Where a request's texts stand that may change, and how other texts are put in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Dialect
from policies.base.canonical import every_key_once
from policies.base.errors import MalformedBody
from policies.base.spans import Path, splice

_LISTS = {
    Dialect.CHAT: b'"messages"',
    Dialect.MESSAGES: b'"messages"',
    Dialect.RESPONSES: b'"input"',
}
_MARKS = (b"cache_control", b"prompt_cache_breakpoint")  # keys by which clients mark
_KEYS = tuple(b'"%b"' % mark for mark in _MARKS)
LONGEST = 2_000_000  # bytes of a message; longer ones are left alone
_END = 64 * 1024  # bytes of a conversation's first message, by which it is known
_TRIES = 8  # places where a list's name stands that are looked at

# What the text of a message with a tool's result holds, and hardly ever one without. Long words
# are found faster than short ones.
_SIGNS = {
    Dialect.CHAT: (b'"tool_call_id"',),
    Dialect.MESSAGES: (b'"tool_result"',),
    Dialect.RESPONSES: (b'_call_output"',),
}
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
_USERS = b'"user"'
_INSTRUCTING = (b'"system"', b'"developer"')
EXTRACT = "[This is an extract: "  # begins a text that `compress.stash` has made: it stays so
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_PARTS = frozenset({"text", "input_text"})
_PART = frozenset({"type", "text"})
_opening = re.compile(rb"\s*:\s*\[\s*")
_between = re.compile(rb"\s*,\s*")
_closing = re.compile(rb"\s*\]")


class _Top(msgspec.Struct, gc=False):
    """What is needed of a request."""

    messages: list[msgspec.Raw] | None = None
    input: list[msgspec.Raw] | str | None = None
    cache_control: dict[str, msgspec.Raw] | None = None


_top = msgspec.json.Decoder(_Top).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Message(NamedTuple):
    """The JSON text of a message, where it begins in that of the request, and its number."""

    raw: bytes
    start: int
    number: int


class Listing(NamedTuple):
    """The JSON texts of all messages, and where each begins."""

    raws: Sequence[bytes]
    starts: Sequence[int]
    free: int = 0  # the first after the last that the client has set a cache mark on

    def holding(self, wanted: Sequence[bytes], first: int = 0) -> list[Message]:
        """The free messages from the `first` on that hold any of `wanted` and are not too long."""
        free = max(first, self.free)
        pairs = zip(self.raws[free:], self.starts[free:], range(free, len(self.raws)), strict=True)
        if len(wanted) == 1:  # as nearly always, and it is asked of every message every turn
            sign = wanted[0]
            found = [Message(*each) for each in pairs if sign in each[0]]
        else:
            found = [Message(*each) for each in pairs if has(each[0], wanted)]
        whole = self.starts[-1] + len(self.raws[-1]) if found else 0
        if whole > LONGEST and any(len(message.raw) > LONGEST for message in found):
            return [message for message in found if len(message.raw) <= LONGEST]
        return found


class Spot(NamedTuple):
    """A text that may change; `pasted`: by a user, else the result of the tool call `call`.

    `about`: what its form depends on besides the text itself, the model and the settings.
    """

    path: Path
    text: str
    pasted: bool
    call: str = ""
    about: tuple[str, ...] = ()


def signs(dialect: Dialect, *, users: bool) -> tuple[bytes, ...]:
    """What to look for in a message: without any of it there is no result, or text of a user."""
    found = _SIGNS.get(dialect, ())
    return (*found, _USERS) if users and found else found


def has(text: bytes, wanted: Sequence[bytes]) -> bool:
    """Whether any of `wanted` is in the text."""
    return any(sign in text for sign in wanted)


def listing(
    dialect: Dialect, raw: bytes, holds: Callable[[bytes], bool] | None = None
) -> Listing | None:
    """The messages of a request; None where the text leaves any doubt of where they are.

    None of them, too, where the client lets the provider mark the end of the prompt. `holds`
    says whether a word stands in `raw`, where there is a faster way than to look for it.
    """
    name = _LISTS[dialect]
    try:
        top = _top(raw)
        found = top.input if name == b'"input"' else top.messages
        if top.cache_control is not None or not isinstance(found, list) or not found:
            return Listing((), ())
        start = _start(name, raw)
    except _MALFORMED:
        return None
    if start is None:
        return None
    marked = any(map(holds or raw.__contains__, _MARKS))  # found faster without the quotes
    return _placed(raw, [bytes(each) for each in found], start, marked=marked)


def extended(earlier: Listing, raw: bytes, start: int, end: int) -> Listing | None:
    """The messages of an `earlier` request, and those from `start` to `end` in `raw` behind them.

    None where these are not some messages with commas between them.
    """
    new = raw[start:end]
    try:
        texts = [bytes(each) for each in _list(b"[" + new + b"]")]
    except _MALFORMED:
        return None
    starts = _starts(raw, texts, start) if texts else None
    if starts is None:
        return None
    known = len(earlier.raws)
    free = _free(texts) if has(new, _MARKS) else 0
    free = known + free if free else earlier.free
    return Listing([*earlier.raws, *texts], [*earlier.starts, *starts], free)


def _start(name: bytes, raw: bytes) -> int | None:
    """Where the list of that name begins, at the top level."""
    at = -1
    for _ in range(_TRIES):
        at = raw.find(name, at + 1)
        if at < 0:
            return None
        try:
            _top(raw[:at] + name + b":[]}")
        except _MALFORMED:  # what comes before is not whole: it is the name of something within
            continue
        opening = _opening.match(raw, at + len(name))
        return opening.end() if opening else None
    return None


def _placed(raw: bytes, texts: Sequence[bytes], start: int, *, marked: bool) -> Listing | None:
    """Where these texts stand, one after the other from `start`; None if they do not."""
    starts = _starts(raw, texts, start)
    if starts is None or not _closing.match(raw, starts[-1] + len(texts[-1])):
        return None
    return Listing(texts, starts, _free(texts) if marked else 0)


def _starts(raw: bytes, texts: Sequence[bytes], start: int) -> list[int] | None:
    """The place of each."""
    gap = _gap(raw, start + len(texts[0])) if len(texts) > 1 else b""
    between = len(gap)  # most clients put the same bytes between all of them
    starts = list(accumulate([start, *[len(text) + between for text in texts[:-1]]]))
    if not all(map(raw.startswith, texts, starts)):
        starts = [start]
        for text in texts[:-1]:
            end = starts[-1] + len(text)
            starts.append(end + len(_gap(raw, end)))
        if not all(map(raw.startswith, texts, starts)):
            return None
    return starts


def _gap(raw: bytes, at: int) -> bytes:
    """What stands between a message that ends at `at` and the next."""
    found = _between.match(raw, at)
    return found[0] if found else b""


def _free(texts: Sequence[bytes]) -> int:
    """The first message after the last with a mark."""
    for index in range(len(texts) - 1, -1, -1):
        if has(texts[index], _KEYS):
            return index + 1
    return 0


def spots(dialect: Dialect, raw: bytes, *, users: bool) -> list[Spot]:
    """The texts of a message that may change; none where it has an odd shape.

    Those of tools' results, and with `users` those of users too; but no extracts.
    """
    found = with_extracts(dialect, raw, users=users)
    return [spot for spot in found if not spot.text.startswith(EXTRACT)]


def with_extracts(dialect: Dialect, raw: bytes, *, users: bool) -> list[Spot]:
    """The same, and what `compress.stash` has made of others."""
    try:
        message = msgspec.json.decode(raw)
        found = list(_spots(dialect, message, users=users))
        # Written again it is the same if it is compact and has no key twice.
        once = found and (msgspec.json.encode(message) == raw or every_key_once(raw))
        return found if once else []
    except (MalformedBody, *_MALFORMED):
        return []


def _spots(dialect: Dialect, message: Any, *, users: bool) -> Iterator[Spot]:
    if not isinstance(message, dict):
        return
    role = message.get("role")
    content = message.get("content")
    if dialect is Dialect.RESPONSES and message.get("type") in _OUTPUTS:
        yield from _texts(message.get("output"), ("output",), message.get("call_id"))
    elif dialect is Dialect.CHAT and role == "tool":
        yield from _texts(content, ("content",), message.get("tool_call_id"))
    elif role == "user" and message.get("type", "message") == "message":
        if users:
            yield from _texts(content, ("content",), None, pasted=True)
        if dialect is Dialect.MESSAGES and isinstance(content, list):
            for index, part in enumerate(content):
                if isinstance(part, dict) and part.get("type") == "tool_result":
                    path = ("content", index, "content")
                    yield from _texts(part.get("content"), path, part.get("tool_use_id"))


def _texts(content: Any, path: Path, call: Any, *, pasted: bool = False) -> Iterator[Spot]:
    """A string, or the plain text parts of a list."""
    call = call if isinstance(call, str) else ""
    if isinstance(content, str):
        yield Spot(path, content, pasted, call)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            if (
                isinstance(part, dict)
                and part.keys() == _PART
                and part["type"] in _PARTS
                and isinstance(part["text"], str)
            ):
                yield Spot((*path, index, "text"), part["text"], pasted, call)


def replaced(raw: bytes, texts: Mapping[Path, str]) -> bytes | None:
    """The message with other texts in these places; None unless all else reads the same."""
    try:
        new = splice(raw, texts)
        doc = msgspec.json.decode(raw)
        for path, text in texts.items():
            at = doc
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = text
        return new if msgspec.json.decode(new) == doc else None
    except (KeyError, *_MALFORMED):
        return None


def conversation(listed: Listing) -> bytes:
    """8 bytes that tell conversations apart by the first message, instructions aside; or none.

    However that is written: some clients write a message otherwise in every turn. Of a long one
    by its ends, as they are.
    """
    first = next((raw for raw in listed.raws if not has(raw, _INSTRUCTING)), None)
    if first is None:
        return b""
    if len(first) > 2 * _END:
        first = first[:_END] + first[-_END:]
    else:
        with suppress(*_MALFORMED):
            first = msgspec.json.encode(msgspec.json.decode(first), order="sorted")
    return blake2b(first, digest_size=8).digest()
