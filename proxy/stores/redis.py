"""Entries in Redis 6 or later, which expires them; how much it keeps is its own setting.

One key per entry, `penstock:{space}:{tenant}:{key}`, the names percent-encoded so that no
name can hold a separator or a glob, the key in hex. The value is a length, the entry's
fields other than the value with the seal, and the value, so that a purge by model need not
read whole values. Purges are told in a stream. Clocks of all hosts are taken to agree.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from policies.base.ports import Entry
from proxy.stores.tier import Match, Purge, Slot, StoreError, live, seal

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PREFIX = "penstock"
_STREAM = "penstock:purges"
_KEPT_PURGES = 10_000
_PAGE = 500  # keys of one step of a purge
_HEAD = 1024  # bytes that hold a head, unless the model's name is absurdly long
_CONNECTIONS = 64
_PATIENT = 5.0  # seconds for one step of a purge


class _Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    stored: float
    expires: float
    model: str
    seal: bytes


_decode = msgspec.msgpack.Decoder(_Head).decode
_NOWHERE = Slot("", "", b"")


class RedisTier:
    """`budget`: seconds within which a read must be answered; a write gets ten times that."""

    name = "redis"

    def __init__(self, url: str, budget: float = 0.05) -> None:
        self._url = url
        self._budget = budget
        self._client: Redis | None = None
        self._told = b"0"  # id of the last purge that `purges` has returned

    async def setup(self) -> None:
        """Prepare to connect; the first request does. Raises `ValueError` for a bad URL."""
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - heavy, optional
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - same
        from redis.backoff import NoBackoff  # noqa: PLC0415 - same
        from redis.exceptions import ConnectionError as LostConnection  # noqa: PLC0415 - same

        pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=_CONNECTIONS,
            timeout=_PATIENT,
            socket_timeout=_PATIENT,
            socket_connect_timeout=_PATIENT,
            # Once more on a new connection: a pooled one may have gone stale.
            retry=Retry(NoBackoff(), 1, supported_errors=(LostConnection,)),
            protocol=2,
        )
        self._client = Redis.from_pool(pool)

    async def aclose(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def lacks(self, slot: Slot) -> bool:  # noqa: ARG002 - the port's
        """Only Redis knows."""
        return False

    async def get(self, slot: Slot) -> Entry | None:
        """The live entry; one that does not fit its seal is deleted."""
        async with asyncio.timeout(self._budget):
            text: bytes | None = await self._connected().get(_key(slot))
        if text is None:
            return None
        entry = _unpack(slot, text)
        if entry is None:
            await self.delete(slot)
        return live(entry, time.time())

    async def put(self, slot: Slot, entry: Entry) -> None:
        """Keep the entry until it expires."""
        left = int((entry.expires - time.time()) * 1000) if entry.expires else None
        if left is not None and left <= 0:
            await self.delete(slot)
            return
        async with asyncio.timeout(10 * self._budget):
            await self._connected().set(_key(slot), _pack(slot, entry), px=left)

    async def delete(self, slot: Slot) -> None:
        """Forget the entry, if there is one."""
        async with asyncio.timeout(10 * self._budget):
            await self._connected().delete(_key(slot))

    async def purge(self, match: Match) -> int:
        """Tell the other processes, then walk the keys and remove what fits."""
        client = self._connected()
        made = Purge(match, time.time())
        text = msgspec.msgpack.encode(made)
        await client.xadd(_STREAM, {"purge": text}, maxlen=_KEPT_PURGES)
        pattern = ":".join([_PREFIX, _glob(match.space), _glob(match.tenant), "*"])
        removed = cursor = 0
        while True:
            cursor, keys = await client.scan(cursor, match=pattern, count=_PAGE)
            meant = await self._meant(keys, made)
            removed += await client.unlink(*meant) if meant else 0
            if not cursor:
                return removed

    async def size(self) -> tuple[int, int]:
        """Keys and bytes of the whole Redis database, which may hold others' too."""
        client = self._connected()
        keys, told, memory = await asyncio.gather(
            client.dbsize(), client.exists(_STREAM), client.info("memory")
        )
        return int(keys - told), int(memory["used_memory"])

    async def purges(self) -> list[Purge]:
        """Purges made by any process since the last call."""
        async with asyncio.timeout(10 * self._budget):
            streams = await self._connected().xread({_STREAM: self._told})
        told = [made for _, entries in streams for made in entries]
        if told:
            self._told = told[-1][0]
        return [msgspec.msgpack.decode(fields[b"purge"], type=Purge) for _, fields in told]

    def _connected(self) -> Any:
        """The client; its annotations cannot tell that it was made to answer in bytes."""
        if self._client is None:
            raise StoreError("the store is not open")
        return self._client

    async def _meant(self, keys: list[bytes], made: Purge) -> list[bytes]:
        """Those of the keys whose entries fit; space and tenant SCAN has seen to."""
        if made.match.model is None and made.match.older_than is None:
            return keys
        reads = self._connected().pipeline(transaction=False)
        for key in keys:
            reads.getrange(key, 0, _HEAD - 1)
        texts: list[bytes] = await reads.execute() if keys else []
        rest = Match(model=made.match.model, older_than=made.match.older_than)
        meant = []
        for key, start in zip(keys, texts, strict=True):
            text = start if len(start) < _HEAD else await self._whole_head(key, start)
            found = _split(text)
            # What cannot be read cannot be kept out of a purge either.
            if found is None or rest.fits(_NOWHERE, _entry(*found), made.at):
                meant.append(key)
        return meant

    async def _whole_head(self, key: bytes, start: bytes) -> bytes:
        end = 4 + int.from_bytes(start[:4], "big")
        if end <= len(start):
            return start
        text: bytes = await self._connected().getrange(key, 0, end - 1)
        return text


def _key(slot: Slot) -> str:
    return f"{_PREFIX}:{_quoted(slot.space)}:{_quoted(slot.tenant)}:{slot.key.hex()}"


def _glob(name: str | None) -> str:
    return "*" if name is None else _quoted(name)


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _pack(slot: Slot, entry: Entry) -> bytes:
    head = msgspec.msgpack.encode(
        _Head(entry.stored, entry.expires, entry.model, seal(slot, entry))
    )
    return len(head).to_bytes(4, "big") + head + entry.value


def _split(text: bytes) -> tuple[_Head, bytes] | None:
    """The head and what there is of the value; None when it is not one of ours."""
    end = 4 + int.from_bytes(text[:4], "big")
    try:
        return _decode(text[4:end]), text[end:]
    except msgspec.DecodeError:
        return None


def _entry(head: _Head, value: bytes) -> Entry:
    return Entry(value, head.stored, head.expires, head.model)


def _unpack(slot: Slot, text: bytes) -> Entry | None:
    found = _split(text)
    if found is None:
        return None
    entry = _entry(*found)
    return entry if seal(slot, entry) == found[0].seal else None
