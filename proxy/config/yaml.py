"""YAML text as plain data that remembers where each value stood.

YAML 1.2's core schema, so `on`, `off`, `yes`, `no`, dates and `1:30` are text; with the
merge key `<<` of 1.1. Aliases work, within a bound on what they expand to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from proxy.config.env import Filled, fill
from proxy.config.problems import Mark, Path, Problem, Source, quoted

MAX_DEPTH = 40
MAX_VALUES = 20_000
_TAG = "tag:yaml.org,2002:"
_HALF = "holds half of a character (a lone surrogate)"


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's pure parser: the C one words its errors differently and may not be there."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._level = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._level += 1
        if self._level > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # PyYAML's stubs
            raise _beyond(f"nested more than {MAX_DEPTH} levels deep", mark)
        node: Node | None = super().compose_node(parent, index)
        self._level -= 1
        return node


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


class BeyondBounds(yaml.MarkedYAMLError):
    """Well-formed perhaps, and more than a configuration ever needs."""


def _beyond(problem: str, mark: Any) -> BeyondBounds:
    return BeyondBounds(problem=problem, problem_mark=mark)


@dataclass
class Document:
    """A file as data. `bad` values are placeholders: what is wrong there is said already."""

    source: Source
    tree: Any
    filled: dict[Path, Filled]  # the values that came from the environment
    bad: set[Path]
    problems: list[Problem]


def compose(text: str) -> Node | None:
    """The node tree of one YAML document; raises `yaml.YAMLError`."""
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError, IndexError) as error:
        # PyYAML lets a few escapes and version numbers through to int() and chr().
        raise _beyond("an escape or a number out of range", loader.get_mark()) from error


def document(root: Node, name: str, environ: Mapping[str, str]) -> Document:
    """The data of a node tree; raises `yaml.YAMLError` when aliases expand beyond bounds."""
    reading = _Reading(environ)
    tree = reading.value(root, ())
    source = Source(name, reading.keys, reading.values)
    return Document(source, tree, reading.filled, reading.bad, reading.problems)


@dataclass
class _Reading:
    environ: Mapping[str, str]
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    filled: dict[Path, Filled] = field(default_factory=dict)
    bad: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    visited: int = 0

    def value(self, node: Node, path: Path) -> Any:
        self._spend(node, len(path))
        self.values[path] = _mark(node)
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(kind, node, path)
        self._wrong(path, node, f"the tag {quoted(node.tag)} is not supported")
        return None

    def _spend(self, node: Node, depth: int) -> None:
        self.visited += 1
        if self.visited > MAX_VALUES:
            raise _beyond(f"holds more than {MAX_VALUES} values, aliases counted", node.start_mark)
        if depth > MAX_DEPTH:
            problem = f"nested more than {MAX_DEPTH} levels deep by its aliases"
            raise _beyond(problem, node.start_mark)

    def _wrong(self, path: Path, node: Node, message: str) -> None:
        self.bad.add(path)
        self.problems.append(Problem(_mark(node), path, message))

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, tuple[Node, Node]] = {}
        for key, key_node, value_node in self._pairs(node, path, len(path)):
            found.setdefault(key, (key_node, value_node))
        tree = {}
        for key, (key_node, value_node) in found.items():
            self.keys[*path, key] = _mark(key_node)
            tree[key] = self.value(value_node, (*path, key))
        return tree

    def _pairs(self, node: MappingNode, path: Path, depth: int) -> Iterator[tuple[str, Node, Node]]:
        """A mapping's own keys, then those merged into it, which do not replace any."""
        self._spend(node, depth)
        merged: list[Node] = []
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                parts = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                merged.extend(parts)
            elif (key := self._key(key_node, path)) is not None:
                if key in own:
                    line, column = _mark(own[key])
                    message = f"stands here again; first at {line}:{column}"
                    self.problems.append(Problem(_mark(key_node), (*path, key), message))
                else:
                    own[key] = key_node
                    yield key, key_node, value_node
        for part in merged:
            if isinstance(part, MappingNode):
                yield from self._pairs(part, path, depth + 1)
            else:
                self._wrong((*path, "<<"), part, "only a mapping, or a list of them, can be merged")

    def _key(self, node: Node, path: Path) -> str | None:
        if not isinstance(node, ScalarNode) or node.tag != _TAG + "str":
            shown = f": put {quoted(node.value)} in quotes" if isinstance(node, ScalarNode) else ""
            self.problems.append(Problem(_mark(node), path, f"a key must be text{shown}"))
            return None
        key = _whole(node.value)
        if key is None:
            self.problems.append(Problem(_mark(node), path, f"a key {_HALF}"))
        return key

    def _scalar(self, kind: str, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        if kind == "str":
            return self._text(text, node, path)
        if kind == "merge":
            return text
        if kind == "null" and text in ("~", "null", "Null", "NULL", ""):
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in ("int", "float"):
            number = _number(kind, text)
            if number is not None:
                return number
            message = "is not a finite number of up to 64 bits"
        else:
            message = f"the tag {quoted(node.tag)} is not supported"
        self._wrong(path, node, message)
        return None

    def _text(self, escaped: str, node: Node, path: Path) -> str | None:
        text = _whole(escaped)
        if text is None:
            self._wrong(path, node, _HALF)
            return None
        if "${" not in text:
            return text
        filled = fill(text, self.environ)
        for message in filled.problems:
            self._wrong(path, node, message)
        self.filled[path] = filled
        return filled.value


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _number(kind: str, text: str) -> int | float | None:
    try:
        if kind == "float":
            number = float(text)
            return number if math.isfinite(number) else None
        whole = int(text, 0 if text[:2] in ("0o", "0x") else 10)
    except ValueError:
        return None
    return whole if -(2**63) <= whole < 2**63 else None


def _whole(text: str) -> str | None:
    """Escaped surrogate pairs, as JSON writes them, as one character; None for half a pair."""
    try:
        return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None
