"""The tools of a request and which of them the model may or must call, in every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.simulation.fields import Invalid, check, need, objects, take
from proxy.simulation.turn import Tool

_modes = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def choose(tools: tuple[Tool, ...], choice: Any) -> tuple[tuple[Tool, ...], str]:
    """The callable tools and `auto`, `none` or `required`.

    Takes a mode's name, `{"type": mode}`, one tool by name (as chat, responses or messages
    write it) and `allowed_tools`.
    """
    if choice is None:
        return tools, "auto"
    if isinstance(choice, str):
        return tools, _mode(choice)
    kind = take(check(choice, "tool_choice", str, dict), "type", str, at="tool_choice.")
    if kind in _modes:
        return tools, _modes[kind]
    if kind == "allowed_tools":
        allowed = choice if "mode" in choice else take(choice, kind, dict, at="tool_choice.") or {}
        listed = objects(need(allowed, "tools", list, at="tool_choice."), "tool_choice.tools")
        return _among(tools, [_name(tool) for _, tool in listed]), _mode(allowed.get("mode"))
    return _among(tools, [_name(choice)]), "required"


def _mode(word: Any) -> str:
    if not isinstance(word, str) or word not in _modes:
        message = f"Invalid value: {word!r}. Supported values are: 'none', 'auto', and 'required'."
        raise Invalid(message, "tool_choice")
    return _modes[word]


def _name(tool: dict[str, Any]) -> str:
    named = take(tool, "function", dict, at="tool_choice.") or tool
    return str(need(named, "name", str, at="tool_choice."))


def _among(tools: tuple[Tool, ...], names: Sequence[str]) -> tuple[Tool, ...]:
    known = {tool.name: tool for tool in tools}
    for name in names:
        if name not in known:
            message = f"Tool choice '{name}' not found in 'tools' parameter."
            raise Invalid(message, "tool_choice")
    return tuple(known[name] for name in names)
