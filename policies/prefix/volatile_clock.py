"""Lines that tell the time of the request: one is enough to know that they change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from policies.prefix.volatile_learner import WORD, Moved

_STAMP = re.compile(
    r"(?<![\d-])(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"(?![\d:])|(?<![\w.-])(?P<epoch>\d{10}(?:\d{3})?)(?![\w-])"
)
_NEAR = 600.0  # seconds: clocks differ, and a prompt may be built a while before it is sent
_MOST = 4  # lines
_LONGEST = 400  # characters of a line


def timed(texts: Sequence[str], lines: Sequence[str], now: float) -> tuple[Moved, ...]:
    """The lines of `texts` in which a time near `now` (Unix seconds) stands; none if many do."""
    try:
        year, epoch = f"{datetime.fromtimestamp(now, UTC).year}-", str(int(now))[:6]
    except (ValueError, OverflowError, OSError):  # a clock that is far off
        return ()
    if not any(year in text or epoch in text for text in texts):
        return ()
    found = tuple(_moved(lines, now))
    return found if len(found) <= _MOST else ()


def _moved(lines: Sequence[str], now: float) -> Iterator[Moved]:
    for index, line in enumerate(lines):
        for match in _STAMP.finditer(line[:_LONGEST]):
            if abs(_seconds(match) - now) <= _NEAR:
                words = [word.start() for word in WORD.finditer(line)]
                yield index, sum(start < match.start() for start in words), 0
                break


def _seconds(match: re.Match[str]) -> float:
    """Unix time of a stamp, in UTC unless it says otherwise; 0, far away, if it is none."""
    if match["epoch"]:
        return int(match["epoch"]) / (1000.0 if len(match["epoch"]) == 13 else 1.0)
    try:
        when = datetime.fromisoformat(match["iso"])
    except ValueError:
        return 0.0
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
