"""Lines that are known to change, found again in system prompts that are otherwise new."""

from __future__ import annotations

from collections.abc import Sequence

from policies.prefix.volatile_learner import WORD, Moved

_SCOPES = 1024
_KINDS = 8  # of lines, per scope

Scope = tuple[str, ...]
# Index, lines from there to the end, words before and after the value, hash of these.
_Kind = tuple[tuple[int, int, int, int, int], ...]


class Alike:
    """Knows lines by their place and by the words around what changes: by hashes only."""

    def __init__(self) -> None:
        self._kinds: dict[Scope, list[_Kind]] = {}

    def note(self, scope: Scope, lines: Sequence[str], moved: Sequence[Moved]) -> None:
        """These lines of a prompt change with every request."""
        kind = _kind(lines, moved)
        if kind is None or self.moved(scope, lines) == tuple(moved):
            return
        known = self._kinds.get(scope, [])
        if len(self._kinds) >= _SCOPES:
            self._kinds.clear()
        self._kinds[scope] = [kind, *known[: _KINDS - 1]]

    def moved(self, scope: Scope, lines: Sequence[str]) -> tuple[Moved, ...]:
        """The lines of a prompt that are such lines; none unless all of a kind are there.

        They are looked for as far from the prompt's beginning, and as far from its end.
        """
        for kind in self._kinds.get(scope, ()):
            found = [_there(lines, each) for each in kind]
            moved = tuple(sorted(each for each in found if each is not None))
            if len({index for index, _, _ in moved}) == len(kind):
                return moved
        return ()


def _there(lines: Sequence[str], known: tuple[int, int, int, int, int]) -> Moved | None:
    first, left, head, tail, words = known
    for index in (first, len(lines) - left):
        if 0 <= index < len(lines) and _words(lines[index], head, tail) == words:
            return index, head, tail
    return None


def _kind(lines: Sequence[str], moved: Sequence[Moved]) -> _Kind | None:
    """None where a line has no word that stays, by which it could be known again."""
    found = []
    for index, head, tail in moved:
        words = _words(lines[index], head, tail)
        if words is None:
            return None
        found.append((index, len(lines) - index, head, tail, words))
    return tuple(found)


def _words(line: str, head: int, tail: int) -> int | None:
    """Hash of the words that stay; None where there are none, or no others."""
    words = WORD.findall(line)
    if not head + tail or len(words) <= head + tail:
        return None
    return hash((*words[:head], None, *words[len(words) - tail :]))
