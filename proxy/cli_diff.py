"""What policies changed in a prompt, as a diff for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BORDER = 3  # lines alike that are shown on either side of what differs


def show(changes: Sequence[dict[str, Any]], console: Console) -> None:
    """Print each change under a line that names its place, its policy and its tokens."""
    if not changes:
        console.print("\nnothing was changed")
    for change in changes:
        console.print()
        _print(console, heading(change), "bold")
        for line, style in lines(change["before"], change["after"]):
            _print(console, line, style)


def heading(change: dict[str, Any]) -> str:
    """Such as `message 3 content: compress.lossless, 812 -> 301 tokens (-63 %)`."""
    tokens = change["tokens"]
    before, after = tokens["before"], tokens["after"]
    share = f" ({100 * (after - before) / before:+.0f} %)" if before and after else ""
    mode = "" if change["mode"] == "on" else f" ({change['mode']}: not applied)"
    return f"{change['place']}: {change['policy']}{mode}, {before:,} -> {after:,} tokens{share}"


def lines(before: str | None, after: str | None) -> list[tuple[str, str]]:
    """Lines with the style of each: those gone after `- `, those new after `+ `."""
    old = [] if before is None else before.split("\n")
    new = [] if after is None else after.split("\n")
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    return [
        *_alike(old[:head], first=True),
        *((f"- {line}", "red") for line in gone),
        *((f"+ {line}", "green") for line in come),
        *_alike(old[len(old) - tail :], first=False),
    ]


def _alike(same: Sequence[str], *, first: bool) -> list[tuple[str, str]]:
    """The lines next to what differs, and how many more there are."""
    near = same[max(0, len(same) - _BORDER) :] if first else same[:_BORDER]
    shown = [(f"  {line}", "") for line in near]
    if len(same) > len(near):
        more = (f"  … {len(same) - len(near):,} lines alike", "dim")
        return [more, *shown] if first else [*shown, more]
    return shown


def _print(console: Console, line: str, style: str) -> None:
    """A line as it is, of any length; what would steer a terminal is shown by its code."""
    plain = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
    console.print(Text(plain, style), soft_wrap=True)
