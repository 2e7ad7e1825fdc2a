"""Telling logs and other records from configuration and code.

Lines of records may be rewritten under templates. Configuration and code that no sign of
`text_protected` gives away must not: whoever reads such a file is about to change it, and
needs its lines as they are.
"""

from __future__ import annotations

import re
from itertools import islice

from policies.compress import native
from policies.compress.log_stamps import STAMP
from policies.compress.text_languages import OPERATION, STATEMENT
from policies.compress.text_prefilter import prefilter, prefilter_ascii

_SAMPLE = 20_000  # characters, from the start and from the middle
_WIDEST = 200  # characters of a line that are looked at
_NEAR = 60  # characters of a line that may stand before its time or its level
_TIME_WIDEST = 40  # characters of a time or a level, and what shows that it ends
_TIME = re.compile(rf"(?a){STAMP}")
# In all times, and found faster.
_TIMELIKE = re.compile(r"[0-9](?:[0-9]:[0-9]{2}:[0-9]{2}|\.[0-9]{6}\]|(?<=1)(?<![0-9.]1)[0-9]{9})")
_LEVELS = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|warning|error"
_LEVEL = re.compile(rf"(?a)(?:{_LEVELS})\b")
_may_be_marked = prefilter(rf"[0-9]:[0-9][0-9]:[0-9]|\.[0-9]{{6}}\]|1[0-9]{{9}}|{_LEVELS}")
_FREE = re.compile(r"(?<![^\s\[(|])")
# A key before its value, a section, a remark, an item of a list, what closes a block.
_OPENING = re.compile(
    r"""\s*(?:
        (?:-\ +)?["']?[\w.$/-]{1,60}["']?\ {0,3}(?::(?:\s|$)|=)
      | \[[^\],"]*\]\s*$ | [\#;!%\\}\])] | (?:"|--?)\s
      |"""
    rf"{STATEMENT})|\s+{OPERATION}",
    re.VERBOSE,
)
_ENDS = (",", ";", "{", "}", "[", "(", "|", "\\", "&&")
_may_be_built = prefilter_ascii(
    rf"(?x)^(?:{_OPENING.pattern})|(?:{'|'.join(map(re.escape, _ENDS))})\s*$"
)


def records(text: str) -> bool:
    """Whether the lines of a text are records, each for itself."""
    try:
        return native.records(text)
    except native.Unfit:
        return told(text)


def told(text: str) -> bool:
    """The same, told in Python."""
    half = len(text) // 2
    lines = text[:_SAMPLE].split("\n")
    if len(text) > _SAMPLE:
        lines += text[half : half + _SAMPLE].split("\n")[1:]
    lines = [line[:_WIDEST] for line in lines if line and not line.isspace()]
    enough = (len(lines) + 7) // 8
    marked = filter(_marked, filter(_may_be_marked, lines))
    if sum(1 for _ in islice(marked, enough)) == enough:
        return True
    built = sum(
        1 for line in filter(_may_be_built, lines) if _OPENING.match(line) or _goes_on(line)
    )
    if built * 7 >= len(lines):
        return False
    indented = sum(1 for line in lines if line[0] in " \t" and not line.lstrip()[:1].isdigit())
    return built * 20 < len(lines) or indented * 3 < len(lines)


def _marked(line: str) -> bool:
    """Whether a line begins with a time or a level, or nearly so."""
    line = line[: _NEAR + _TIME_WIDEST]
    if _TIMELIKE.search(line):
        time = _TIME.search(line)
        if time and time.start() <= _NEAR:
            return True
    return _LEVEL.search(line) is not None and any(
        level.start() <= _NEAR and _FREE.match(line, level.start())
        for level in _LEVEL.finditer(line)
    )


def _goes_on(line: str) -> bool:
    """Whether a line ends as one does that others belong to; a line of JSON is whole."""
    return line.rstrip().endswith(_ENDS) and line[0] not in "{["
