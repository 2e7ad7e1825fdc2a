"""What was said in rounds that the client has not seen, kept for the turns to come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.local_tool import LocalTool
from policies.base.ports import Store
from policies.base.prompt_memo import Memo
from policies.base.spans import members
from proxy.backends.wrap.rounds_prompt import Place, Places

SPACE = "rounds"  # of the store
_MEMORY = 16_000_000  # bytes of either generation
_SURE = 300.0  # seconds for which nothing is taken for nothing: the store may have been down

Bind = Callable[[str, str], Store]  # (space, tenant)
_json = msgspec.json.Encoder().encode


class Unseen(msgspec.Struct, frozen=True, array_like=True):
    """JSON texts: `messages` stand in the place of a reply, `beside` begins what follows it."""

    messages: list[bytes]
    beside: list[bytes] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Unseen).decode
_NOTHING = Unseen([])


class Rounds:
    """Remembers in this process and, for other workers and restarts, in the store."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._places = Places()
        self._known: Memo[tuple[str, bytes], tuple[Unseen, float]] = Memo(_MEMORY)

    async def told(
        self, call: Call, tool: LocalTool, raws: list[bytes], own: list[bytes]
    ) -> tuple[list[bytes], bytes]:
        """The messages as the model has seen them, and what a reply's key goes on from.

        `own`: the messages as the client has sent them, each in the place of the one in `raws`.
        """
        places, chain = self._places.find(call.dialect, _begun(call), own)
        found = [self._known.get((call.tenant, place.key)) for place in places]
        now, half = time.time(), tool.ttl / 2
        wanted = [
            at
            for at, it in enumerate(found)
            if it is None or it[1] < now - (half if it[0].messages else _SURE)
        ]
        looked_up = await asyncio.gather(
            *(self._look_up(call, tool, places[at], last=places[at] is places[-1]) for at in wanted)
        )
        behind = {at: it[0] for at, it in enumerate(found) if it is not None}
        behind |= dict(zip(wanted, looked_up, strict=True))
        left = list(raws)
        for at in range(len(places) - 1, -1, -1):
            _insert(left, places[at], behind[at])
        return left, chain

    async def _look_up(self, call: Call, tool: LocalTool, place: Place, *, last: bool) -> Unseen:
        """What is nothing stays so for a while, unless another worker may be writing it."""
        store, name, now = self._bind(SPACE, call.tenant), (call.tenant, place.key), time.time()
        known = self._known.get(name)
        if known is None or not known[0].messages:
            entry = await store.get(place.key)
            if entry is None and last:
                return _NOTHING
            known = (_NOTHING, now) if entry is None else (_read(entry.value), entry.stored)
            self._put(name, *known)
        unseen, kept = known
        if unseen.messages and now - kept > tool.ttl / 2:
            self._put(name, unseen, now)
            await store.put(place.key, _encode(unseen), tool.ttl, call.model)
        return unseen

    async def keep(
        self, call: Call, chain: bytes, shown: Sequence[dict[str, Any]], unseen: Unseen
    ) -> None:
        """Remember what stands behind a reply; the client does not have its end yet."""
        assert call.local is not None
        key = self._places.key(call.dialect, chain, shown)
        self._put((call.tenant, key), unseen, time.time())
        store = self._bind(SPACE, call.tenant)
        await store.put(key, _encode(unseen), call.local.ttl, call.model)

    async def owe(self, call: Call, shown: Any, answers: Sequence[Any], name: Any) -> None:
        """Remember what the provider has to be told after a reply that it keeps by `name`.

        Only in the Responses API, where a request may name a reply instead of sending it, and
        then by the name under which the client knows it.
        """
        known = shown.get("id")
        if call.dialect is Dialect.RESPONSES and isinstance(known, str) and call.local:
            value = _encode(unseen(answers, [name]))
            store = self._bind(SPACE, call.tenant)
            await store.put(_after(known), value, call.local.ttl, call.model)

    async def owed(self, call: Call) -> tuple[list[bytes], str | None]:
        """Messages to be sent first, and what the provider calls the reply that is named."""
        if call.dialect is not Dialect.RESPONSES:
            return [], None
        named = (call.came or call.body).field("previous_response_id")
        if not isinstance(named, str):
            return [], None
        entry = await self._bind(SPACE, call.tenant).get(_after(named))
        found = _NOTHING if entry is None else _read(entry.value)
        if not found.beside:
            return [], None
        return found.messages, str(msgspec.json.decode(found.beside[0]))

    def _put(self, name: tuple[str, bytes], unseen: Unseen, at: float) -> None:
        size = 200 + sum(map(len, (*unseen.messages, *unseen.beside)))
        self._known.put(name, (unseen, at), size)


def _begun(call: Call) -> str:
    """What the messages of a request go on from: of two replies, the same words may follow."""
    if call.dialect is not Dialect.RESPONSES:
        return call.model
    return f"{call.model}\0{(call.came or call.body).field('previous_response_id')}"


def _after(reply: str) -> bytes:
    return b"after:" + reply.encode(errors="replace")


def unseen(messages: Sequence[Any], beside: Sequence[Any] = ()) -> Unseen:
    """Of JSON values."""
    return Unseen([_json(each) for each in messages], [_json(each) for each in beside])


def _read(value: bytes) -> Unseen:
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _NOTHING


def _insert(raws: list[bytes], place: Place, unseen: Unseen) -> None:
    """Put what was not seen in its place, unless it does not fit what the client has sent."""
    if not unseen.messages:
        return
    if unseen.beside:
        following = _with(raws[place.end], unseen.beside) if place.end < len(raws) else None
        if following is None:
            return
        raws[place.end] = following
    raws[place.start : place.end] = unseen.messages


def _with(raw: bytes, parts: Sequence[bytes]) -> bytes | None:
    """A message whose list of content begins with these parts."""
    for name, start, end in members(raw):
        if name == "content" and raw[start:end][:1] == b"[" and raw[start + 1 : end - 1].strip():
            return b"".join((raw[: start + 1], b",".join(parts), b",", raw[start + 1 :]))
    return None
