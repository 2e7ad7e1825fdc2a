"""What a tier is: entries of every policy and tenant, kept in one place."""

from __future__ import annotations

import fnmatch
from hashlib import blake2b
from typing import Protocol

import msgspec

from policies.base.ports import Entry

_encode = msgspec.msgpack.Encoder().encode


class StoreError(Exception):
    """A tier cannot do what was asked of it."""


class Slot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where an entry lives: the policy that owns it, whose it is, and its key."""

    space: str  # the policy's name, such as "cache.exact"
    tenant: str
    key: bytes


class Match(msgspec.Struct, frozen=True):
    """Which entries to purge; every field given must fit, and none given fits all."""

    tenant: str | None = None
    model: str | None = None  # a glob, case-sensitive
    older_than: float | None = None  # seconds of age
    space: str | None = None

    def fits(self, slot: Slot, entry: Entry, now: float) -> bool:
        """Whether an entry is meant; `now` is the time of the purge."""
        return (
            (self.tenant is None or self.tenant == slot.tenant)
            and (self.space is None or self.space == slot.space)
            and (self.older_than is None or entry.stored <= now - self.older_than)
            and (self.model is None or fnmatch.fnmatchcase(entry.model, self.model))
        )


class Purge(msgspec.Struct, frozen=True):
    """A purge that was made, by whichever process, at the Unix time `at`."""

    match: Match
    at: float

    def took(self, slot: Slot, entry: Entry) -> bool:
        """Whether it removed this entry, or would have, had the entry been in reach."""
        return entry.stored <= self.at and self.match.fits(slot, entry, self.at)


class Tier(Protocol):
    """Keeps entries until they expire, are purged or make room. May raise anything."""

    name: str

    async def get(self, slot: Slot) -> Entry | None:
        """The live entry."""

    async def put(self, slot: Slot, entry: Entry) -> None:
        """Keep the entry in place of what was there. The tier may decline."""

    async def delete(self, slot: Slot) -> None:
        """Forget the entry, if there is one."""

    async def purge(self, match: Match) -> int:
        """Remove what is there now and fits; returns how many entries that were."""

    async def size(self) -> tuple[int, int]:
        """Entries and bytes held."""

    async def setup(self) -> None:
        """Open what the tier needs; must come first."""

    async def aclose(self) -> None:
        """Finish writing and let go."""


class Shared(Tier, Protocol):
    """A tier that several processes share and through which they hear of purges."""

    def lacks(self, slot: Slot) -> bool:
        """Whether it is known at once, without waiting, that there is no entry. Never raises."""

    async def purges(self) -> list[Purge]:
        """Purges made by any process since this was last asked, oldest first."""


def live(entry: Entry | None, now: float) -> Entry | None:
    """The entry unless it has expired."""
    return None if entry is None or 0 < entry.expires <= now else entry


def digest(slot: Slot) -> bytes:
    """Sixteen bytes that stand for a slot: no two slots have been found to share them."""
    return blake2b(_encode(slot), digest_size=16).digest()


def seal(slot: Slot, entry: Entry) -> bytes:
    """Eight bytes that bind an entry to its slot.

    A torn value, or one that a damaged index or a mixed-up connection hands out under
    another tenant's key, does not fit its seal and is not served.
    """
    sealed = blake2b(_encode((slot, entry.stored, entry.expires, entry.model)), digest_size=8)
    sealed.update(entry.value)
    return sealed.digest()
