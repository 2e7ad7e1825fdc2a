"""What an edit changed in a request body: each text that differs, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from policies.base.spans import Path

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_array = msgspec.json.Decoder(list[Raw]).decode
_string = msgspec.json.Decoder(str).decode
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError)

_LISTS = {"messages": "message", "input": "message", "tools": "tool", "functions": "tool"}
_WHOLE = {"system": "system", "instructions": "system", "input": "message 0", "prompt": "prompt"}
_KEYS = ("type", "role")  # of values that are of another kind where these differ


class Change(msgspec.Struct, frozen=True):
    """One value that differs. A string is given as its text, all else as JSON text.

    `path` leads to it, in the edited body or, where nothing of it is left (`after` None), in
    the body before; `before` is None for what was put in.
    """

    path: Path
    before: str | None
    after: str | None

    @property
    def place(self) -> str:
        """As people name it: `message 3 content`, `tool 0`, `parameter prompt_cache_key`."""
        top, *below = map(str, self.path or ("body",))
        if below and top in _LISTS:
            words = [_LISTS[top], below.pop(0)]
        else:
            words = [_WHOLE.get(top, f"parameter {top}" if self.path else top)]
        return " ".join([*words, ".".join(below)]).rstrip()


def changes(before: bytes, after: bytes) -> list[Change]:
    """The smallest values that differ in two JSON texts, in the order of the second.

    Lists are taken to be the same at both ends, as far as they are, and compared one by one
    in between. Objects whose keys are in another order differ as a whole. White space between
    values does not count.
    """
    return list(_compared((), before.strip(), after.strip()))


def _compared(path: Path, before: bytes, after: bytes) -> Iterator[Change]:
    if before == after:
        return
    kinds = before[:1] + after[:1]
    try:
        if kinds == b"{{":
            old, new = _object(before), _object(after)
            if _comparable(old, new):
                yield from _members(path, old, new)
                return
        elif kinds == b"[[":
            yield from _items(path, _array(before), _array(after))
            return
    except (*_MALFORMED, RecursionError):
        pass  # then it is shown as it stands
    yield Change(path, _shown(before), _shown(after))


def _comparable(old: dict[str, Raw], new: dict[str, Raw]) -> bool:
    """Whether what both have stands in one order, and they are things of one kind."""
    if any(old.get(key) != new.get(key) for key in _KEYS):
        return False
    return [key for key in old if key in new] == [key for key in new if key in old]


def _members(path: Path, old: dict[str, Raw], new: dict[str, Raw]) -> Iterator[Change]:
    for key in (*new, *(key for key in old if key not in new)):
        was, is_now = old.get(key), new.get(key)
        if was is None or is_now is None:
            yield Change((*path, key), _shown(was), _shown(is_now))
        elif was != is_now:
            yield from _compared((*path, key), bytes(was), bytes(is_now))


def _items(path: Path, old: Sequence[Raw], new: Sequence[Raw]) -> Iterator[Change]:
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    removed, added = old[head : len(old) - tail], new[head : len(new) - tail]
    for index in range(max(len(removed), len(added))):
        place = (*path, head + index)
        if index < min(len(removed), len(added)):
            yield from _compared(place, bytes(removed[index]), bytes(added[index]))
        else:
            was, is_now = removed[index : index + 1], added[index : index + 1]
            yield Change(
                place, _shown(was[0] if was else None), _shown(is_now[0] if is_now else None)
            )


def _shown(value: bytes | Raw | None) -> str | None:
    if value is None:
        return None
    raw = bytes(value)
    if raw[:1] == b'"':
        try:
            return _string(raw)
        except _MALFORMED:
            pass  # such as a lone surrogate, which has no text
    return raw.decode("utf-8", "replace")
