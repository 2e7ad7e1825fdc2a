"""A value that satisfies a JSON schema.

So the simulated model fills in the arguments of tool calls, and its answers where the request
asks for a schema. `pattern`, `not` and conditions are beyond it.
"""

from __future__ import annotations

from random import Random
from typing import Any

from proxy.simulation.fields import Invalid
from proxy.simulation.words import WORDS

_DEEP = 12  # levels after which only what must be there is filled in
_formats = {
    "date": "2025-06-01",
    "date-time": "2025-06-01T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "duration": "PT1H",
}


def example(schema: Any, dice: Random) -> Any:
    """A value for the schema; the same dice give the same value.

    Raises `Invalid` for what is no JSON schema.
    """
    try:
        return _Example(schema, dice).value(schema, 0)
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError):
        # One check for every way in which a schema can be malformed.
        raise Invalid("Invalid schema.", None, "invalid_schema") from None


class _Example:
    def __init__(self, root: Any, dice: Random) -> None:
        self._root = root
        self._dice = dice

    def value(self, schema: Any, depth: int) -> Any:
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._dice.choice(schema["enum"])
        return self._made(self._kind(schema), schema, depth)

    def _made(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number":
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return self._dice.random() < 0.5
        return None if kind == "null" else self._string(schema)

    def _resolved(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema with `$ref`, `anyOf`, `oneOf` and `allOf` followed."""
        for _ in range(32):  # references may go round in a circle
            if not isinstance(schema, dict):
                return {}
            if isinstance(schema.get("$ref"), str):
                schema = self._referred(schema["$ref"])
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                # Deep inside a recursive schema, null is the way out.
                nulls = [o for o in options if isinstance(o, dict) and o.get("type") == "null"]
                chosen = nulls[0] if nulls and depth > _DEEP else options[0]
                rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
                schema = _merged([rest, self._resolved(chosen, depth)])
            elif isinstance(schema.get("allOf"), list):
                rest = {k: v for k, v in schema.items() if k != "allOf"}
                schema = _merged([rest, *(self._resolved(s, depth) for s in schema["allOf"])])
            else:
                return schema
        return {}

    def _referred(self, pointer: str) -> Any:
        found = self._root
        for step in pointer.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _kind(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else ""
        return str(kind)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required")
        names = list(properties if required is None and depth < 2 else required or ())
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names of properties are strings")
        chosen = {*names} if depth <= 4 * _DEEP else set()
        ordered = [
            *(n for n in properties if n in chosen),
            *(n for n in names if n not in properties),
        ]
        return {name: self.value(properties.get(name), depth + 1) for name in ordered}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0 if depth > _DEEP else 1)
        length = min(least, schema.get("maxItems", least))
        first = schema.get("prefixItems") or []
        items = [self.value(item, depth + 1) for item in first]
        rest = schema.get("items", {})
        while len(items) < length:
            items.append(self.value(rest, depth + 1))
        return items

    def _number(self, schema: dict[str, Any], *, whole: bool) -> float | int:
        low, high = schema.get("minimum"), schema.get("maximum")
        if (above := schema.get("exclusiveMinimum")) is not None:
            low = above + (1 if whole else 0.5)
        if (below := schema.get("exclusiveMaximum")) is not None:
            high = below - (1 if whole else 0.5)
        if low is None:
            low = 1 if high is None else min(1, high)
        value = low + self._dice.randrange(0, 100)
        if high is not None and value > high:
            value = high if low > high or whole else low + (high - low) / 2
        if factor := schema.get("multipleOf"):
            value = -(-low // factor) * factor
        return int(value) if whole else value

    def _string(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in _formats:
            return _formats[schema["format"]]
        text = self._dice.choice(WORDS)
        while len(text) < schema.get("minLength", 0):
            text += " " + self._dice.choice(WORDS)
        return text[: schema.get("maxLength", len(text))]


def _merged(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for schema in schemas:
        for key, value in schema.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged[key] = value
    return merged
