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
# At a line's start, which is found fastest, or within so many characters of it.
_STARTS = ("()", r"([^\n]{0,80}?)")
_STAMPS = tuple(
    tuple(re.compile(rf"(?ma)^{start}({form})") for start in _STARTS) for form in _FORMS
)
_PROBE = 4_000  # characters by which the form is chosen
_NUMBER = re.compile(r"[0-9]+")


def take(text: str) -> tuple[str, list[str]]:
    """The text with `MARK` for the first stamp of each line that has one, and those stamps.

    All are of the form that most of the first lines have; none where few have any.
    Precondition: `MARK` is not in the text.
    """
    probe = text[:_PROBE]
    enough = probe.count("\n") // 3 + 1
    for at_start, within in _STAMPS:
        count = len(within.findall(probe))
        if count >= enough:
            pattern = at_start if len(at_start.findall(probe)) == count else within
            pieces = pattern.split(text)
            stamps = pieces[2::3]
            pieces[2::3] = [MARK] * len(stamps)
            return "".join(pieces), stamps
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
