"""What a text is asked for: by the user's last words before it, and by the tool call it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from policies.base.call import Dialect
from policies.compress import native
from policies.compress.freeze_calls import tool_call
from policies.compress.freeze_places import spots
from policies.compress.select_passages import Split, delimited

_LONGEST = 4_000  # characters of what a user says, from its end
_AROUND = re.compile(r"</?(?ai:documents|docs|passages|sources|contexts?|search_results)>")
_USER = b'"user"'
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Questions:
    """What tools' results are asked for. Of messages that follow on others only these are read."""

    def __init__(self) -> None:
        self._before: tuple[Dialect, Sequence[bytes], str] = (Dialect.CHAT, (), "")

    def of_result(self, dialect: Dialect, earlier: Sequence[bytes], call: str) -> str:
        """The values of the call's arguments, the user's words; "" where neither is there."""
        made = tool_call(dialect, earlier, call)
        values = " ".join(_values(made.arguments)) if made else ""
        return f"{values[:_LONGEST]}\n{self._said(dialect, earlier)}".strip()

    def _said(self, dialect: Dialect, earlier: Sequence[bytes]) -> str:
        """The last words of a user."""
        known, raws, said = self._before
        if known is not dialect or earlier[: len(raws)] != raws:
            raws, said = (), ""
        said = _said(dialect, earlier[len(raws) :]) or said
        self._before = dialect, earlier, said
        return said


def _values(arguments: str) -> Iterator[str]:
    try:
        left = [msgspec.json.decode(arguments)]
    except _MALFORMED:
        yield arguments
        return
    while left:
        each = left.pop(0)
        if isinstance(each, dict):
            left[:0] = each.values()
        elif isinstance(each, list):
            left[:0] = each
        elif isinstance(each, str | int | float) and not isinstance(each, bool):
            yield str(each)


def _said(dialect: Dialect, earlier: Sequence[bytes]) -> str:
    """The last words of a user, less the documents that come with them."""
    for raw in reversed(earlier):
        if _USER in raw:
            texts = [spot.text for spot in spots(dialect, raw, users=True) if spot.pasted]
            said = [each.strip() if (ours := asked(each)) is None else ours for each in texts]
            text = "\n".join(part for part in said if part)
            if text:
                return text[-_LONGEST:]
    return ""


def asked(text: str) -> str | None:
    """What a text asks of the documents in it; None where it has none."""
    try:
        return native.select_asked(text)
    except native.Unfit:
        documents = delimited(text)
        return None if documents is None else around(text, documents)


def around(text: str, documents: Split) -> str:
    """What stands behind the documents, or else before them."""
    first, *_, last = documents.pieces
    before, after = text[: first.start], text[last.end :]
    said = after if any(each.isalnum() for each in _untagged(after)) else before
    return _untagged(said).strip()[-_LONGEST:]


def _untagged(text: str) -> str:
    """Without the tags around all documents, if there are any."""
    return _AROUND.sub("", text)
