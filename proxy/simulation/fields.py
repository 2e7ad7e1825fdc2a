"""Reading a request's fields: a wrong or missing one is named, as the providers do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_words: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


class Invalid(Exception):
    """The request cannot be served. `param` is the field's path, such as `messages[0].role`."""

    def __init__(
        self, message: str, param: str | None, code: str = "invalid_value", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


def check(value: Any, path: str, *kinds: type) -> Any:
    """`value` if it is of one of these JSON types (`float` takes integers too)."""
    allowed = (*kinds, int) if float in kinds else kinds
    if isinstance(value, allowed) and (not isinstance(value, bool) or bool in kinds):
        return value
    wanted = " or ".join(_words[kind] for kind in kinds)
    found = _words.get(type(value), "something else")
    message = f"Invalid type for '{path}': expected {wanted}, but got {found} instead."
    raise Invalid(message, path, "invalid_type")


def take(doc: Mapping[str, Any], name: str, *kinds: type, at: str = "") -> Any:
    """The field's value, or None where it is absent or null. `at` prefixes its path."""
    value = doc.get(name)
    return None if value is None else check(value, at + name, *kinds)


def need(doc: Mapping[str, Any], name: str, *kinds: type, at: str = "") -> Any:
    """The field's value; it must be there."""
    if name not in doc:
        message = f"Missing required parameter: '{at}{name}'."
        raise Invalid(message, at + name, "missing_required_parameter")
    return check(doc[name], at + name, *kinds)


def number(doc: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    """A number within bounds, or None where there is none."""
    return _bounded(take(doc, name, float), name, low, high)


def integer(doc: Mapping[str, Any], name: str, low: int, high: int = 2**53) -> int | None:
    """An integer within bounds, or None where there is none."""
    value = _bounded(take(doc, name, int), name, low, high)
    return None if value is None else int(value)


def _bounded(value: float | None, name: str, low: float, high: float) -> float | None:
    if value is not None and not low <= value <= high:
        message = f"Invalid '{name}': {value} is not between {low} and {high}."
        raise Invalid(message, name)
    return value


def strings(doc: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A string or an array of strings; empty where there is none."""
    value = take(doc, name, str, list)
    if isinstance(value, str):
        return (value,)
    return tuple(check(item, f"{name}[{i}]", str) for i, item in enumerate(value or ()))


def objects(values: list[Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    """`(path with a dot, object)` for each item of an array of objects."""
    return [(f"{path}[{i}].", check(item, f"{path}[{i}]", dict)) for i, item in enumerate(values)]
