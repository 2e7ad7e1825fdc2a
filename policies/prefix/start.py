"""What a prompt starts with, told from how its body opens: the instructions of its operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies.base.call import Call, Dialect
from policies.base.reading import Opening

_OPERATOR = ("system", "developer")


def list_name(dialect: Dialect) -> str:
    """The name of the list of messages."""
    return "input" if dialect is Dialect.RESPONSES else "messages"


def instructs(message: Any) -> bool:
    """Whether a message is the operator's."""
    return isinstance(message, dict) and message.get("role") in _OPERATOR


def leading(messages: Sequence[Any]) -> int:
    """How many messages instruct before the first that does not."""
    return next((at for at, each in enumerate(messages) if not instructs(each)), len(messages))


def opening_of(call: Call, besides: Sequence[str]) -> Opening | None:
    """What the call's body opens with, if all that instructs is certain to lie in it.

    That are the leading messages of the operator, and the members `besides`: they are the same
    in every call for which the same opening is found here.
    """
    opening = call.body.opening
    name = list_name(call.dialect)
    if opening is None or opening.name != name:
        return None
    doc, fixed = call.doc(), opening.fixed
    for member in besides:
        if member not in fixed and doc.get(member) is not None:
            return None
    known = len(opening.items)
    if led(opening) == known and len(doc[name]) > known and instructs(doc[name][known]):
        return None
    return opening


def led(opening: Opening) -> int:
    """`leading` of the messages that the opening holds; found out once."""
    found: int | None = opening.notes.get(led)
    if found is None:
        found = opening.notes[led] = leading(opening.items)
    return found
