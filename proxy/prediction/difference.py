"""Where a prompt first differs from the closest one that was sent before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from policies.base.prompt import Block
from proxy.prediction.layout import Layout, Span
from proxy.prediction.memory import Sent

Kind = Literal["changed", "inserted", "removed", "parameter", "new"]
Place = Literal["tools", "system", "message", "parameter"]

_FURTHEST = 8  # blocks that may have come or gone together
_ALIKE = 3  # blocks of the same sizes that show it
_TELLING = 64  # bytes that these must have


class Difference(msgspec.Struct, frozen=True):
    """The first difference. `name`: the top-level field in which it is; `index`: the item.

    `here` are bytes of this body, `there` of the earlier one; None where it has nothing
    there. `changed`: a block differs; `inserted` and `removed`: a few blocks have come or
    gone, judging by the sizes of those after them; `parameter`: a field outside the prompt;
    `new`: nothing is shared, or nothing was sent.
    """

    kind: Kind
    place: Place
    index: int
    name: str
    here: Span | None
    there: Span | None


def in_blocks(
    found: Sequence[Block], where: Layout, shared: int, earlier: Sent | None
) -> Difference:
    """That after the first `shared` blocks, which must not be all."""
    block = found[shared]
    there: Span | None = None
    kind: Kind = "changed" if shared else "new"
    if earlier is not None:
        if shared < len(earlier.blocks):
            there = earlier.layout.span(shared, earlier.blocks)
        if shared:
            kind = _moved(_sizes(found, shared), _sizes(earlier.blocks, shared))
    here = where.span(shared, found)
    return Difference(kind, block.place, block.index, str(block.path[0]), here, there)


def in_parameters(where: Layout, earlier: Sent, names: Sequence[str]) -> Difference:
    """That in the first of the parameters `names`, which differ."""
    name = names[0]
    here, there = where.values.get(name), earlier.layout.values.get(name)
    return Difference("parameter", "parameter", 0, name, here, there)


def _sizes(found: Sequence[Block], start: int) -> list[int]:
    return [block.size for block in found[start : start + _FURTHEST + _ALIKE]]


def _moved(here: list[int], there: list[int]) -> Kind:
    for step in range(1, _FURTHEST + 1):
        if _alike(here, there[step:]):
            return "removed"
        if _alike(here[step:], there):
            return "inserted"
    return "changed"


def _alike(one: list[int], other: list[int]) -> bool:
    """Whether blocks of these sizes are likely the same ones."""
    count = min(len(one), len(other), _ALIKE)
    return count > 1 and one[:count] == other[:count] and sum(one[:count]) >= _TELLING
