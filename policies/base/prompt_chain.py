"""The prompt's blocks, read from a body: each with a digest of all that stands before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Raw

from policies.base.call import Dialect
from policies.base.prompt_memo import Memo
from policies.base.prompt_parts import Part, Unknown, item, message, system, tools, written
from policies.base.spans import Path

Place = Literal["tools", "system", "message"]

_PIECE = 2048  # bytes of a completion prompt in one block, up to twice that to end a line
_REMEMBERED = 8192  # blocks of either generation that are kept at hand, 4 MB or so
_NONE = Raw(b"null")
_ABSENT = Raw(b"")


class Block(msgspec.Struct, frozen=True, gc=False):
    """One tool, instruction, content part, tool call or piece of a completion prompt.

    Messages by the system or developer before all others have the place `system`. `index`
    numbers the tool or message; `path` leads to the JSON value, whose text has `size` bytes,
    marks aside. `chain` is a 16-byte digest of this and every block before it. A block is
    `markable` where its dialect has a place for a mark on it, and `marked` where the client
    has set one. `turn_end`: the last block of a message by a user or tool. `offset`: where a
    message's content begins in its JSON text, if it is a string and easily found.
    """

    place: Place
    index: int
    path: Path
    size: int
    chain: bytes
    markable: bool = False
    marked: bool = False
    turn_end: bool = False
    offset: int | None = None


class Fields(msgspec.Struct, gc=False):
    """The top-level values that make the prompt or steer its caching, as JSON text."""

    messages: list[Raw] | None = None
    input: Raw = _NONE
    tools: Raw = _NONE
    functions: Raw = _NONE
    response_format: Raw = _NONE
    text: Raw = _NONE
    system: Raw = _NONE
    instructions: Raw = _NONE
    previous_response_id: Raw = _NONE
    conversation: Raw = _NONE
    prompt: Raw = _NONE
    cache_control: Raw = _ABSENT
    cache_salt: Raw = _ABSENT
    prompt_cache_key: Raw = _ABSENT
    prompt_cache_options: Raw = _ABSENT
    prompt_cache_retention: Raw = _ABSENT

    def has(self, name: str) -> bool:
        """Whether the client has sent the field, if only as null."""
        return getattr(self, name) is not _ABSENT


Read = tuple[Fields | None, tuple[Block, ...] | None]

read_fields = msgspec.json.Decoder(Fields).decode
_list = msgspec.json.Decoder(list[Raw]).decode


def parsed(dialect: Dialect, raw: bytes) -> Read:
    """The top-level values and the blocks of a body; None where its shape is not known."""
    reader = _readers.get(dialect)
    if reader is None:
        return None, None
    try:
        top = read_fields(raw)
        if not raw.isascii():
            raw.decode()  # a lenient reader may see other text in broken UTF-8
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    try:
        return top, tuple(reader(top))
    except (Unknown, msgspec.MsgspecError, RecursionError):
        return top, None


def digest(*parts: bytes | Raw) -> bytes:
    """16 bytes that name a sequence of JSON texts."""
    return sha256(b"\0".join(parts)).digest()[:16]  # no JSON text holds a NUL


class Chain:
    """Blocks in order. What was read before after the same blocks is not read again."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.last = digest(dialect.encode())
        self.opened = False  # a message by somebody else than the system was read

    def grow(self, place: Place, raw: Raw, read: Reader, *at: str | int) -> Sequence[Block]:
        """The blocks that `read` finds in `raw`, which is the value at `at`."""
        key = (self.last, read, hash(bytes(raw)))
        found = _memo.get(key)
        if found is None:
            found = tuple(self._blocks(place, read(self.dialect, raw), at))
            _memo.put(key, found, len(found))
        if found:
            self.last = found[-1].chain
            self.opened = self.opened or found[-1].place == "message"
        return found

    def messages(self, raws: Sequence[Raw], first: int = 0) -> list[Block]:
        """As `grow` for each message of a list from `first` on: a loop of few steps."""
        made: list[Block] = []
        for index, raw in enumerate(raws, first):
            found = _memo.young.get((self.last, message, hash(bytes(raw))))
            if found:
                self.last = found[-1].chain
                made += found
            else:
                self.opened = self.opened or any(block.place == "message" for block in made)
                made += self.grow("message", raw, message, "messages", index)
        return made

    def _blocks(self, place: Place, parts: Sequence[Part], at: Path) -> Iterator[Block]:
        chain = self.last
        number = at[1] if len(at) > 1 else 0
        for part in parts:
            chain = digest(chain, *part.identity)
            yield Block(
                "system" if part.instructs and not self.opened else place,
                int(number) if part.index is None else part.index,
                *((*at, *part.path), part.size, chain),
                *(part.markable, part.marked, part.turn_end),
                offset=part.offset,
            )


Reader = Callable[[Dialect, Raw], Sequence[Part]]


# By the chain of what stands before and Python's hash of the text. That hash is fast, keyed by
# a secret of the process, and has 64 bits: should two texts behind the same prompt ever share
# it, a mark is misplaced, and no answer.
_memo: Memo[tuple[bytes, Reader, int], tuple[Block, ...]] = Memo(_REMEMBERED)


def _conversation(dialect: Dialect, top: Fields) -> Iterator[Block]:
    """Chat and messages: tools, answer format, system, messages."""
    if not top.messages:
        raise Unknown
    chain = Chain(dialect)
    yield from chain.grow("tools", top.tools, tools, "tools")
    if dialect is Dialect.CHAT:
        yield from chain.grow("tools", top.functions, tools, "functions")
        yield from chain.grow("tools", top.response_format, _whole, "response_format")
    else:
        yield from chain.grow("system", top.system, system, "system")
    yield from chain.messages(top.messages)


def _responses(top: Fields) -> Iterator[Block]:
    chain = Chain(Dialect.RESPONSES)
    yield from chain.grow("tools", top.tools, tools, "tools")
    yield from chain.grow("tools", top.text, _whole, "text")
    yield from chain.grow("system", top.instructions, system, "instructions")
    for name in ("prompt", "conversation", "previous_response_id"):
        yield from chain.grow("system", getattr(top, name), _whole, name)
    given = bytes(top.input)
    if given[:1] == b'"':
        only = Raw(b'{"role":"user","content":' + given + b"}")
        for block in chain.grow("message", only, item, "input"):
            yield msgspec.structs.replace(block, path=("input",), markable=False)
        return
    if given[:1] != b"[":
        raise Unknown
    for index, raw in enumerate(_list(given)):
        yield from chain.grow("message", raw, item, "input", index)


def _whole(dialect: Dialect, raw: Raw) -> Sequence[Part]:  # noqa: ARG001 - as all readers
    """One block of the text as it stands, unless it is null."""
    text = bytes(raw)
    return () if text == b"null" else (Part((b"w", written(text)), (), len(text)),)


def _completions(top: Fields) -> Iterator[Block]:
    text = bytes(top.prompt)
    if text[:1] == b'"':
        yield from _pieces(text, 0, ("prompt",), b"\\n")
    elif text[:1] == b"[":
        found = _list(text)
        if not found:
            raise Unknown
        if bytes(found[0])[:1] not in b'"[':
            yield from _pieces(text, 0, ("prompt",), b",")
            return
        for index, raw in enumerate(found):
            border = b"\\n" if bytes(raw)[:1] == b'"' else b","
            yield from _pieces(bytes(raw), index, ("prompt", index), border)
    else:
        raise Unknown


def _pieces(text: bytes, index: int, path: Path, border: bytes) -> Iterator[Block]:
    """A prompt cut at borders that depend on what stands before them only."""
    chain = digest(Dialect.COMPLETIONS.encode())
    at = 0
    end = len(text) - 1  # the closing quote or bracket is no part of a longer prompt
    while at < end:
        cut = text.find(border, at + _PIECE, at + 2 * _PIECE)
        cut = min(end, at + 2 * _PIECE if cut < 0 else cut + len(border))
        chain = digest(chain, text[at:cut])
        yield Block("message", index, path, cut - at, chain)
        at = cut


_readers: dict[Dialect, Callable[[Fields], Iterator[Block]]] = {
    Dialect.CHAT: lambda top: _conversation(Dialect.CHAT, top),
    Dialect.MESSAGES: lambda top: _conversation(Dialect.MESSAGES, top),
    Dialect.RESPONSES: _responses,
    Dialect.COMPLETIONS: _completions,
}
