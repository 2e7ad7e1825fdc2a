"""Originals: how they are named, where they are kept, and how the model is given one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from policies.base.call import Dialect
from policies.base.local_tool import Said
from policies.base.ports import Store
from policies.base.usage import Usage
from policies.compress.freeze_places import EXTRACT, has, listing, signs, spots

SPACE = "compress.stash"  # whose store originals are kept in
_SIZE = 8  # bytes of a name: of one tenant's texts, no two will ever share one
_marker = re.compile(
    re.escape(EXTRACT)
    + r"[\d,]{1,20} of [\d,]{1,20} parts\. "
    + r"(The original is intact and stored; to read it, call [\w-]{1,64} with"
    + r' {"id": "[0-9a-f]{16}"})\.\]\n'
)
_decode = msgspec.json.Decoder().decode
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class Terms(NamedTuple):
    """What the configuration says of the tool. `page`: characters given at a time."""

    name: str
    rounds: int
    page: int
    ttl: float


def name_of(text: str) -> str:
    """The name of a text, 16 hex digits that depend on nothing but the text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SIZE).hexdigest()


def key_of(name: str) -> bytes:
    """Its key in the tenant's own store."""
    return b"original:" + name.encode()


def way(name: str, tool: str) -> str:
    """How the model reads an original."""
    return f'The original is intact and stored; to read it, call {tool} with {{"id": "{name}"}}'


def marker(name: str, tool: str, shown: int, of: int) -> str:
    """What stands before an extract."""
    return f"{EXTRACT}{shown:,} of {of:,} parts. {way(name, tool)}.]\n"


def way_back(text: str) -> str:
    """What a text that is an extract says of how to read its original; "" where it is none."""
    found = _marker.match(text)
    return found[1] if found else ""


class Original:
    """`LocalTool`: gives originals that stand in a request, or else in the tenant's store.

    `raw`: the body of the request as its client has sent it.
    """

    def __init__(self, terms: Terms, dialect: Dialect, raw: bytes) -> None:
        self.name = terms.name
        self.space = SPACE
        self.rounds = terms.rounds
        self.ttl = terms.ttl
        self.extra = 0
        self.spent: Usage | None = None
        self._longest = terms.page
        self._dialect = dialect
        self._raw = raw

    async def answer(self, arguments: str, store: Store) -> Said:
        """The original, or a page of it; an error that the model can read where there is none."""
        asked = _read(arguments)
        name = asked.get("id")
        if not isinstance(name, str):
            return Said('Error: call this with JSON such as {"id": "0123456789abcdef"}.', True)
        offset, length = asked.get("offset") or 0, asked.get("length") or self._longest
        if any(type(each) is not int or each < 0 for each in (offset, length)):
            return Said("Error: offset and length must be numbers of characters.", True)
        name = name.strip()
        text = await asyncio.to_thread(self._here, name)
        if text is None and len(name) == 2 * _SIZE:
            text = await self._stored(name, store)
        if text is None:
            return Said(
                f"Error: there is no original with the id {name[:64]!r}. Take the id from the"
                " extract as it stands there. If it does, the original is not stored any more:"
                " call the tool again that had returned it.",
                True,
            )
        return await asyncio.to_thread(self._page, text, offset, min(length, self._longest))

    def _here(self, name: str) -> str | None:
        """From the request itself, which mostly holds it."""
        listed = listing(self._dialect, self._raw)
        for raw in listed.raws if listed else ():
            for text in results(self._dialect, raw):
                if name_of(text) == name:
                    return text
        return None

    async def _stored(self, name: str, store: Store) -> str | None:
        """From the store; kept for longer now."""
        entry = await store.get(key_of(name))
        if entry is None:
            return None
        text = entry.value.decode("utf-8", "surrogatepass")
        if name_of(text) != name:
            return None
        if 0 < entry.expires < time.time() + self.ttl / 2:
            await store.put(key_of(name), entry.value, self.ttl, entry.model)
        return text

    def _page(self, text: str, offset: int, length: int) -> Said:
        page = text[offset : offset + length]
        if offset >= len(text) > 0:
            return Said(f"Error: the original has {len(text):,} characters only.", True)
        if len(page) == len(text):
            return Said(text)
        end = offset + len(page)
        more = f" For more, call {self.name} with offset {end}." if end < len(text) else ""
        return Said(f"{page}\n[Characters {offset} to {end} of {len(text)}.{more}]")


def results(dialect: Dialect, raw: bytes) -> Iterator[str]:
    """The texts of tools' results in a message."""
    if has(raw, signs(dialect, users=False)):
        for spot in spots(dialect, raw, users=False):
            yield spot.text


def _read(arguments: str) -> dict[str, Any]:
    try:
        found = _decode(arguments)
    except _MALFORMED:
        return {}
    return found if isinstance(found, dict) else {}
