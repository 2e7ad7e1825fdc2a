"""What is wrong in a configuration file and where: `file:line:col: path: message`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Path = tuple[str | int, ...]  # of keys and list positions, from the top of the file

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
_LONGEST_NAME = 60


class Mark(NamedTuple):
    """A position, counted from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing to mend. Without a mark it concerns the file as a whole."""

    mark: Mark | None
    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """The name of a file and the positions of its keys and values."""

    name: str
    keys: Mapping[Path, Mark]
    values: Mapping[Path, Mark]

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the value at `path`, or with the nearest thing around it."""
        return Problem(self.values.get(path) or self._owner(path), path, message)

    def key_problem(self, path: Path, message: str) -> Problem:
        """A problem with the key itself, not with what it holds."""
        return Problem(self._owner(path), path, message)

    def _owner(self, path: Path) -> Mark | None:
        """The key, or else the list item, that `path` or what should hold it begins with."""
        for length in range(len(path), -1, -1):
            mark = self.keys.get(path[:length]) or self.values.get(path[:length])
            if mark is not None:
                return mark
        return None

    def lines(self, problems: Iterable[Problem]) -> list[str]:
        """The problems in the order of the file, each once, as printable lines."""
        ordered = sorted(problems, key=lambda problem: problem.mark or Mark(0, 0))
        seen: dict[tuple[Mark | None, str], str] = {}
        for mark, path, message in ordered:
            position = "".join(f":{number}" for number in mark or ())
            where = f"{path_text(path)}: " if path else ""
            line = _printable(f"{self.name}{position}: {where}{message}")
            seen.setdefault((mark, message), line)
        return list(seen.values())


def path_text(path: Path) -> str:
    """`("routes", 0, "when")` as `routes[0].when`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part) and len(part) <= _LONGEST_NAME:
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(name: str) -> str:
    """A name for a message: in quotes, not endless."""
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return f"'{short}'"


def _printable(text: str) -> str:
    """One line, whatever a file or somebody else's validator put into it."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, or nothing."""
    if len(name) > _LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {quoted(close[0])}?)" if close else ""


def offer(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or else all of them."""
    names = listed(sorted(known))
    return nearest(name, known) or (f"; there are {names}" if names else "")


def listed(names: Iterable[str]) -> str:
    """Names with commas between them, odd ones in quotes."""
    return ", ".join(name if _PLAIN_NAME.fullmatch(name) else quoted(name) for name in names)
