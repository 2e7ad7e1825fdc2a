"""Time stamps of log lines, taken out of the lines and written as what changed of them."""

from __future__ import annotations

import re

MARK = "\x01"  # where a line's time stood

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# The forms of a stamp, the likelier first: ISO 8601 and its kin, syslog, web servers, klog,
# a bare clock, the kernel's seconds since boot, seconds since 1970.
_FORMS = (
    rf"\d{{4}}[-/.]\d\d[-/.]\d\d(?:T| {{1,2}}){_CLOCK}",
    rf"{_MONTH} [ \d]\d {_CLOCK}",
    rf"\d\d/{_MONTH}/\d{{4}}[: ]{_CLOCK}",
    rf"(?<![\d:])\d{{4}} {_CLOCK}",
    rf"(?<![\d:]){_CLOCK}",
    r"(?<=\[) {0,4}\d{1,9}\.\d{6}(?=\])",
    r"(?<![\d.])1\d{9}(?:\.\d{1,9}|\d{3})?(?![\d.])",
)
STAMP = rf"(?:{'|'.join(_FORMS)})"
# At a line's start, which is found fastest, or within so many characters of it. The line feed
# before it is what is searched for.
_STARTS = (r"(\n)", r"(\n[^\n]{0,80}?)")
_STAMPS = tuple(
    (_CLOCK in form, [re.compile(rf"(?a){start}({form})") for start in _STARTS]) for form in _FORMS
)
_CLOCKS = re.compile(rf"(?a){_CLOCK}")
STARTS = re.compile(rf"(?a){'|'.join(_FORMS[:2])}")  # what a line of a log is sure to begin with
_PROBE = 4_000  # characters by which the form is chosen
_NUMBER = re.compile(r"[0-9]+")


def take(text: str) -> tuple[str, list[str]]:
    """The text with `MARK` for the first stamp of each line that has one, and those stamps.

    All are of the form that most of the first lines have; none where few have any.
    Precondition: `MARK` is not in the text.
    """
    probe = f"\n{text[:_PROBE]}"
    enough = (probe.count("\n") + 2) // 3
    clocks = len(_CLOCKS.findall(probe)) >= enough
    for clock, (at_start, within) in _STAMPS:
        if clock and not clocks:
            continue
        count = len(within.findall(probe))
        if count >= enough:
            pattern = at_start if len(at_start.findall(probe)) == count else within
            pieces = pattern.split(f"\n{text}")
            stamps = pieces[2::3]
            pieces[2::3] = [MARK] * len(stamps)
            return "".join(pieces)[1:], stamps
    return text, []


def cuts(stamp: str) -> tuple[int, ...]:
    """Where such stamps may be cut, the last place first: before each of their numbers."""
    return tuple(part.start() for part in reversed(list(_NUMBER.finditer(stamp))))


def change(before: str, now: str, places: tuple[int, ...]) -> str | None:
    """What to write for the stamp `now` after `before`: its end from one of the `places`.

    That is digits, colons, points and commas; None where it cannot be. `changed` undoes it.
    """
    if len(before) != len(now):
        return None
    for place in places:
        if before[:place] == now[:place]:
            tail = now[place:]
            return None if tail.strip("0123456789:.,") else tail
    return None


def changed(before: str, tail: str) -> str:
    """The stamp that follows `before` where `tail` was written."""
    return before[: len(before) - len(tail)] + tail
