"""Headings of a running text, as in Markdown, reStructuredText, HTML, wikis and plain texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKED = re.compile(
    r"#{1,6} \S|(?:={2,6}|\*\*)[^*=\n]{1,100}(?:={2,6}|\*\*):?$"
    r"|[ \t]*<[hH][1-6][ >].{0,300}</[hH][1-6]>$"
)
_RULE = re.compile(r"=={2,}|--{2,}|~~{2,}|\^\^{2,}")
_OTHERS = "-*+>|=~^ \t"  # what lists, quotes, tables, rules and code begin with
_SECTION = re.compile(
    r"(?:[0-9]{1,2}\.|[0-9]{1,2}(?:\.[0-9]{1,2}){1,4}\.?) +[A-Z\x80-\U0010ffff].*"
)
_CAPITALS = re.compile(r"(?:[0-9 &/:'()-]*[A-Z\xc0-\xde]){4}[A-Z\xc0-\xde0-9 &/:'()-]*")
_LONGEST = 100  # characters of a title without a mark of its own
_ENDS = (".", ",", ";")  # of sentences and items


def marked(line: str) -> bool:
    """Whether a line is a heading by its own marks."""
    return bool(_MARKED.match(line.rstrip()))


def ruled(lines: Sequence[str], at: int) -> int:
    """How many lines from there on are a title with a line below, or also one above; 0 if none.

    Markdown takes any line below, reStructuredText one that is as long as the title.
    """
    above, line, below = (each.rstrip() for each in (*lines[at : at + 3], "", "")[:3])
    if _RULE.fullmatch(line) and _may_title(above):
        long = len(line) >= len(above) and line != "~~~"  # which opens a fenced block
        return 2 if long or line[0] in "=-" else 0
    inner = line.lstrip()
    framed = above == below and above[:1] != "~" and len(above) >= len(inner)
    return 3 if framed and _RULE.fullmatch(above) and _may_title(inner) else 0


def alone(text: str) -> str:
    """The form of a heading that a line between blank lines has, if any: its number, or capitals.

    Where neighbours have the same form, it is a list.
    """
    line = text.rstrip()
    if not _short(line) or len(text.splitlines()) > 1:
        return ""
    if _SECTION.fullmatch(line) and not line.endswith(":"):
        return "number"
    return "capitals" if _CAPITALS.fullmatch(line) else ""


def title(block: str) -> str:
    """What lines of headings say."""
    if block.lstrip()[:2].lower() == "<h":
        block = block.partition(">")[2].rpartition("<")[0]
    return block.strip("#=*-~^ \t\r\n")


def _may_title(line: str) -> bool:
    return line[:1] not in _OTHERS and _short(line)


def _short(line: str) -> bool:
    return len(line) <= _LONGEST and not line.endswith(_ENDS)
