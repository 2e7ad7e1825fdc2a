"""What a person sees of a program's output: the normal form of text meant for a terminal.

`screen` is that form, and the only stage that is not exactly invertible; all others are,
relative to it. It says what an endless terminal shows in the end: colours and titles are
gone, progress, backspaces and cursor movements have overwritten what they overwrite, blanks
at line ends are gone, and two or more blank lines in a row are one. A line end of
CRLF stays one. `screen(screen(x)) == screen(x)`.
"""

from __future__ import annotations

import re

from policies.compress import native
from policies.compress.text_terminal import VERTICAL, over_row, over_rows

_FEEDS = re.compile(r"\n\n\n+")
_BLANKS = re.compile(r"(\r?\n)(\r?\n)(?:\r?\n)+")
# Titles, links and other strings for the terminal; they end in BEL or ESC \, or the line does.
_STRINGS = re.compile(r"\x1b[]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?")
_CODES = re.compile(r"\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])|\x1b[ -/]*[0-~]?")
_SENT = re.compile(r"0*[1-9][0-9:;<=>?]*")


def screen(text: str) -> str:
    """The normal form of `text`, as the module says. Linear in its length."""
    try:
        return native.screen(text)
    except native.Unfit:
        return tidied(shown(text))


def tidied(text: str) -> str:
    """What a terminal shows, without blanks at line ends and more than one blank line."""
    returns = "\r" in text
    if (
        " \n" in text
        or text[-1:] in " \t"
        or ("\t" in text and "\t\n" in text)
        or (returns and (" \r" in text or "\t\r" in text))
    ):
        text = "\n".join(map(_trimmed, text.split("\n")))
    if "\n\n\n" in text:
        text = _FEEDS.sub("\n\n", text)
    if returns and "\n\r\n" in text:
        text = _BLANKS.sub(r"\1\2", text)
    return text


def shown(text: str) -> str:
    """What the terminal shows, blanks untouched: all that may be done to code."""
    try:
        return native.shown(text)
    except native.Unfit:
        return played(text)


def played(text: str) -> str:
    """The same, by Python, which can move the cursor too."""
    if "\x1b" in text:
        text = _CODES.sub(_kept, _STRINGS.sub("", text))
        if VERTICAL.search(text):
            return over_rows(text)
    moves = "\x1b" in text or "\x08" in text
    if moves or ("\r" in text and text.count("\r") != text.count("\r\n")):
        *rows, last = text.split("\n")
        rows = [_row(row) if moves or "\r" in row[:-1] else row for row in rows]
        return "\n".join([*rows, over_row(last)])
    return text


def _trimmed(line: str) -> str:
    if line.endswith("\r"):
        return line[:-1].rstrip(" \t") + "\r"
    return line.rstrip(" \t")


def _row(line: str) -> str:
    end = "\r" if line.endswith("\r") else ""
    return over_row(line.rstrip("\r")) + end


def _kept(code: re.Match[str]) -> str:
    """Movements stay until they are carried out; of erasing all, nothing is known."""
    final = code[2]
    if not final or final not in "ABCDEFGJK" or (final == "J" and _SENT.fullmatch(code[1])):
        return ""
    return f"\x1b[{code[1]}{final}"
