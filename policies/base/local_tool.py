"""A tool that the model may call and that Penstock answers itself, unseen by the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from policies.base.ports import Store
    from policies.base.usage import Usage


class Said(NamedTuple):
    """What the model is told. `failed`: it asked for what there is not, and is told so."""

    text: str
    failed: bool = False


class LocalTool(Protocol):
    """One request's view of such a tool; its definition stands in the request's body already.

    `rounds`: how often the model may be answered within one request. `ttl`: seconds without
    use for which the rounds of a conversation are remembered. `space`: whose store it reads.
    `extra`: tokens that answering it took, once it is known: those of all rounds less the
    input of the first and the output of the last. They are no part of what an edit saves.
    `spent`: what was told of the rounds that are over, which is paid for whatever follows.
    """

    name: str
    space: str
    rounds: int
    ttl: float
    extra: int
    spent: Usage | None

    async def answer(self, arguments: str, store: Store) -> Said:
        """The result of a call with this JSON text of arguments. Never raises for its sake."""
