"""The reader of the compact notation: text in, JSON text with the fewest escapes out."""

from __future__ import annotations

from policies.compress.json_grid import table
from policies.compress.json_inline import cut, table_in, translate


def read(text: str) -> str:
    """The JSON text. Raises `ValueError` where the notation is not kept.

    What comes out may be no JSON where `text` was written by nobody who keeps to the notation.
    """
    lines = text.split("\n")
    parts = cut(lines[0])
    tables: dict[int, str] = {}
    at = 1
    while head := table_in(parts):
        place = len(parts) - 2
        parts[place] = None
        tables[place], at = table(head, lines, at)
        if at < len(lines):
            parts += (None, None)  # between the signs that end a line and those of the next
            parts += cut(lines[at])
        at += 1
    if at < len(lines):
        raise ValueError("there is more behind the value")
    translate(parts)
    for place, found in tables.items():
        parts[place] = found
    return "".join(parts)
