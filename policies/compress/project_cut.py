"""JSON text with places cut out: what stays is the same text, number by number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from policies.base.canonical import every_key_once
from policies.base.errors import MalformedBody
from policies.base.spans import Path, members
from policies.compress import native
from policies.compress.freeze_form import Short
from policies.compress.json_exact import minified
from policies.compress.project_places import Expression

_LONG = 4000  # digits
Tree = dict[str | int, "Tree | None"]  # None: all that is below


def projected(text: str, keep: Sequence[Expression], drop: Sequence[Expression]) -> Short | None:
    """The text with only what `keep` names (all, where that is empty) and without `drop`.

    None where it is no object or array in JSON, repeats a key or is nested too deep to read,
    where nothing would go, and where nothing that `keep` names is there. Raises `JMESPathError`
    where an expression fails.
    """
    listed = ("\n".join(each.steps for each in rule) for rule in (keep, drop))
    try:
        made = native.project(text, *listed)
    except native.Unfit:
        return _projected(text, keep, drop)
    return made and Short(*made)


def _projected(text: str, keep: Sequence[Expression], drop: Sequence[Expression]) -> Short | None:
    short = minified(text)
    if short is None or not _fits(short):
        return None
    raw = short.encode()
    value = _value(raw)
    kept = _tree(path for each in keep for path in each.places(value)) if keep else None
    dropped = _tree(path for each in drop for path in each.places(value))
    if kept == {} or dropped is None:
        return None
    cut = _cut(raw, kept, dropped)
    gone = _leaves(value) - _leaves(_value(cut))
    return Short(cut.decode(), gone) if len(cut) < len(raw) else None


def _fits(text: str) -> bool:
    try:
        return text[:1] in ("{", "[") and every_key_once(text.encode())
    except (MalformedBody, ValueError, RecursionError):
        return False


def _value(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:  # of an integer that is too long for Python
        return json.loads(raw, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """An integer of any length."""
    return int(digits) if len(digits) < _LONG else float(digits)


def _tree(paths: Iterable[Path]) -> Tree | None:
    """Places by their first step; None where one of them is the whole value."""
    found: Tree = {}
    for path in paths:
        if not path:
            return None
        at = found
        for step in path[:-1]:
            below = at.setdefault(step, {})
            if below is None:
                break
            at = below
        else:
            at[path[-1]] = None
    return found


def _cut(raw: bytes, kept: Tree | None, dropped: Tree) -> bytes:
    """Without what is not in the one tree, and without what is in the other."""
    parts: list[bytes] = []
    begun = 1
    for key, start, end in members(raw):
        before, begun = begun, end
        if kept is not None and key not in kept:
            continue
        goes = dropped.get(key, {})
        if goes is None:
            continue
        stays = None if kept is None else kept[key]
        inner = raw[start:end]
        name = raw[before:start].lstrip(b",")
        parts.append(name + (_cut(inner, stays, goes) if stays or goes else inner))
    return raw[:1] + b",".join(parts) + raw[-1:]


def _leaves(value: Any) -> int:
    """Its numbers, strings, booleans and nulls."""
    found, left = 0, [value]
    while left:
        each = left.pop()
        if type(each) is dict:
            left += each.values()
        elif type(each) is list:
            left += each
        else:
            found += 1
    return found
