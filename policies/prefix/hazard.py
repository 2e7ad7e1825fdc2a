"""How likely a prompt seen for the first time is to be read again within the cache's lifetime."""

from __future__ import annotations

from collections import deque
from typing import Protocol

# Ages as parts of the lifetime, and how much of what returns at all has returned by then, to
# begin with: agents come back within seconds, people within minutes.
_AGES = (1 / 64, 1 / 16, 1 / 4, 1.0)
_RETURNED = (0.3, 0.6, 0.85, 1.0)
_BELIEF = 2.0  # observations that the first guess is worth, at each age
_MEMORY = 64.0  # observations at one age after which older ones count half
_PENDING = 128  # prompts watched at once; at higher rates they are a sample


class Hazard:
    """An actuary's table: of those that reached an age unread, how many were read before the next.

    It learns from prompts that are still waiting, too, so that traffic which never returns is
    known for that long before a lifetime has passed.
    """

    __slots__ = ("_first", "_kept", "_likely", "_parent", "_read", "lost", "reread")

    def __init__(self, likely: float, parent: Hazard | None = None) -> None:
        """`likely`: the probability to start from; `parent`: learns of the same prompts."""
        self.lost = 0.0  # a whole lifetime long
        self.reread = 0.0
        self._parent = parent
        self._kept = [0.0] * len(_AGES)
        self._read = [0.0] * len(_AGES)
        self._first = [0.0] * len(_AGES)
        self._likely = likely
        before = 0.0
        for age, part in enumerate(_RETURNED):
            self._first[age] = (likely * part - before) / (1.0 - before)
            before = likely * part

    @property
    def likely(self) -> float:
        """The probability to be read again within the lifetime."""
        return self._likely

    def passed(self, age: int) -> None:
        """A prompt went through an age unread."""
        self._kept[age] += 1.0
        self._weigh(age)
        if age == len(_AGES) - 1:
            self.lost += 1.0
            self._fade()
        if self._parent is not None:
            self._parent.passed(age)

    def returned(self, part: float) -> None:
        """A prompt was read again after this part (0 to 1) of the lifetime."""
        age = next((age for age, limit in enumerate(_AGES) if part <= limit), len(_AGES) - 1)
        self._read[age] += 1.0
        self._weigh(age)
        self.reread += 1.0
        self._fade()
        if self._parent is not None:
            self._parent.returned(part)

    def _fade(self) -> None:
        if self.lost + self.reread > _MEMORY:
            self.lost /= 2.0
            self.reread /= 2.0

    def _weigh(self, age: int) -> None:
        kept, read = self._kept, self._read
        if kept[age] + read[age] > _MEMORY:
            kept[age] /= 2.0
            read[age] /= 2.0
        # What early ages tell of the first guess, the later ones are corrected by as well.
        expected = sum((kept[i] + read[i]) * first for i, first in enumerate(self._first))
        faith = (1.0 + sum(read)) / (1.0 + expected)
        never = 1.0
        for i, first in enumerate(self._first):
            belief = _BELIEF * min(1.0, first * faith)
            never *= 1.0 - (belief + read[i]) / (_BELIEF + kept[i] + read[i])
        self._likely = 1.0 - never


class Watched(Protocol):
    """Something that was seen once; `awaits` names the hazard that it informs, None: none."""

    awaits: Hazard | None


class Watch:
    """Prompts seen once, by age, until they are read again or their lifetime is over."""

    __slots__ = ("_ages",)

    def __init__(self) -> None:
        self._ages: list[deque[tuple[float, Watched]]] = [deque() for _ in _AGES]

    def begin(self, seen: Watched, hazard: Hazard, now: float) -> None:
        """Watch, unless enough are watched already."""
        if len(self._ages[0]) < _PENDING:
            seen.awaits = hazard
            self._ages[0].append((now, seen))

    def grow_older(self, now: float, lifetime: float) -> None:
        """Move those whose age is over; `now` and `lifetime` in seconds."""
        for age, waiting in enumerate(self._ages):
            limit = _AGES[age] * lifetime
            while waiting and now - waiting[0][0] > limit:
                entry = waiting.popleft()
                hazard = entry[1].awaits
                if hazard is None:
                    continue
                hazard.passed(age)
                if age + 1 < len(_AGES) and len(self._ages[age + 1]) < _PENDING:
                    self._ages[age + 1].append(entry)
                else:
                    entry[1].awaits = None
