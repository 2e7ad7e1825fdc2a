"""What chat and completions share: chunks that carry choices, and their usage chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from proxy.wire.replay_merge import CannotRender, agree, dump, grow, mapping, number, objects
from proxy.wire.sse import encode

Members = dict[str, Any]
_FIRST = ("id", "created", "model")  # Azure's first chunk leaves them empty
_EVERY = (*_FIRST, "system_fingerprint", "service_tier")
_NOT_REPEATED = ("object", "choices", "usage")
_DONE = encode(b"[DONE]")


def fold(chunks: Iterable[Members], add: Callable[[Members, Members], None], kind: str) -> Members:
    """The plain reply that chunks amount to. `add` takes one piece of a choice into it."""
    doc: Members = {"object": kind}
    choices: dict[int, Members] = {}
    for chunk in chunks:
        for name, value in chunk.items():
            if name == "choices":
                for piece in objects(value):
                    index = number(piece.get("index"))
                    add(choices.setdefault(index, {"index": index}), piece)
            elif name == "usage":
                doc["usage"] = doc.get("usage") if value is None else value
            elif name in _FIRST:
                doc[name] = doc.get(name) or value
            elif name not in ("object", "obfuscation"):
                doc[name] = agree(doc.get(name), value)
    if not choices:
        raise CannotRender("no choices")
    if doc.get("usage", "") is None:
        del doc["usage"]  # a plain reply has no null usage; chunks do when usage was asked for
    return doc | {"choices": [choices[index] for index in sorted(choices)]}


def add_common(choice: Members, piece: Members, own: tuple[str, ...]) -> None:
    """Take the members of a piece that every choice has, except the dialect's `own`."""
    for name, value in piece.items():
        if name == "logprobs":
            choice[name] = _logprobs(choice.get(name), value)
        elif name not in own:
            known = choice.get(name)
            choice[name] = grow(known, value) if isinstance(value, list) else agree(known, value)


def _logprobs(known: Any, new: Any) -> Any:
    if known is None or new is None:
        return known if new is None else new
    joined: Members = dict(mapping(known))
    for name, value in mapping(new).items():
        before = joined.get(name)
        lists = isinstance(before, list) and isinstance(value, list)
        joined[name] = before + value if lists else agree(before, value)
    return joined


def unfold(
    doc: Members, kind: str, split: Callable[[Members], Iterator[Members]], include_usage: bool
) -> bytes:
    """The event stream of a plain reply. `split` cuts one choice into pieces."""
    head: Members = {"object": kind, **{name: doc[name] for name in _EVERY if name in doc}}
    rest = {name: doc[name] for name in doc if name not in (*_EVERY, *_NOT_REPEATED)}
    usage: Members = {"usage": None} if include_usage else {}
    events: list[bytes] = []
    choices = objects(doc.get("choices"))
    if not choices or len({number(choice.get("index")) for choice in choices}) < len(choices):
        raise CannotRender("no choices, or two of one index")
    for choice in choices:
        for piece in split(choice):
            events.append(encode(dump({**head, **rest, "choices": [piece], **usage})))
            rest = {}
    if include_usage:
        total = mapping(doc.get("usage"))
        events.append(encode(dump({**head, "choices": [], "usage": total})))
    return b"".join([*events, _DONE])
