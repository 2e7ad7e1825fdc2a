"""Rendering a request into the prompt that a model would read, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policies.base.units import seconds
from proxy.simulation.fields import Invalid, check, objects
from proxy.simulation.prompt import Segment
from proxy.simulation.tokens import Encode
from proxy.simulation.wire import dumps

_unread = {"cache_control", "prompt_cache_breakpoint", "id"}  # never shown to the model


class Script:
    """Collects segments. A message's role opens its first block."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._opening = ""
        self.segments: list[Segment] = []

    def open(self, role: str) -> None:
        """What follows is a message of this role."""
        self._opening = f"<|{role}|>\n"

    def add(self, text: str, part: Mapping[str, Any] | None = None, path: str = "") -> None:
        """A block, with the marks that `part` carries."""
        part = part or {}
        self.segments.append(
            Segment(
                self._encode(self._opening + text),
                cache_control=lifetime(part, "cache_control", path),
                breakpoint=lifetime(part, "prompt_cache_breakpoint", path),
            )
        )
        self._opening = ""

    def content(self, content: str | list[Any] | None, at: str) -> str:
        """A message's content, a string or parts; its whole text."""
        if isinstance(content, str):
            self.add(content)
            return content
        texts = []
        for place, part in objects(content or [], at + "content"):
            texts.append(text_of(part))
            self.add(texts[-1], part, place)
        return "\n".join(texts)

    def call(self, name: str, arguments: str, part: Mapping[str, Any] | None = None) -> None:
        """A tool call of the assistant."""
        self.add(f"<|call|>{name} {arguments}", part)

    def close(self) -> None:
        """The message of a user or tool ends here."""
        if self._opening:
            self.add("")
        if self.segments:
            last = self.segments[-1]
            self.segments[-1] = Segment(last.tokens, last.cache_control, last.breakpoint, True)

    def tools(self, tools: Iterable[Mapping[str, Any]]) -> None:
        """Tool definitions, in the order and form in which they came."""
        for index, tool in enumerate(tools):
            self.add("<|tool|>" + unmarked(tool), tool, f"tools[{index}].")


def spoken(encode: Encode, text: str, calls: Iterable[tuple[str, str]]) -> bytes:
    """The tokens of an assistant's turn as it stands in the next prompt."""
    script = Script(encode)
    script.open("assistant")
    if text:
        script.add(text)
    for name, arguments in calls:
        script.call(name, arguments)
    return b"".join(segment.tokens for segment in script.segments)


def text_of(part: Mapping[str, Any]) -> str:
    """A content part's text; parts of other kinds as their JSON."""
    text = part.get("text")
    if isinstance(text, str) and str(part.get("type")).endswith("text"):
        return text
    return unmarked(part)


def unmarked(part: Mapping[str, Any]) -> str:
    """A part's JSON without cache marks and ids, which models do not see."""
    text = dumps({key: value for key, value in part.items() if key not in _unread})
    return text.decode("utf-8", "surrogatepass")


def lifetime(part: Mapping[str, Any], name: str, path: str = "") -> float | None:
    """The lifetime of a mark in seconds, 0 where it names none; None without a mark."""
    mark = part.get(name)
    if mark is None:
        return None
    ttl = check(mark, path + name, dict).get("ttl", 0)
    try:
        return float(seconds(ttl))
    except (TypeError, ValueError):
        raise Invalid(f"Invalid value: {ttl!r}.", f"{path}{name}.ttl") from None
