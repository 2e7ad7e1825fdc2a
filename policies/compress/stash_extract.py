"""The extract of a long text that stays in a message: beginning, end, and all that went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from policies.compress import native
from policies.compress.stash_index import index
from policies.compress.text_prefilter import prefilter

_WIDE = 320  # characters of a line from which on it is cut into parts
_PART = 160
_cut = re.compile(rf"(?s).{{{_PART // 4},{_PART - 1}}}[, }}\]]")

_FAILURES = (
    *("error", "exception", "failed", "failure", "fatal", "panic", "traceback", "denied"),
    *("refused", "forbidden", "timed out", "timedout", "time out", "timeout", "aborted"),
    *("aborting", "segfault", "segmentation fault", "critical", "not found", "cannot"),
    *("unable to", "could not", "unhandled", "killed", "out of memory", "core dumped", "err!"),
    *("no such file", "not ok", "undefined reference", "undefined symbol", "--- fail", "fail\t"),
    *("already in use", "bad gateway", "broken pipe", "crashloop", "deadline exceeded"),
    *("does not exist", "goroutine ", "invalid argument", "no route", "no space left"),
    *("not permitted", "service unavailable", "stack smashing", "terminate called"),
    *("too many open", "unreachable"),
)
_RESULTS = (
    *("return code", "return_code", "returncode", "status code", "status_code"),
    *("nonzero", "non-zero"),
)
# Whatever names a failure or a result, unless the value that follows says that there is none.
_TOLD = re.compile(
    rf"(?:{'|'.join(_FAILURES)})"
    r"(?!\w{0,12}[\"']?\s{0,3}[:=]\s{0,3}(?:null|none|false|0(?![\d.])|\"\"|''|\[\]|\{\}))"
    r"|exit(?:ed)?(?: with)?[ _]?(?:code|status|value)?[\"']?\s{0,3}[:=]?\s{0,3}-?\d"
    rf"|{'|'.join(_RESULTS)}"
    r"|\brc ?[:=] ?-?\d|\.go:\d{1,9} \+0x|\d:in [`']|^[ \t]{0,40}#\d{1,9} +[/{]"
    r"|^[ \t]{1,40}at \S|\bFile \"[^\"\n]{1,200}\", line \d",
    re.IGNORECASE,
)
# Of a text in lower case, what stands in all that the pattern finds. Nothing but plain words, of
# which the engine makes no automaton; and what is left of letters that are others' other case.
_may_tell = prefilter(
    "|".join(
        (
            *(*_FAILURES, *_RESULTS, "exit", " at ", "\tat ", 'file "', ".go:", ":in ", "#"),
            *("rc:", "rc=", "rc :", "rc =", "\u0131", "\u017f", "\u0307"),
        )
    )
)


def extract(text: str, size: int, *, names: bool) -> tuple[str, int, int]:
    """Of about `size` characters and more where more went wrong; how many parts, and of how many.

    Parts are lines, or pieces of about 160 characters where lines are long. All that tell of
    a failure, an exit status or a return code are kept, once where they are equal; of the
    rest, as many from the beginning and from the end as there is room for. With `names`, a note
    of what is left out says which values stand there.
    """
    try:
        return native.extract(text, size, names=names)
    except native.Unfit:
        return made(text, size, names=names)


def made(text: str, size: int, *, names: bool) -> tuple[str, int, int]:
    """The same, made in Python."""
    parts = list(_parts(text))
    kept = set(_told(parts))
    room = size // 2
    for order in (range(len(parts)), range(len(parts) - 1, -1, -1)):
        left = room
        for at in order:
            left -= len(parts[at])
            if left < 0:
                break
            kept.add(at)
    gaps = list(_gaps(parts, kept))
    ends = [0, *accumulate(map(len, parts))]
    places = [(ends[first], ends[last]) for first, last in gaps]
    named = index(text, places) if names else [""] * len(gaps)
    return _joined(parts, gaps, named), len(kept), len(parts)


def _parts(text: str) -> Iterator[str]:
    """The text in lines and pieces of lines; joined, they are the text."""
    for line in text.splitlines(keepends=True):
        at = 0
        while len(line) - at > _WIDE:
            found = _cut.match(line, at)
            end = found.end() if found else at + _PART
            yield line[at:end]
            at = end
        yield line[at:]


def _told(parts: list[str]) -> Iterator[int]:
    """The parts that tell of a failure or a result, once where they are equal."""
    seen: set[str] = set()
    for at, part in enumerate(parts):
        if _may_tell(part.lower()) and (bare := part.strip()) not in seen and _TOLD.search(part):
            seen.add(bare)
            yield at


def _gaps(parts: list[str], kept: set[int]) -> Iterator[tuple[int, int]]:
    """From which part to which nothing is kept."""
    last = 0
    for at in [*sorted(kept), len(parts)]:
        if at > last:
            yield last, at
        last = at + 1


def _joined(parts: list[str], gaps: list[tuple[int, int]], named: list[str]) -> str:
    found: list[str] = []
    at = 0
    for (first, last), names in zip(gaps, named, strict=True):
        found += parts[at:first]
        begin = "" if not found or found[-1].endswith("\n") else "\n"
        among = f", with {names}" if names else ""
        found.append(f"{begin}[... {last - first:,} left out{among} ...]\n")
        at = last
    return "".join((*found, *parts[at:]))
