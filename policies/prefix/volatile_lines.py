"""The system prompt as lines, and the same with some of them moved out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from policies.base.call import Call, Dialect
from policies.base.prompt import Reading, reading
from policies.base.spans import Path
from policies.prefix.canonical_outline import Span, is_text, items, members, outline
from policies.prefix.start import instructs, list_name

# Members besides messages that hold parts of the system prompt, in each dialect that has one.
BESIDES: dict[Dialect, tuple[str, ...]] = {
    Dialect.CHAT: (),
    Dialect.MESSAGES: ("system",),
    Dialect.RESPONSES: ("instructions",),
}
_json = msgspec.json.Encoder().encode
_value = msgspec.json.Decoder().decode


class System(msgspec.Struct, frozen=True, gc=False):
    """The texts of a system prompt: where each stands, and its lines."""

    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    rows: tuple[list[str], ...]

    def shape(self) -> tuple[Any, ...]:
        """Equal for prompts whose lines can be laid side by side."""
        return (self.paths, tuple(len(rows) for rows in self.rows))

    def lines(self) -> list[str]:
        """All lines, in order; line number n has index n - 1."""
        return [line for rows in self.rows for line in rows]

    def without(self, moved: Sequence[int]) -> tuple[str, ...]:
        """The texts, with a placeholder for each line in `moved`."""
        found: list[str] = []
        start = 0
        for text, lines in zip(self.texts, self.rows, strict=True):
            end = start + len(lines)
            here = [index for index in moved if start <= index < end]
            rows = list(lines) if here else lines
            for index in here:
                rows[index - start] = placeholder(index)
            found.append("\n".join(rows) if here else text)
            start = end
        return tuple(found)


def placeholder(index: int) -> str:
    """What stands for a moved line, the same in every request."""
    number = index + 1
    return (
        f'[Line {number} is kept up to date in <system-line n="{number}"> blocks, which the '
        "system appends to user messages; the latest one counts.]"
    )


def reminder(lines: Sequence[str], moved: Sequence[int]) -> str:
    """The moved lines as they go after a user message."""
    return "\n".join(
        f'<system-line n="{index + 1}">{lines[index]}</system-line>' for index in moved
    )


def digest(texts: Sequence[str]) -> bytes:
    """16 bytes that name the texts of a system prompt."""
    found = sha256()
    for text in texts:
        found.update(text.encode())
        found.update(b"\0")
    return found.digest()[:16]


def system(call: Call) -> System | None:
    """The system prompt; None where there is none, or its shape is not known."""
    read = reading(call) if call.body.blocks else None
    if read is None:
        return _system(call, call.doc())
    found = read.earlier.get(System)
    if not isinstance(found, System):
        found = _system(call, _beginning(read))
    read.notes[System] = found
    return found


def _beginning(read: Reading) -> dict[str, Any]:
    """As much of a request as has a part in its system prompt."""
    listed = (block for block in read.blocks if block.path[0] == "messages")
    first = next((block.index for block in listed if block.place == "message"), None)
    messages = [_value(raw) for raw in (read.top.messages or ())[:first]]
    return {"system": _value(read.top.system), "messages": messages}


def _system(call: Call, doc: dict[str, Any]) -> System | None:
    found: list[tuple[Path, str]] = []
    try:
        for name in BESIDES[call.dialect]:
            if doc.get(name) is not None:
                found += _texts(doc[name], (name,))
        if call.dialect is not Dialect.MESSAGES:
            found += _leading(doc, list_name(call.dialect))
    except TypeError:
        return None
    if not found:
        return None
    texts = tuple(text for _, text in found)
    return System(tuple(path for path, _ in found), texts, tuple(it.split("\n") for it in texts))


def _leading(doc: dict[str, Any], name: str) -> Iterator[tuple[Path, str]]:
    """System and developer messages before the first of anyone else."""
    messages = doc.get(name)
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if not instructs(message):
            return
        yield from _texts(message.get("content"), (name, index, "content"))


def _texts(content: Any, at: Path) -> Iterator[tuple[Path, str]]:
    """Raises `TypeError` for anything but a text or a list of text parts."""
    if isinstance(content, str):
        yield at, content
        return
    if not isinstance(content, list):
        raise TypeError
    for index, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise TypeError
        yield (*at, index, "text"), part["text"]


def placed(call: Call, paths: Sequence[Path]) -> list[Span] | None:
    """Where the values at `paths` lie in the body's text; None where that is uncertain."""
    top = outline(call.body)
    found: list[Span] = []
    for path in paths if top else ():
        assert top is not None
        span = top.spans.get(str(path[0]))
        rest = path[1:]
        if rest and isinstance(rest[0], int):
            listed = top.items(str(path[0]))
            span = listed[1][rest[0]] if listed and rest[0] < len(listed[1]) else None
            rest = rest[1:]
        for step in rest:
            span = _within(top.text, span, step) if span else None
        if span is None or not is_text((top.text[span[0] : span[1]],)):
            return None
        found.append(span)
    return found if top else None


def _within(raw: bytes, span: Span, step: str | int) -> Span | None:
    start = span[0]
    text = raw[start : span[1]]
    if isinstance(step, int):
        listed = items(text)
        inner = listed[1][step] if listed and step < len(listed[1]) else None
    else:
        inner = (members(text) or {}).get(step)
    return (start + inner[0], start + inner[1]) if inner else None


def rewritten(call: Call, prompt: System, texts: Sequence[str]) -> list[tuple[Span, bytes]] | None:
    """What to splice so that the system prompt reads `texts`."""
    before = prompt.texts
    changed = [index for index, text in enumerate(texts) if text is not before[index]]
    spans = placed(call, [prompt.paths[index] for index in changed])
    if spans is None:
        return None
    return [(span, _json(texts[index])) for span, index in zip(spans, changed, strict=True)]
