"""Templates of several lines: what stands together again and again becomes one line.

A package manager writes four lines a package, a server three a request; their values are
largely the same. As in Re-Pair, neighbours that are frequent become one, round after round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from operator import and_, eq
from typing import NamedTuple

from policies.compress.log_entries import RAW, Entry, Forms
from policies.compress.log_templates import Template

_ROUNDS = 5
_WIDEST = 256  # pairs of values that are compared
_SAMPLE = 32  # occurrences of a pair that are compared
_OFTEN = 4  # occurrences of a pair that earn a template

_Pair = tuple[int, int]


class _Rule(NamedTuple):
    """How two entries become one."""

    template: Template
    equal: tuple[_Pair, ...]  # values of the left and the right that must be
    new: tuple[int, ...]  # values of the right that the left does not have
    gain: int  # characters, about


def joined(entries: list[Entry], forms: Forms) -> list[Entry]:
    """The same lines in fewer entries; `forms` learns the templates of several lines."""
    for _ in range(_ROUNDS):
        rules = _rules(entries, forms.templates)
        if not rules:
            break
        numbers = {pair: forms.number(rule.template) for pair, rule in rules.items()}
        before = len(entries)
        entries = _apply(entries, rules, numbers)
        if len(entries) * 50 > before * 49:
            break
    return entries


def _rules(entries: Sequence[Entry], templates: Sequence[Template]) -> dict[_Pair, _Rule]:
    """For the neighbours that gain most, each template in one pair only."""
    rules = {}
    for pair, places in _frequent(entries, templates).items():
        rule = _rule(places, entries, *(templates[one] for one in pair))
        if rule.gain > 0:
            rules[pair] = rule
    taken: set[int] = set()
    best = {}
    for pair, rule in sorted(rules.items(), key=lambda item: -item[1].gain):
        if not taken.intersection(pair):
            taken.update(pair)
            best[pair] = rule
    return best


def _frequent(entries: Sequence[Entry], templates: Sequence[Template]) -> dict[_Pair, list[int]]:
    """Neighbours that may gain, with the places of the first of each two."""
    numbers = [entry.template for entry in entries]
    uses = Counter(numbers)
    found: dict[_Pair, list[int]] = {}
    for (one, two), count in Counter(pairwise(numbers)).items():
        if one == two or count < max(_OFTEN, min(uses[one], uses[two]) // 4) or RAW in (one, two):
            continue
        left, right = templates[one], templates[two]
        if left.loose or right.loose or left.width * right.width > _WIDEST:
            continue
        if count * _worth(right.width) >= _legend(left, right):
            found[one, two] = []
    if found:
        for place, pair in enumerate(pairwise(numbers)):
            if pair in found and entries[place + 1].joins:
                found[pair].append(place)
    return {pair: places for pair, places in found.items() if len(places) >= _OFTEN}


def _worth(equal: int) -> int:
    """Characters that an entry saves by so many values that need not be written again."""
    return 6 + 15 * equal


def _legend(left: Template, right: Template) -> int:
    """Characters of the template that both would make."""
    return sum(map(len, left.literals)) + sum(map(len, right.literals))


def _rule(
    places: Sequence[int], entries: Sequence[Entry], left: Template, right: Template
) -> _Rule:
    """What three of four such pairs have equal, all must, or stay two."""
    sample = places[:: len(places) // _SAMPLE + 1]
    lefts = list(zip(*(entries[place].values for place in sample), strict=True))
    rights = list(zip(*(entries[place + 1].values for place in sample), strict=True))
    names: dict[int, int] = {}
    fits = [True] * len(sample)
    for j, column in enumerate(rights):
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


def _apply(
    entries: Sequence[Entry], rules: dict[_Pair, _Rule], numbers: dict[_Pair, int]
) -> list[Entry]:
    out: list[Entry] = []
    followers = iter(entries)
    left = next(followers)
    for right in followers:
        pair = (left.template, right.template)
        rule = rules.get(pair)
        if rule is None or not right.joins or not _fits(rule, left, right):
            out.append(left)
            left = right
            continue
        values = (*left.values, *(right.values[j] for j in rule.new))
        stamp = right.stamp if left.stamp is None else left.stamp
        left = Entry(numbers[pair], values, stamp, left.joins)
    out.append(left)
    return out


def _fits(rule: _Rule, left: Entry, right: Entry) -> bool:
    return all(left.values[i] == right.values[j] for i, j in rule.equal)
