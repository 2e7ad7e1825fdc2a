"""Which old results of a conversation are masked: whole groups of them, at times that are kept.

An epoch begins with a request in which results are masked that were sent in full before. What
it masks is stored under the digest of the prompt up to there, and never changes: whoever sends
a prompt that begins so, in whichever process, has the same masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from policies.base.call import Call, Dialect
from policies.base.ports import Reader, Store
from policies.base.prompt import blocks
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Message

_ASKED = 16  # ends of epochs that are looked for in a request, from the latest


class Group(NamedTuple):
    """The results up to this one, and the key under which it is known that they are masked."""

    messages: Sequence[Message]
    key: bytes


class Begun(NamedTuple):
    """An epoch that is to be stored, or stored again before it is forgotten.

    `instead` of so many results that were masked before it.
    """

    key: bytes
    instead: int


class Epochs:
    """Looks epochs up in the tenant's store, and remembers them. `version`: all they depend on."""

    def __init__(self, version: tuple[object, ...], memory: int, ttl: float) -> None:
        self._version = repr(version).encode()
        self._ttl = ttl
        self._known: Generations[tuple[str, bytes], int] = Generations(memory)

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
    ) -> tuple[int, int, Begun | None]:
        """How many of the groups, the largest first, earlier turns were sent without.

        And how many before that.
        """
        for at in range(len(groups) - 1, -1, -1):
            key = groups[at].key
            before = self._known.get((call.tenant, key))
            if before is not None:
                return at + 1, _number(groups, before), None
            entry = await store.get(key)
            if entry is not None and entry.value.isdigit():
                before = int(entry.value)
                self._known.put((call.tenant, key), before, len(key))
                old = 0 < entry.expires < now + self._ttl / 2
                return at + 1, _number(groups, before), Begun(key, before) if old else None
        return 0, 0, None

    async def begin(self, call: Call, begun: Begun, store: Store) -> None:
        """From now on the results up to there are masked."""
        self._known.put((call.tenant, begun.key), begun.instead, len(begun.key))
        await store.put(begun.key, b"%d" % begun.instead, self._ttl, call.model)

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


def _number(groups: Sequence[Group], results: int) -> int:
    """Which group has so many results, counted from 1; 0 where none has."""
    return next((at for at, one in enumerate(groups, 1) if len(one.messages) == results), 0)


def _chains(call: Call) -> Mapping[int, bytes]:
    """For each message, by number, the digest of the prompt up to its end."""
    found = blocks(call) or ()
    return {block.index: block.chain for block in found if block.place == "message"}
