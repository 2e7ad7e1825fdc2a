"""Carrying out what a terminal does: overwriting by carriage return, backspace and movement.

Every character counts as one column. Rows are endless, and no row scrolls out of reach.
"""

from __future__ import annotations

import re

from policies.compress.text_progress import is_progress

VERTICAL = re.compile(r"\x1b\[[0-9:;<=>?]*[ABEFJ]")

_MOVE = re.compile(r"\x1b\[([0-9:;<=>?]*)([A-GJK])|(\r?\n)|[\r\x08]")
_GOES_BACK = re.compile(r"[\r\x08\x1b]")
_WIDEST = 1000  # columns; a cursor further right is neither placed nor erases
_LONGEST = 1_000_000  # characters in which movements are carried out
_EMPTIEST = 8  # characters of blanks that movements may leave, for each of the text


def over_row(line: str) -> str:
    """What a row shows in the end; `line` has no line feed, and no movement to other rows.

    Carriage returns alone may be the ends of lines: without progress they stay.
    """
    if "\x1b" in line or "\x08" in line:
        written = line.replace("\x1b[K", "").replace("\x1b[0K", "")  # as compilers and grep do
        if not _GOES_BACK.search(written):
            return written  # behind the last character there is nothing to erase
        return over_rows(line)
    if "\r" not in line:
        return line
    bare = line.rstrip(" \t\r")
    if not is_progress(bare.split("\r")):
        return bare
    # The last piece is seen whole, of those before it what stands out beyond; blanks hide it.
    seen: list[str] = []
    width = 0
    for piece in reversed(line.rstrip("\t\r").split("\r")):
        if len(piece) > width:
            seen.append(piece[width:])
            width = len(piece)
    return "".join(seen)


def over_rows(text: str) -> str:
    """What all rows show in the end, where codes may move from row to row.

    In texts of more than a million characters, or that would become mostly blank, the
    movements are only taken away.
    """
    terminal = _Terminal()
    at, most = 0, _EMPTIEST * len(text)
    for move in _MOVE.finditer(text):
        if len(text) > _LONGEST or terminal.blanks > most:
            return _MOVE.sub(lambda move: move[3] or "", text)
        terminal.put(text[at : move.start()])
        at = move.end()
        code, final, end = move.groups()
        if end:
            terminal.feed(end)
        elif final:
            terminal.move(final, code)
        elif move[0] == "\r":
            terminal.column = 0
        else:
            terminal.column = max(0, terminal.column - 1)
    terminal.put(text[at:])
    return str(terminal)


class _Terminal:
    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.ends = [""]
        self.row = 0
        self.column = 0
        self.blanks = 0

    def put(self, piece: str) -> None:
        if not piece:
            return
        row = self.rows[self.row]
        if len(row) < self.column:
            self.blanks += self.column - len(row)
            row.extend(" " * (self.column - len(row)))
        row[self.column : self.column + len(piece)] = piece
        self.column += len(piece)

    def feed(self, end: str) -> None:
        self.ends[self.row] = end
        self.row += 1
        self.column = 0
        if self.row == len(self.rows):
            self.rows.append([])
            self.ends.append("")

    def move(self, final: str, code: str) -> None:
        digits = code[:6]
        number = int(digits) if digits.isascii() and digits.isdigit() else 0
        steps = max(1, number)
        if final in "ABEF":
            row = self.row - steps if final in "AF" else self.row + steps
            self.row = min(max(row, 0), len(self.rows) - 1)
            if final in "EF":
                self.column = 0
        elif self.column > _WIDEST:
            return
        elif final == "C":
            self.column = min(self.column + steps, _WIDEST)
        elif final == "D":
            self.column = max(self.column - steps, 0)
        elif final == "G":
            self.column = min(steps - 1, _WIDEST)
        else:
            self._erase(final, number)

    def _erase(self, final: str, number: int) -> None:
        row = self.rows[self.row]
        if final == "J":
            del self.rows[self.row + 1 :], self.ends[self.row + 1 :]
            self.ends[self.row] = ""
            del row[self.column :]
        elif number == 0:
            del row[self.column :]
        elif number == 1:
            row[: self.column + 1] = " " * min(self.column + 1, len(row))
        elif number == 2:
            row.clear()

    def __str__(self) -> str:
        return "".join(
            piece
            for row, end in zip(self.rows, self.ends, strict=True)
            for piece in ("".join(row), end)
        )
