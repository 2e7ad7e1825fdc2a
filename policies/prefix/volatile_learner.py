"""Which lines of a system prompt change with every request: learnt by laying prompts side by side.

The method is that of Drain (He et al., ICWS 2017) with lines for tokens: prompts of the same
number of lines whose other lines are equal belong to one skeleton. Only hashes are kept.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Sequence

from policies.prefix.canonical_memo import Recent

# Values that are known to change: fewer samples are enough. UUIDs, dates and times, epochs,
# hex digests, and identifiers that mix letters with digits.
_KNOWN = re.compile(
    r"\b(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d|\d\d?:\d\d"
    r"|1\d{9}(?:\d{3})?|[0-9a-f]{32,64}"
    r"|\d\d?[ .](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d"
    r"|(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{8,})"
)
WORD = re.compile(r"""[^\s=:,;()<>\[\]{}"'`]+""")
_LOOKED_AT = 400  # characters of a line: the pattern is slow on odd ones
_SAMPLES = 3  # of a line with a value of known form
_UNKNOWN_SAMPLES = 5  # of any other
_ALWAYS = 0.9  # share of samples in which the value is new
_WINDOW = 32  # samples, after which older ones count half
_OFTEN = 300.0  # seconds: what stays longer lets most turns read what the one before wrote
_VARYING = 8  # lines of one skeleton, at most
_SKELETONS = 8  # per scope and shape
_LONGEST = 5000  # lines
_BLANK = hash("")

Moved = tuple[int, int, int]  # index of a line; words that stay before and after its value


class _Tally:
    """How often a value was looked at, and how often it had not been seen before."""

    __slots__ = ("fresh", "samples")

    def __init__(self, samples: int, fresh: int) -> None:
        self.samples = samples
        self.fresh = fresh

    def add(self, *, fresh: bool) -> None:
        if self.samples >= _WINDOW:
            self.samples //= 2
            self.fresh //= 2
        self.samples += 1
        self.fresh += fresh

    def always(self, enough: int) -> bool:
        return self.samples >= enough and self.fresh >= _ALWAYS * self.samples


class _Varying:
    """A line that has been seen to change."""

    __slots__ = ("all", "head", "known", "onward", "openings", "recent", "tail", "times", "words")

    def __init__(self, value: int, seen: int, openings: int) -> None:
        self.all = _Tally(min(seen, _WINDOW), 1)
        self.openings = _Tally(min(openings, _WINDOW), 1)
        self.onward = _Tally(0, 0)  # of values that take another's place, as minutes do
        self.times: deque[float] = deque(maxlen=_SAMPLES + 1)  # of the latest of them
        self.recent = deque([value], _WINDOW)
        self.known = True
        self.words: list[int] | None = None
        self.head = self.tail = 0

    def add(self, line: str, now: float, *, opening: bool) -> None:
        value = hash(line)
        fresh = value not in self.recent
        self.all.add(fresh=fresh)
        if opening:
            self.openings.add(fresh=fresh)
        if fresh or value not in list(self.recent)[-2:]:  # requests overtake each other
            self.onward.add(fresh=fresh)
        if not fresh:
            return
        self.times.append(now)
        self.recent.append(value)
        self.known = self.known and _KNOWN.search(line[:_LOOKED_AT]) is not None
        words = [hash(word) for word in WORD.findall(line)]
        if self.words is None:
            self.head = self.tail = len(words)
        old = words if self.words is None else self.words
        self.head = min(self.head, _common(old, words))
        self.tail = min(self.tail, _common(old[::-1], words[::-1]))
        self.words = words

    def changes(self) -> bool:
        """With every request or, where its form is known, every conversation or few minutes."""
        if self.known:
            often = self.all.always(_SAMPLES) or self.openings.always(_SAMPLES)
            return often or self._moves_on()
        return self.all.always(_UNKNOWN_SAMPLES)

    def _moves_on(self) -> bool:
        """Shared by requests for a while, and none comes again once it is over."""
        times = self.times
        if len(times) < _SAMPLES + 1 or not self.onward.always(_SAMPLES):
            return False
        return 0.0 <= times[-1] - times[0] <= _OFTEN * _SAMPLES


class _Skeleton:
    __slots__ = ("hashes", "openings", "seen", "varying")

    def __init__(self, hashes: list[int]) -> None:
        self.hashes = hashes
        self.varying: dict[int, _Varying] = {}
        self.seen = 0
        self.openings = 0

    def differing(self, hashes: list[int]) -> set[int] | None:
        """Lines that differ; None where too many do for it to be the same prompt."""
        found = {i for i, (a, b) in enumerate(zip(self.hashes, hashes, strict=True)) if a != b}
        found |= self.varying.keys()
        same = sum(a != _BLANK for i, a in enumerate(hashes) if i not in found)
        return None if len(found) > _VARYING or same < max(1, len(found)) else found

    def add(self, lines: Sequence[str], differing: set[int], now: float, *, opening: bool) -> None:
        for index in differing:
            varying = self.varying.get(index)
            if varying is None:
                old = self.hashes[index]
                varying = self.varying[index] = _Varying(old, self.seen, self.openings)
            varying.add(lines[index], now, opening=opening)
        self.count(opening=opening)

    def repeat(self, *, opening: bool) -> None:
        """The latest prompt has come again."""
        for varying in self.varying.values():
            varying.all.add(fresh=False)
            if opening:
                varying.openings.add(fresh=False)
        self.count(opening=opening)

    def count(self, *, opening: bool) -> None:
        self.seen += 1
        self.openings += opening

    def sated(self, *, opening: bool) -> bool:
        """Whether it would change nothing if the latest prompt came again."""
        if self.seen < _WINDOW or (opening and self.openings < _WINDOW):
            return False
        tallies = [line.all for line in self.varying.values()]
        if opening:
            tallies += [line.openings for line in self.varying.values()]
        return all(not each.fresh and each.samples >= _WINDOW // 2 for each in tallies)

    def moved(self) -> tuple[Moved, ...]:
        return tuple(
            (index, line.head, line.tail)
            for index, line in sorted(self.varying.items())
            if line.changes()
        )


class Learner:
    """Holds hashes of lines, `limit` bytes at most."""

    def __init__(self, limit: int) -> None:
        self._skeletons: Recent[Hashable, list[_Skeleton]] = Recent(limit)

    def observe(
        self, scope: Hashable, lines: Sequence[str], *, opening: bool, now: float = 0.0
    ) -> tuple[Moved, ...]:
        """Learn from one more prompt, at `now` in seconds; the lines that change, if any do."""
        if len(lines) > _LONGEST:
            return ()
        known = self._skeletons.get(scope) or []
        hashes = [hash(line) for line in lines]
        for skeleton in known:
            differing = skeleton.differing(hashes)
            if differing is not None:
                known.remove(skeleton)
                skeleton.add(lines, differing, now, opening=opening)
                break
        else:
            skeleton = _Skeleton(hashes)
            skeleton.count(opening=opening)
        known = [skeleton, *known[: _SKELETONS - 1]]
        self._skeletons.put(scope, known, sum(40 * len(each.hashes) for each in known))
        return skeleton.moved()

    def again(self, scope: Hashable, *, opening: bool) -> bool:
        """Learn that the latest prompt of a scope has come again; whether that is enough."""
        known = self._skeletons.get(scope)
        if not known:
            return False
        known[0].repeat(opening=opening)
        return known[0].sated(opening=opening)


def _common(one: list[int], other: list[int]) -> int:
    """How many words two lines have in common at their beginning."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
