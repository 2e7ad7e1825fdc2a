"""Whether a line that changes may leave its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from policies.prefix.volatile_learner import WORD, Moved

_SECRET = re.compile(
    r"(?i)(?:^|[^a-z])(?:api|auth|bearer|credentials?|keys?|otp|passcode|passphrase|passw(?:or)?d"
    r"|permissions?|pin|private|roles?|secrets?|signatures?|tokens?)(?![a-z])"
    r"|eyJ[A-Za-z0-9_-]{8,}\."  # a JSON web token
)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_LONGEST = 400  # characters of a line


def unfit(lines: Sequence[str], moved: Sequence[Moved], raw: bytes) -> str | None:
    """Why these lines must stay, if they must. `raw`: the request's whole text."""
    inside = _fenced(lines)
    for index, head, tail in moved:
        line = lines[index]
        start, end = _value(line, head, tail)
        value = line[start:end]
        if len(line) > _LONGEST:
            return "is too long to be moved"
        if index in inside or line.startswith(("    ", "\t")) or line.lstrip().startswith("|"):
            return "stands in code or a table"
        around = line[max(0, start - 1) : start] + value + line[end : end + 1]
        if any(quote in around for quote in _QUOTES):
            return "stands in quotes"
        if _SECRET.search(line):
            return "looks like a matter of security"
        if "system-line" in line or raw.count(msgspec.json.encode(value)[1:-1]) != 1:
            return "is referred to elsewhere"
    return None


def _fenced(lines: Sequence[str]) -> set[int]:
    """The lines within code fences, as Markdown has them."""
    found: set[int] = set()
    inside = False
    for index, line in enumerate(lines):
        if _FENCE.match(line):
            inside = not inside
        elif inside:
            found.add(index)
    return found


def _value(line: str, head: int, tail: int) -> tuple[int, int]:
    """The part of the line that changes, by its words before and after that do not."""
    words = [match.span() for match in WORD.finditer(line)]
    if head + tail >= len(words):
        return 0, len(line)
    return words[head][0], words[len(words) - 1 - tail][1]
