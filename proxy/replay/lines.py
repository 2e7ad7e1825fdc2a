"""Lines of a file, gzipped or not, in bounded memory, whatever the file holds."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

LONGEST = 64 * 1024 * 1024  # bytes of one line, after inflating
_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\x00"
_SHOWN = 20


class Problems:
    """What could not be read: all counted, the first twenty kept as `file:line: reason`."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, place: str, reason: str) -> None:
        """What stands at `place` (`file:line`) is left out."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(f"{place}: {reason}")


def is_sqlite(path: Path) -> bool:
    """Whether the file is an SQLite database. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def lines(
    path: Path, problems: Problems, seen: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[int, bytes]]:
    """`(number, text)` of each line that is not blank. Raises `OSError` if it cannot be opened.

    `seen` is told how many more bytes of the file have been read.
    """
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        text = cast("IO[bytes]", gzip.open(file)) if zipped else file  # noqa: SIM115 - `file` is closed below
        number = at = 0
        try:
            while line := text.readline(LONGEST + 1):
                number += 1
                seen(file.tell() - at)
                at = file.tell()
                if len(line) > LONGEST:
                    problems.add(f"{path.name}:{number}", f"longer than {LONGEST} bytes")
                    _pass(text)
                elif line.strip():
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            reason = "the gzip data is damaged or ends too early"
            problems.add(f"{path.name}:{number + 1}", reason)


def _pass(text: IO[bytes]) -> None:
    """Skip the rest of an overlong line."""
    while (rest := text.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass
