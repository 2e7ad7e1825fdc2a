"""Which boundaries of a prompt are followed: where many prompts part, and where requests end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.base.prompt import Block, Reading

# Boundaries counted from the start, the same in all prompts that share them: close at first,
# then a third further on each time.
_DENSE = 8
_FOLLOWED = {*range(_DENSE), *(int(_DENSE * (4 / 3) ** step) for step in range(24))}


class Boundaries(msgspec.Struct, frozen=True, gc=False):
    """Block numbers, ascending, with the bytes (`sizes`) up to each end of them, `total` in all.

    Of them, as numbers in `blocks`, -1 where there is none: the `tail` where this request
    ends, the `previous` request's tail, the last `head` before the messages. `tools`:
    whether the prompt has any.
    """

    blocks: tuple[int, ...]
    sizes: tuple[int, ...]
    total: int
    tail: int
    previous: int
    head: int
    tools: bool


class _Walk:
    """Steps over blocks, and goes on where the walk over the turn before has ended."""

    __slots__ = ("head", "places", "sizes", "tail", "turns")

    def __init__(self, before: _Walk | None, *, turns: bool) -> None:
        self.turns = turns
        self.sizes: list[int] = [] if before is None else before.sizes.copy()
        self.places: list[int] = [] if before is None else before.places.copy()
        self.head: int = -1 if before is None else before.head
        self.tail: int = -1 if before is None else before.tail

    def over(self, found: Sequence[Block]) -> None:
        """Those that were not stepped over yet."""
        last = len(found) - 1
        begun = len(self.sizes)
        total = self.sizes[-1] if begun else 0
        for number, block in enumerate(found[begun:], begun):
            total += block.size
            self.sizes.append(total)
            if block.place != "message":
                self.head = number
                if block.place == "tools" and number < last and found[number + 1].place == "tools":
                    continue  # of the tools, the last stands for all
            if block.markable or (self.turns and block.turn_end):
                self.places.append(number)
                if block.turn_end or not self.turns:
                    self.tail = number


def boundaries(found: Sequence[Block], *, turns: bool, read: Reading | None = None) -> Boundaries:
    """`turns`: the ends of turns are boundaries even where no mark can stand on them.

    `read`: the body with these blocks, if it is known to go on from another.
    """
    before = None if read is None else read.earlier.get(_Walk)
    usable = isinstance(before, _Walk) and before.turns is turns
    walk = _Walk(before if isinstance(before, _Walk) and usable else None, turns=turns)
    walk.over(found)
    if read is not None:
        read.notes[_Walk] = walk
    sizes, head, tail = walk.sizes, walk.head, walk.tail
    previous = _previous(found, tail)
    kept = {place for count, place in enumerate(walk.places) if count in _FOLLOWED}
    kept |= {head, tail, previous} - {-1}
    blocks = tuple(sorted(kept))
    order = {-1: -1, **{block: number for number, block in enumerate(blocks)}}
    return Boundaries(
        blocks=blocks,
        sizes=tuple([sizes[number] for number in blocks]),
        total=sizes[-1] if sizes else 0,
        tail=order[tail],
        previous=order[previous],
        head=order[head],
        tools=bool(found) and found[0].place == "tools",
    )


def _previous(found: Sequence[Block], tail: int) -> int:
    """The end of the last turn that a reply of the model stands after; -1 without one."""
    replied = False
    last = -1  # messages are numbered from 0
    for number in range(tail, -1, -1):
        block = found[number]
        if block.place != "message":
            break
        if block.index == last:
            continue
        last = block.index
        if not block.turn_end:
            replied = replied or number < tail
        elif replied:
            return number
    return -1
