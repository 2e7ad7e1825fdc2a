"""Templates of several lines: what stands together again and again becomes one line.

A package manager writes four lines a package, a server three a request; their values are
largely the same. As in Re-Pair, neighbours that are frequent become one, round after round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace
from itertools import compress, pairwise
from operator import and_, eq
from typing import NamedTuple

from policies.compress.log_entries import RAW, Entries, Forms
from policies.compress.log_templates import Template

_ROUNDS = 5
_WIDEST = 256  # pairs of values that are compared
_SAMPLE = 16  # occurrences of a pair that are compared
_OFTEN = 4  # occurrences of a pair that earn a template

_Pair = tuple[int, int]


class _Found(NamedTuple):
    """Two templates, the places of entries of the one with one of the other behind it."""

    pair: _Pair
    places: list[int]
    most: int  # characters that joining them can gain


class _Rule(NamedTuple):
    """How two entries become one."""

    template: Template
    equal: tuple[_Pair, ...]  # values of the left and the right that must be
    new: tuple[int, ...]  # values of the right that the left does not have
    gain: int  # characters, about


def joined(entries: Entries, forms: Forms) -> Entries:
    """The same lines in fewer entries; `forms` learns the templates of several lines.

    The entries that are given are used up.
    """
    known: dict[tuple[_Pair, int], _Rule] = {}
    for _ in range(_ROUNDS):
        before = len(entries.templates)
        found = _frequent(entries, forms.templates)
        rules = _best(found, entries.values, forms.templates, known)
        if not rules:
            break
        entries = _apply(entries, rules, forms)
        if len(entries.templates) * 50 > before * 49:
            break
    return entries


def _frequent(entries: Entries, templates: Sequence[Template]) -> list[_Found]:
    """Neighbours that may gain, and at which places."""
    numbers, _, _, joins = entries
    pairs = list(pairwise(numbers))
    uses = Counter(numbers)
    worths: dict[_Pair, int] = {}
    for (one, two), count in Counter(pairs).items():
        if count < _OFTEN or one == two or RAW in (one, two):
            continue
        if count < min(uses[one], uses[two]) // 4:
            continue
        left, right = templates[one], templates[two]
        width = right.width
        if left.loose or right.loose or left.width * width > _WIDEST:
            continue
        if count * _worth(width) >= _legend(left, right):
            worths[one, two] = _worth(width)
    places: dict[_Pair, list[int]] = {pair: [] for pair in worths}
    for place in compress(range(len(pairs)), map(places.__contains__, pairs)):
        if joins[place + 1]:
            places[pairs[place]].append(place)
    return [
        _Found(pair, there, len(there) * worths[pair] - _legend(*(templates[one] for one in pair)))
        for pair, there in places.items()
        if len(there) >= _OFTEN
    ]


def _best(
    found: Sequence[_Found],
    values: Sequence[Sequence[str]],
    templates: Sequence[Template],
    known: dict[tuple[_Pair, int], _Rule],
) -> list[tuple[Sequence[int], _Rule]]:
    """The rules for the neighbours that gain most, each template in one pair only.

    The exact gain is only made out where the most that it can be is more than all others have.
    `known` are the rules by pairs and how many there are.
    """
    heap = [(-each.most, order, False) for order, each in enumerate(found)]
    heapify(heap)
    best: list[tuple[Sequence[int], _Rule]] = []
    taken: set[int] = set()
    while heap and heap[0][0] < 0:
        _, order, exact = heap[0]
        pair, places, _ = found[order]
        if not taken.isdisjoint(pair):
            heappop(heap)
            continue
        key = pair, len(places)
        if key not in known:
            known[key] = _rule(places, values, templates[pair[0]], templates[pair[1]])
        if exact:
            heappop(heap)
            taken.update(pair)
            best.append((places, known[key]))
        else:
            heapreplace(heap, (-known[key].gain, order, True))
    return best


def _worth(equal: int) -> int:
    """Characters that an entry saves by so many values that need not be written again."""
    return 6 + 15 * equal


def _legend(left: Template, right: Template) -> int:
    """Characters of the template that both would make."""
    return sum(map(len, left.literals)) + sum(map(len, right.literals))


def _rule(
    places: Sequence[int], values: Sequence[Sequence[str]], left: Template, right: Template
) -> _Rule:
    """What three of four such pairs have equal, all must, or stay two."""
    sample = places[:: len(places) // _SAMPLE + 1]
    lefts = list(zip(*(values[place] for place in sample), strict=True))
    rights = list(zip(*(values[place + 1] for place in sample), strict=True))
    same = {column: i for i, column in reversed(list(enumerate(lefts)))}
    names: dict[int, int] = {}
    fits = [True] * len(sample)
    for j, column in enumerate(rights):
        if column in same:
            names[j] = same[column]
            continue
        for i, other in enumerate(lefts):
            if sum(map(eq, column, other)) * 4 >= len(sample) * 3:
                names[j] = i
                fits = list(map(and_, fits, map(eq, column, other)))
                break
    equal = tuple((i, j) for j, i in names.items())
    new = tuple(j for j in range(right.width) if j not in names)
    names |= {j: left.width + k for k, j in enumerate(new)}
    literals = (
        *left.literals[:-1],
        left.literals[-1] + "\n" + right.literals[0],
        *right.literals[1:],
    )
    template = Template(literals, (*left.slots, *(names[slot] for slot in right.slots)))
    often = sum(fits) * len(places) // len(sample)
    gain = often * _worth(len(equal)) - _legend(left, right) if often >= _OFTEN else 0
    return _Rule(template, equal, new, gain)


def _apply(entries: Entries, rules: Sequence[tuple[Sequence[int], _Rule]], forms: Forms) -> Entries:
    """With the entries at these places joined with those behind them, where they fit the rule."""
    numbers, values, stamps, joins = entries
    stays = [True] * len(numbers)
    for places, rule in rules:
        number = forms.number(rule.template)
        lefts = [i for i, _ in rule.equal]
        rights = [j for _, j in rule.equal]
        for place in places:
            left, right = values[place], values[place + 1]
            if [left[i] for i in lefts] == [right[j] for j in rights]:
                numbers[place] = number
                values[place] = (*left, *[right[j] for j in rule.new])
                stamps[place] = stamps[place] or stamps[place + 1]
                stays[place + 1] = False
    return Entries(
        list(compress(numbers, stays)),
        list(compress(values, stays)),
        list(compress(stamps, stays)),
        list(compress(joins, stays)),
    )
