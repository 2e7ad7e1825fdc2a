"""The form of one text with the fewest tokens and nothing lost."""

from __future__ import annotations

from policies.base.ports import Count
from policies.compress import json_compact
from policies.compress.freeze_form import Form, Rules, Short, each_once, shortened
from policies.compress.json_exact import minified
from policies.compress.log_stamps import MARK, take
from policies.compress.text_choice import checked

VERSION = 7  # of what a text may become: what an older one has sent is sent no more
LARGEST = 500_000  # characters; of longer texts only JSON is looked at
_NOTED = 350_000  # characters of JSON for the compact notation; up to eight times that: white space
_FEWEST = 8  # lines of a log that somebody pasted
_STAMPED = 0.8  # of its lines have a time


def form(text: str, count: Count, rules: Rules, *, pasted: bool) -> Form:
    """The form of a text. A function of its arguments alone, as long as `count` is one.

    `pasted`: by a user, where only what is JSON or a log throughout may change. Has been
    read back and compared; where anything fails, the text stays.
    """
    once = each_once(count)

    def make() -> Short | None:
        short = _shorter(text, once, pasted=pasted)
        return None if short is None else Short(short)

    return shortened(text, once, rules, make)


def _shorter(text: str, count: Count, *, pasted: bool) -> str | None:
    """JSON as `json_compact` writes it, all else as `text_choice` does."""
    compact = json_compact.encode(text, count, _NOTED)
    if compact is not None:
        return compact
    if len(text) > LARGEST or (text.lstrip()[:1] in ("{", "[") and minified(text) is not None):
        return None
    if pasted and not _is_log(text):
        return None
    return checked(text, count)


def _is_log(text: str) -> bool:
    """Whether nearly every line has a time, above all the first and the last.

    There people write what they want to know. If most lines begin with their time, so do those.
    """
    lines = [line for line in take(text)[0].split("\n") if line.strip()]
    if len(lines) < _FEWEST:
        return False
    bare = sum(line.startswith(MARK) for line in lines)
    ends = [line.partition(MARK) for line in (lines[0], lines[-1])]
    if any(not mark or (before and bare > len(lines) / 2) for before, mark, _ in ends):
        return False
    return sum(MARK in line for line in lines) >= _STAMPED * len(lines)
