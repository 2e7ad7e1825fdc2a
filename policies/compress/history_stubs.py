"""Results of tools without their text: what stands there instead, and what that spares.

A stub can have the lines that tell of failures, and name the values and negations of the rest, as
extracts do: else an identifier or a path that the next call needs would be gone with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from policies.base.call import Call, Dialect
from policies.base.ports import Count, fourths
from policies.compress.freeze_memory import Generations
from policies.compress.freeze_places import Message, listing, replaced, with_extracts
from policies.compress.stash_extract import extract
from policies.compress.stash_original import SPACE, name_of, way, way_back

VERSION = 5
_STUB = "[the result of this earlier call is left out; call the tool again if it is needed]"
_STASHED = "[the result of this earlier call is left out. {}.]"  # how to read the original
_SHORT = 0.7  # of the characters of a text: a longer stub is not worth what it hides
_BYTES_PER_TOKEN = 4  # whether a text is long enough must not depend on who counts


class Stub(NamedTuple):
    """A message without its results, None where they are too short; tokens of these.

    They are guessed until they are `counted`: what is sent must not wait for that.
    """

    raw: bytes | None
    results: int = 0
    before: int = 0
    after: int = 0
    counted: bool = True


class Own:
    """The messages of a client's own request, looked through when the first is asked for."""

    def __init__(self, dialect: Dialect, raw: bytes) -> None:
        self._dialect = dialect
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, message: bytes) -> bool:
        return message in self._messages

    @cached_property
    def _messages(self) -> frozenset[bytes]:
        listed = listing(self._dialect, self._raw)
        return frozenset(listed.raws if listed else ())


class Asked(NamedTuple):
    """Whose stubs: `tool` reads what stands in the client's `own` request; "" if there is none."""

    dialect: Dialect
    model: str
    tool: str
    own: Own


def asked(call: Call) -> Asked:
    """Of this call."""
    local = call.local if call.local is not None and call.local.space == SPACE else None
    own = b"" if local is None or call.came is None else call.came.raw
    tool = local.name if local and own else ""
    return Asked(call.dialect, call.model, tool, Own(call.dialect, own))


class Stubs:
    """Makes stubs, and remembers them in `memory` bytes."""

    def __init__(self, min_tokens: int, memory: int, *, names: bool) -> None:
        self._least = max(min_tokens * _BYTES_PER_TOKEN, 3 * len(_STUB))  # of any stub, twice
        self._names = names
        self._known: Generations[tuple[Dialect, str, str, int], Stub] = Generations(memory)

    def new(self, asked: Asked, messages: Sequence[Message]) -> int:
        """The bytes to be read for stubs of those messages that are still to be made."""
        keys = [(*asked[:3], hash(message.raw)) for message in messages]
        pairs = zip(messages, keys, strict=True)
        new = sum(len(one.raw) for one, key in pairs if self._known.get(key) is None)
        return new + len(asked.own) if new and asked.tool else new

    def of(self, asked: Asked, messages: Sequence[Message]) -> list[Stub]:
        """The stub of each message. Takes two milliseconds for 100 KB that are new, or ten."""
        found = []
        guess = fourths(asked.model)
        for message in messages:
            key = (*asked[:3], hash(message.raw))
            stub = self._known.get(key)
            if stub is None:
                stub = self._made(asked, message.raw, guess)
                stub = stub._replace(counted=stub.raw is None)
                self._known.put(key, stub, len(stub.raw or b""))
            found.append(stub)
        return found

    def count(self, asked: Asked, messages: Sequence[Message], count: Count) -> None:
        """Count what was guessed, in a thread."""
        for message in messages:
            key = (*asked[:3], hash(message.raw))
            stub = self._known.get(key)
            if stub is not None and not stub.counted:
                stub = self._made(asked, message.raw, count)
                self._known.put(key, stub, len(stub.raw or b""))

    def _made(self, asked: Asked, raw: bytes, count: Count) -> Stub:
        texts = [
            spot
            for spot in with_extracts(asked.dialect, raw, users=False)
            if len(spot.text) >= self._least
        ]
        tool = asked.tool if texts and raw in asked.own else ""
        pairs = [(spot, self._stub(spot.text, tool)) for spot in texts]
        pairs = [(spot, stub) for spot, stub in pairs if len(stub) <= _SHORT * len(spot.text)]
        new = replaced(raw, {spot.path: stub for spot, stub in pairs}) if pairs else None
        if new is None:
            return Stub(None)
        before = sum(count(spot.text) for spot, _ in pairs)
        return Stub(new, len(pairs), before, sum(count(stub) for _, stub in pairs))

    def _stub(self, text: str, tool: str) -> str:
        """What stands for a text: where a tool can read it, or the original of an extract, how."""
        back = way_back(text) or (tool and way(name_of(text), tool))
        stub = _STASHED.format(back) if back else _STUB
        return f"{stub}\n{extract(text, 0, names=True)[0]}" if self._names else stub
