"""Lines and blocks of lines that repeat at once, written once with how often.

    retrying in 5 s
    [the last line repeats 12 more times]

Restored exactly is the whole text. A line of the text that looks like such a note, or like
one with backslashes in front, gets a backslash in front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.base.ports import Count
from policies.compress import native

LONGEST = 16_000_000  # characters; longer texts are left as they are
_PERIOD = 64  # lines of a block
_SHORTEST = 60  # characters of repetition that a note must save

_NOTE = re.compile(
    r"\[the last (?:line|([1-9][0-9]{0,3}) lines) repeats? ([1-9][0-9]{0,8}) more times?\](\r?)"
)
_LOOKS = re.compile(r"\\*\[the last [^\n]*\]\r?")


def encode(text: str, count: Count) -> str | None:
    """The text with notes; None where that has no gain or `text` is longer than `LONGEST`."""
    if len(text) > LONGEST:
        return None
    try:
        encoded = native.repeats(text)
    except native.Unfit:
        encoded = noted(text)
    return encoded if encoded is not None and count(encoded) < count(text) else None


def noted(text: str) -> str | None:
    """The text with notes; None where it is no shorter."""
    lines = text.split("\n")
    if len(set(lines)) == len(lines):
        return None
    encoded = "\n".join(_noted(lines))
    return encoded if len(encoded) < len(text) else None


def decode(encoded: str) -> str:
    """The inverse of `encode`. Raises `ValueError` for a note of more lines than are before it."""
    out: list[str] = []
    for line in encoded.split("\n"):
        if "[the last " not in line:
            out.append(line)
            continue
        note = _NOTE.fullmatch(line)
        if note is not None:
            size = int(note[1] or 1)
            if size > len(out):
                raise ValueError("a note of more lines than there are")
            out += out[-size:] * int(note[2])
        elif line[0] == "\\" and _LOOKS.fullmatch(line):
            out.append(line[1:])
        else:
            out.append(line)
    return "\n".join(out)


def _noted(lines: list[str]) -> Iterator[str]:
    """Each line, as a note if it and those after it are those before it again."""
    seen: dict[str, int] = {}
    place, size = 0, len(lines)
    while place < size:
        line = lines[place]
        period = place - seen.get(line, -size)
        if period <= _PERIOD:
            times = _times(lines, place, period)
            block = lines[place - period : place]
            if times and times * (sum(map(len, block)) + period) >= _SHORTEST:
                yield _note(period, times)
                place += times * period
                continue
        seen[line] = place
        place += 1
        yield "\\" + line if "[the last " in line and _LOOKS.fullmatch(line) else line


def _times(lines: list[str], place: int, period: int) -> int:
    """How often the `period` lines before `place` follow again."""
    block = lines[place - period : place]
    end = place
    while lines[end : end + period] == block:
        end += period
    return (end - place) // period


def _note(period: int, times: int) -> str:
    what = "line repeats" if period == 1 else f"{period} lines repeat"
    return f"[the last {what} {times} more time{'s' * (times > 1)}]"
