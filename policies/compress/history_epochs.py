"""Which old results of a conversation are masked: whole groups of them, at times that are kept.

An epoch begins with a request in which results are masked that were sent in full before. What
it masks is stored under the digest of the prompt up to there, and never changes: whoever sends
a prompt that begins so, in whichever process, has the same masked.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from policies.base.call import Call, Dialect
from policies.base.ports import Reader, Store
from policies.base.prompt import blocks
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Message

_ENDS = b"1"  # stored for an epoch
_ASKED = 16  # ends of epochs that are looked for in a request, from the latest


class Group(NamedTuple):
    """The results up to this one, and the key under which it is known that they are masked."""

    messages: Sequence[Message]
    key: bytes


class Begun(NamedTuple):
    """An epoch that is to be stored, or stored again before it is forgotten."""

    key: bytes


class Epochs:
    """Looks epochs up in the tenant's store, and remembers them. `version`: all they depend on."""

    def __init__(self, version: tuple[object, ...], memory: int, ttl: float) -> None:
        self._version = repr(version).encode()
        self._ttl = ttl
        self._known: Generations[tuple[str, bytes], bool] = Generations(memory)

    def groups(
        self, call: Call, messages: Sequence[Message], size: int, read: int
    ) -> list[Group] | None:
        """What may be masked, in steps of `size` results, of which as many are left in full.

        Nothing behind the message `read`. None where the shape of the prompt is not known.
        """
        count = len(messages) // size - 1
        while count > 0 and messages[count * size - 1].number > read:
            count -= 1
        if count <= 0:
            return []
        chains = _chains(call)
        found = []
        for number in range(max(1, count - _ASKED + 1), count + 1):
            masked = messages[: number * size]
            chain = chains.get(masked[-1].number)
            if chain is None:
                return None
            found.append(Group(masked, self._key(call, chain)))
        return found

    async def masked(
        self, call: Call, groups: Sequence[Group], store: Reader, now: float
    ) -> tuple[list[int], Begun | None]:
        """How many of the groups earlier turns may have been sent without, the most last.

        Who goes back may have begun a shorter epoch than one that was there before. With the
        latest one, if it is to be stored again.
        """
        unknown = [one.key for one in groups if not self._known.get((call.tenant, one.key))]
        begun: Begun | None = None
        for key, entry in zip(unknown, await gather(*map(store.get, unknown)), strict=True):
            if entry is not None and entry.value == _ENDS:
                self._known.put((call.tenant, key), True, len(key))
                if 0 < entry.expires < now + self._ttl / 2:
                    begun = Begun(key)
        ends = [self._known.get((call.tenant, one.key)) for one in groups]
        return [0, *(at for at, here in enumerate(ends, 1) if here)], begun

    async def begin(self, call: Call, begun: Begun, store: Store) -> None:
        """From now on the results up to there are masked."""
        self.suppose(call, begun)
        await store.put(begun.key, _ENDS, self._ttl, call.model)

    def suppose(self, call: Call, begun: Begun) -> None:
        """The same, for this process only: in shadow, where nothing is masked."""
        self._known.put((call.tenant, begun.key), True, len(begun.key))

    def _key(self, call: Call, chain: bytes) -> bytes:
        named = b"\0".join((self._version, call.model.encode(errors="replace"), chain))
        return blake2b(named, digest_size=32).digest()


class _Said(msgspec.Struct, gc=False):
    """What tells whose a message is."""

    role: str = ""
    type: str = "message"


_said = msgspec.json.Decoder(_Said).decode
_MODELS = ("_call", "reasoning", "compaction")  # ends of the types of what models write


def answered(dialect: Dialect, raws: Sequence[bytes]) -> int:
    """The number of the last message by the model, -1 where there is none.

    What follows it no model has read yet.
    """
    for number in range(len(raws) - 1, -1, -1):
        try:
            said = _said(raws[number])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        models = dialect is Dialect.RESPONSES and said.type.endswith(_MODELS)
        if models or said.role == "assistant":
            return number
    return -1


def _chains(call: Call) -> Mapping[int, bytes]:
    """For each message, by number, the digest of the prompt up to its end."""
    found = blocks(call) or ()
    return {block.index: block.chain for block in found if block.place == "message"}
