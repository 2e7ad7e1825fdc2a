"""A configuration file's bytes as a `Document`, or one clear line why they are not YAML."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from yaml.nodes import MappingNode
from yaml.reader import ReaderError

from proxy.config.problems import Mark, Problem, Source
from proxy.config.yaml import BeyondBounds, Document, compose, document
from proxy.errors import ConfigError

MAX_BYTES = 1024 * 1024

_PLAIN_WORDS = {
    "mapping values are not allowed here": "a ':' where no value can begin"
    " (is the line above indented like this one, or does a text with ': ' need quotes?)",
    "could not find expected ':'": "a key without ':'",
    "expected <block end>, but found '<block mapping start>'": "indented differently from the lines"
    " it belongs to",
    "expected <block end>, but found '<block sequence start>'": "a list item indented differently"
    " from those it belongs to",
    "expected <block end>, but found '-'": "a list item among the keys of a mapping",
    "but found another document": "a second document begins here",
}


def read(data: str | bytes, name: str, environ: Mapping[str, str]) -> Document:
    """Parse and fill in variables. Raises `ConfigError` when there is no mapping to look at."""
    text = _decoded(data, name)
    try:
        root = compose(text)
        if root is None:
            raise _error(name, None, "the file is empty; the least it can say is 'version: 1'")
        mark = Mark(root.start_mark.line + 1, root.start_mark.column + 1)
        if not isinstance(root, MappingNode):
            raise _error(name, mark, "the file must be a mapping, such as 'version: 1'")
        return document(root, name, environ)
    except ReaderError as error:
        position = _position(text, error.position)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise _error(name, position, message) from None
    except yaml.MarkedYAMLError as error:
        mark_of = error.problem_mark or error.context_mark
        at = Mark(mark_of.line + 1, mark_of.column + 1) if mark_of else None
        raise _error(name, at, _syntax(error, text)) from None


def _decoded(data: str | bytes, name: str) -> str:
    size = len(data)
    if size > MAX_BYTES:
        raise _error(name, None, f"the file is larger than {MAX_BYTES} bytes")
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        position = _position(before, len(before))
        raise _error(name, position, f"not UTF-8 text: {error.reason}") from None


def _position(text: str, index: int) -> Mark:
    before = text[:index]
    return Mark(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _error(name: str, mark: Mark | None, message: str) -> ConfigError:
    return ConfigError(Source(name, {}, {}).lines([Problem(mark, (), message)]))


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = (error.problem or "not valid YAML").strip()
    mark = error.problem_mark
    if "'\\t'" in problem:
        return "a tab cannot stand here; indent with spaces"
    if isinstance(error, BeyondBounds):
        return problem
    plain = _PLAIN_WORDS.get(problem, problem)
    inside = f" {error.context}" if error.context and plain is problem else ""
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    quotes = " (inside braces and brackets, ${…} needs quotes)" if "${" in line else ""
    return f"not valid YAML: {plain}{inside}{quotes}"
