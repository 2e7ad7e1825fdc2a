"""Lines that tell the time of the request: one is enough to know that they change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, product

from policies.prefix.volatile_learner import WORD, Moved

_EPOCH = re.compile(r"(?<![\w.-])(\d{10}(?:\d{3})?)(?![\w-])")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = "(?P<m>" + "|".join(_MONTHS) + r")[a-z]*\.?"
_DATES = (
    re.compile(r"(?<![\d/.-])(?P<y>\d{4})([-/.])(?P<m>\d\d?)\2(?P<d>\d\d?)(?![\d/-])"),
    re.compile(r"(?<![\d/.-])(?P<d>\d\d?)([-/.])(?P<m>\d\d?)\2(?P<y>\d{4})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>\d\d?)(?:st|nd|rd|th)?[ -]{_MONTH}[ ,-]+(?P<y>\d{{4}})"),
    re.compile(rf"\b{_MONTH} +(?P<d>\d\d?)(?:st|nd|rd|th)?\b(?:.*?\b(?P<y>\d{{4}}))?"),
)
_CLOCK = re.compile(
    r"(?<![\d:])(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{1,9})?)?(?![\d:])"
    r"(?: ?(?P<half>[ap])\.?m\b)?"
    r"(?P<zone>z\b| ?(?:gmt|utc)? ?(?P<ahead>[+-]\d\d):?(?P<more>\d\d)(?!\d)"
    r"| ?(?:gmt|utc)(?![a-z]))?"
)
_NEAR = 600.0  # seconds: clocks differ, and a prompt may be built a while before it is sent
_ELSEWHERE = 60.0  # the same, of a time that is told in a zone that is not named
_ZONES = 1800.0  # by which zones differ
_FARTHEST = 14 * 3600.0
_MOST = 4  # lines
_LONGEST = 400  # characters of a line


def timed(texts: Sequence[str], lines: Sequence[str], now: float) -> tuple[Moved, ...]:
    """The lines of `texts` in which a time near `now` (Unix seconds) stands; none if many do."""
    try:
        days = (datetime.fromtimestamp(now + off, UTC) for off in (-_FARTHEST, _FARTHEST))
        signs = {f"{day.year}" for day in days} | {str(int(now))[:6]}
    except (ValueError, OverflowError, OSError):  # a clock that is far off
        return ()
    if not any(sign in text for text in texts for sign in signs):
        return ()
    found = tuple(_moved(lines, signs, now))
    return found if len(found) <= _MOST else ()


def _moved(lines: Sequence[str], signs: Collection[str], now: float) -> Iterator[Moved]:
    for index, line in enumerate(lines):
        if any(sign in line for sign in signs):
            start = _start(line[:_LONGEST], now)
            if start is not None:
                yield index, sum(word.start() < start for word in WORD.finditer(line)), 0


def _start(line: str, now: float) -> int | None:
    """Where the time of the request begins in a line."""
    for match in _EPOCH.finditer(line):
        if abs(int(match[1]) / (1000.0 if len(match[1]) == 13 else 1.0) - now) <= _NEAR:
            return match.start()
    small = line.lower()
    clocks = list(islice(_CLOCK.finditer(small), _MOST))
    for pattern in _DATES if clocks else ():
        for date, clock in product(islice(pattern.finditer(small), _MOST), clocks):
            if any(_is(when, clock["zone"], now) for when in _times(date, clock)):
                return min(date.start(), clock.start())
    return None


def _times(date: re.Match[str], clock: re.Match[str]) -> Iterator[datetime]:
    """The time of day on that date, which may be one of two where only numbers are given."""
    day, month = date["d"], date["m"]
    hour = int(clock["hour"])
    if clock["half"]:
        hour = hour % 12 + 12 * (clock["half"] == "p")
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
    for one, other in {(number, int(day)), (int(day), number)}:
        with suppress(ValueError, OverflowError):
            when = datetime(int(date["y"] or 1), one, other, hour, int(clock["minute"]), tzinfo=UTC)
            when += timedelta(seconds=int(clock["second"] or 0))
            ahead = timedelta(hours=int(clock["ahead"] or 0))
            more = timedelta(minutes=int(clock["more"] or 0))
            yield when - ahead - (-more if (clock["ahead"] or "").startswith("-") else more)


def _is(when: datetime, zone: str | None, now: float) -> bool:
    """Whether it is now: by UTC, by its `zone` or, where it names none, by any."""
    apart = when.timestamp() - now
    if abs(apart) <= _NEAR:
        return True
    off = abs(apart - round(apart / _ZONES) * _ZONES)
    return not zone and off <= _ELSEWHERE and abs(apart) <= _FARTHEST
