"""Lines that are known to change, found again in system prompts that are otherwise new."""

from __future__ import annotations

from collections.abc import Sequence

from policies.prefix.volatile_learner import WORD, Moved

_SCOPES = 1024
_KINDS = 8  # of lines, per scope

Scope = tuple[str, ...]
_Kind = tuple[tuple[int, int, int, int], ...]  # index, words before and after, hash of these


class Alike:
    """Knows lines by their place and by the words around what changes: by hashes only."""

    def __init__(self) -> None:
        self._kinds: dict[Scope, list[_Kind]] = {}

    def note(self, scope: Scope, lines: Sequence[str], moved: Sequence[Moved]) -> None:
        """These lines of a prompt change with every request."""
        kind = _kind(lines, moved)
        known = self._kinds.get(scope, [])
        if kind is None or kind in known:
            return
        if len(self._kinds) >= _SCOPES:
            self._kinds.clear()
        self._kinds[scope] = [kind, *known[: _KINDS - 1]]

    def moved(self, scope: Scope, lines: Sequence[str]) -> tuple[Moved, ...]:
        """The lines of a prompt that are such lines; none unless all of a kind are there."""
        for kind in self._kinds.get(scope, ()):
            moved = tuple((index, head, tail) for index, head, tail, _ in kind)
            if moved[-1][0] < len(lines) and _kind(lines, moved) == kind:
                return moved
        return ()


def _kind(lines: Sequence[str], moved: Sequence[Moved]) -> _Kind | None:
    """None where a line has no word that stays, by which it could be known again."""
    found = []
    for index, head, tail in moved:
        words = WORD.findall(lines[index])
        if not head + tail or len(words) <= head + tail:
            return None
        kept = (*words[:head], None, *words[len(words) - tail :])
        found.append((index, head, tail, hash(kept)))
    return tuple(found)
