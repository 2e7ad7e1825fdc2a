"""Which pieces of streamed calls in chat are of one call, where upstreams say it badly.

Each call should have an index of its own, and only its first piece an id and a name. Some
upstreams give all calls of a turn the same index, some repeat id and name with every piece, and
some (vLLM, where a tool is forced) repeat the name with a new id each time.
"""

from __future__ import annotations

from typing import Any

import msgspec

Members = dict[str, Any]


def begins_another(part: Members, known: Members) -> bool:
    """Whether a part begins a call, where the one at its index is `known` so far.

    With a new id and a name: but not where the name is the same and the arguments are not whole.
    """
    if not known.get("id") or not part.get("id") or part["id"] == known["id"]:
        return False
    for kind in ("function", "custom"):
        said = part.get(kind)
        if isinstance(said, dict) and said.get("name"):
            return not _goes_on(known.get(kind), said)
    return False


def is_repeated(part: Members, name: Any, known: Any) -> bool:
    """Whether the name in a part of a call is the whole one that is `known`, once more."""
    return bool(part.get("id")) and name == known


def _goes_on(known: Any, said: Members) -> bool:
    if not isinstance(known, dict) or known.get("name") != said["name"]:
        return False
    begun = known.get("arguments") or said.get("arguments")
    return isinstance(begun, str) and bool(begun.strip()) and not _is_whole(begun)


def _is_whole(arguments: str) -> bool:
    if arguments.lstrip()[0] == "{" and arguments.rstrip()[-1] != "}":
        return False  # as most pieces leave it
    try:
        msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


class Heard:
    """A call of a function as far as it has come."""

    def __init__(self) -> None:
        self.name = ""
        self._id: Any = None
        self._arguments: list[str] = []

    def add(self, part: Members) -> None:
        """A piece of it has come."""
        name = said(part, "name")
        if not is_repeated(part, name, self.name):
            self.name += name
        self._id = self._id or part.get("id")
        self._arguments.append(said(part, "arguments"))

    def ends(self, part: Members) -> bool:
        """Whether this part begins another call."""
        if not part.get("id") or part["id"] == self._id:
            return False
        function = {"name": self.name, "arguments": "".join(self._arguments)}
        return begins_another(part, {"id": self._id, "function": function})


def said(part: Members, member: str) -> str:
    """A member of a part's function, "" where it has none."""
    function = part.get("function")
    found = function.get(member) if isinstance(function, dict) else None
    return found if isinstance(found, str) else ""
