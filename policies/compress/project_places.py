"""Which places of a JSON value a JMESPath expression names.

JMESPath answers with values; what is to be cut out are places. The expressions that name
places are followed here, step by step; conditions in brackets are the library's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from policies.base.spans import Path

Node = dict[str, Any]  # of the library's syntax tree: type, children, value


class Place(NamedTuple):
    """A value and where it stands."""

    path: Path
    value: Any


Found = Place | list["Found"] | None  # a list that is made, such as by `[a, b]`, stands nowhere


class Expression:
    """A parsed expression. Raises `ValueError` with the position where it is none that fits.

    `steps` is for `native.project`: a line for each step, with the steps that it holds below it.
    """

    def __init__(self, text: str) -> None:
        try:
            self._tree: Node = jmespath.compile(text).parsed
            wrong, odd = next(_wrong(self._tree), None), next(_odd(self._tree), None)
            self.steps = "\n".join(_lines(self._tree))
        except ParseError as error:
            raise ValueError(f"{text!r} {_reason(error, text)}") from None
        except JMESPathError as error:
            raise ValueError(f"{text!r} is no JMESPath expression: {error}") from None
        except RecursionError:
            raise ValueError(f"{text[:20]!r}… is nested too deep") from None
        if wrong is not None:
            raise ValueError(f"{text!r} is no JMESPath expression: {wrong}")
        if odd is not None:
            raise ValueError(
                f"{text!r} does not name fields: {_NAMES.get(odd, odd)} makes a new value; "
                "only fields, [n], [a:b], [*], [], [?condition], *, [a, b] and | can stand here"
            )

    def places(self, value: Any) -> list[Path]:
        """Where the expression leads in a value; raises `JMESPathError` where it fails."""
        return [place.path for place in _flat(_found(self._tree, Place((), value)))]


def _reason(error: ParseError, text: str) -> str:
    at = min(max(int(error.lex_position or 0), 0), len(text))
    what = f"{text[at : at + 20]!r} is unexpected" if text[at:].strip() else "the end is too early"
    return f"is no JMESPath expression: {what} at character {at + 1}"


_NAMES = {
    "function_expression": "a function",
    "literal": "a literal",
    "comparator": "a comparison",
    "or_expression": "||",
    "and_expression": "&&",
    "not_expression": "!",
    "multi_select_dict": "{...}",
    "expref": "&",
}


def _odd(node: Node) -> Iterator[str]:
    """The kinds of what names no place; conditions may hold anything."""
    kind = node["type"]
    if kind not in _STEPS:
        yield kind
        return
    inner = node["children"][:2] if kind == "filter_projection" else node["children"]
    for child in inner if kind != "slice" else ():
        yield from _odd(child)


def _wrong(node: Node) -> Iterator[str]:
    """What the library would only find out at a result."""
    if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        yield f"there is no function {node['value']}()"
    if node["type"] == "slice":
        if node["children"][2] == 0:
            yield "a slice has no step of 0"
        return
    for child in node["children"]:
        yield from _wrong(child)


def _lines(node: Node) -> Iterator[str]:
    """Kinds, numbers of the steps that are held, and values; of conditions only the kind."""
    kind, inner, value = node["type"], node["children"], node.get("value")
    if kind == "slice":
        inner, value = [], inner
    elif kind == "filter_projection":
        inner = []
    yield f"{kind} {len(inner)} {json.dumps(value, ensure_ascii=False)}"
    for child in inner:
        yield from _lines(child)


def _flat(found: Found) -> Iterator[Place]:
    if isinstance(found, Place):
        yield found
    elif found is not None:
        for each in found:
            yield from _flat(each)


def _found(node: Node, here: Found) -> Found:
    return _STEPS[node["type"]](node, here)


def _items(found: Found) -> list[Found]:
    """What a list holds."""
    if isinstance(found, Place):
        if not isinstance(found.value, list):
            return []
        return [Place((*found.path, at), each) for at, each in enumerate(found.value)]
    return found or []


def _made(found: Iterable[Found]) -> Found:
    return [each for each in found if each is not None]


def _plain(found: Found) -> Any:
    if isinstance(found, Place):
        return found.value
    return None if found is None else [_plain(each) for each in found]


def _field(node: Node, here: Found) -> Found:
    name = node["value"]
    if isinstance(here, Place) and isinstance(here.value, dict) and name in here.value:
        return Place((*here.path, name), here.value[name])
    return None


def _chain(node: Node, here: Found) -> Found:
    for child in node["children"]:
        here = _found(child, here)
    return here


def _index(node: Node, here: Found) -> Found:
    items = _items(here)
    at = node["value"]
    return items[at] if -len(items) <= at < len(items) else None


def _slice(node: Node, here: Found) -> Found:
    return _items(here)[slice(*node["children"])]


def _projection(node: Node, here: Found) -> Found:
    left, right = node["children"]
    return _made(_found(right, each) for each in _items(_found(left, here)))


def _values(node: Node, here: Found) -> Found:
    left, right = node["children"]
    base = _found(left, here)
    if not isinstance(base, Place) or not isinstance(base.value, dict):
        return None
    inner = (Place((*base.path, name), each) for name, each in base.value.items())
    return _made(_found(right, each) for each in inner)


def _flatten(node: Node, here: Found) -> Found:
    found: list[Found] = []
    for each in _items(_found(node["children"][0], here)):
        nested = isinstance(each, list) or (isinstance(each, Place) and _is_list(each))
        found += _items(each) if nested else [each]
    return found


def _is_list(place: Place) -> bool:
    return isinstance(place.value, list)


def _filter(node: Node, here: Found) -> Found:
    left, right, condition = node["children"]
    identity = {"type": "identity", "children": []}
    asked = {"type": "filter_projection", "children": [identity, identity, condition]}
    test = ParsedResult("", asked)
    items = _items(_found(left, here))
    return _made(_found(right, each) for each in items if test.search([_plain(each)]))


def _several(node: Node, here: Found) -> Found:
    return _made(_found(child, here) for child in node["children"])


def _same(node: Node, here: Found) -> Found:  # noqa: ARG001 - as all steps
    return here


_STEPS: dict[str, Callable[[Node, Found], Found]] = {
    "current": _same,
    "field": _field,
    "filter_projection": _filter,
    "flatten": _flatten,
    "identity": _same,
    "index": _index,
    "index_expression": _chain,
    "multi_select_list": _several,
    "pipe": _chain,
    "projection": _projection,
    "slice": _slice,
    "subexpression": _chain,
    "value_projection": _values,
}
