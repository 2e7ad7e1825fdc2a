"""Telling logs and other records from configuration and code.

Lines of records may be rewritten under templates. Configuration and code that no sign of
`text_protected` gives away must not: whoever reads such a file is about to change it, and
needs its lines as they are.
"""

from __future__ import annotations

import re

from policies.compress.log_stamps import STAMP

_SAMPLE = 20_000  # characters, from the start and from the middle
_WIDEST = 200  # characters of a line that are looked at
_MARK = re.compile(
    rf"(?a)[^\n]{{0,60}}?(?:{STAMP}"
    r"|(?<![^\s\[(|])(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|warning|error)\b)"
)
# A key before its value, a section, a remark, an item of a list, what closes a block.
_OPENING = re.compile(
    r"""\s*(?:
        (?:-\ +)?["']?[\w.$/-]{1,60}["']?\ {0,3}(?::(?:\s|$)|=)
      | \[[^\],"]*\]\s*$ | [\#;!%\\}\])] | (?:"|--?)\s
    )""",
    re.VERBOSE,
)
_ENDS = (",", ";", "{", "}", "[", "(", "|", "\\", "&&")


def records(text: str) -> bool:
    """Whether the lines of a text are records, each for itself."""
    half = len(text) // 2
    lines = text[:_SAMPLE].split("\n")
    if len(text) > _SAMPLE:
        lines += text[half : half + _SAMPLE].split("\n")[1:]
    lines = [line[:_WIDEST] for line in lines if line and not line.isspace()]
    if sum(map(bool, map(_MARK.match, lines))) * 8 >= len(lines):
        return True
    built = sum(1 for line in lines if _OPENING.match(line) or _goes_on(line))
    if built * 7 >= len(lines):
        return False
    indented = sum(1 for line in lines if line[0] in " \t" and not line.lstrip()[0].isdigit())
    return built * 20 < len(lines) or indented * 3 < len(lines)


def _goes_on(line: str) -> bool:
    """Whether a line ends as one does that others belong to; a line of JSON is whole."""
    return line.rstrip().endswith(_ENDS) and line[0] not in "{["
