"""A document against a model: every problem at once, in the words of a user."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from proxy.config import NAME_PATTERN
from proxy.config.forms import Forms
from proxy.config.problems import Path, Problem, nearest, offer
from proxy.config.walk import keys_of, parts
from proxy.config.yaml import Document

M = TypeVar("M", bound=BaseModel)

_NOT_IN_FILE = 'is a secret and may not stand in the file: write "${NAME}" and set NAME'
_NAME = "must be up to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"
_MUST_BE = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_KINDS = {str: "text", bool: "true or false", list: "a list", dict: "a mapping", int: "a number"}
_KINDS |= {float: "a number", type(None): "nothing"}
_SHORTEST_SECRET = 4


def check(model: type[M], document: Document, forms: Forms) -> tuple[M | None, list[Problem]]:
    """Read a document by a model. The model is there exactly when there is no problem.

    A value that came from the environment is never repeated in a message.
    """
    problems = [*document.problems, *_literal_secrets(model, document)]
    try:
        # As JSON, strict models still take a list for a tuple and text for an enum or a path.
        form = model.model_validate_json(json.dumps(document.tree))
    except ValidationError as error:
        reader = _Wording(model, document, forms)
        problems += reader.problems(error.errors(include_url=False))
        form = None
    except OverflowError:
        problems.append(Problem(None, (), "holds a quantity that is too large"))
        form = None
    return (None if problems else form), problems


def _literal_secrets(model: type[BaseModel], document: Document) -> Iterator[Problem]:
    for path, kind in parts(model, document.tree):
        filled = document.filled.get(path)
        if kind is SecretStr and path not in document.bad and (filled is None or filled.literal):
            yield document.source.problem(path, _NOT_IN_FILE)


class _Wording:
    def __init__(self, model: type[BaseModel], document: Document, forms: Forms) -> None:
        self._document = document
        self._source = document.source
        self._forms = forms
        self._keys: dict[Path, list[str]] = {}
        taken = {pair for filled in document.filled.values() for pair in filled.taken}
        for path, kind in parts(model, document.tree):
            if issubclass(kind, BaseModel):
                self._keys[path] = keys_of(kind)
            else:
                taken.add(("SECRET", self._value(path)))
        self._secrets = sorted(taken, key=lambda pair: -len(pair[1]))

    def problems(self, errors: list[ErrorDetails]) -> list[Problem]:
        by_path: dict[Path, list[Problem]] = {}
        for error in errors:
            path = self._path(error)
            if not any(path[:length] in self._document.bad for length in range(1, len(path) + 1)):
                problem = self._problem(error, path)
                by_path.setdefault(problem.path, []).append(problem)
        return [self._joined(alternatives) for alternatives in by_path.values()]

    @staticmethod
    def _joined(alternatives: list[Problem]) -> Problem:
        """The members of a plain union each complain; one of them is enough to please."""
        messages = dict.fromkeys(problem.message for problem in alternatives)
        return alternatives[0]._replace(message=", or ".join(messages))

    def _path(self, error: ErrorDetails) -> Path:
        """Pydantic's location without its names for the members of unions."""
        path: Path = ()
        for part in error["loc"]:
            if (*path, part) in self._source.values:
                path = (*path, part)
        return (*path, error["loc"][-1]) if error["type"] == "missing" else path

    def _problem(self, error: ErrorDetails, path: Path) -> Problem:
        kind = error["type"]
        if kind == "missing":
            return self._source.problem(path, "is required")
        if kind == "extra_forbidden":
            message = f"unknown key{offer(str(path[-1]), self._keys.get(path[:-1], []))}"
            return self._source.key_problem(path, message)
        if error["loc"][-1:] == ("[key]",):
            return self._source.key_problem(path, _NAME)
        value = self._value(path)
        if kind == "use" and isinstance(value, dict):
            return self._use(path, value)
        return self._source.problem(path, self._message(error, path, value))

    def _use(self, path: Path, value: dict[str, Any]) -> Problem:
        use = value.get("use")
        backend = path[0] == "backends"
        thing = "backend" if backend else "policy"
        known = sorted(self._forms.backends if backend else self._forms.policies)
        path = (*path, "use")
        if path in self._document.bad:
            return self._source.problem(path, "cannot be read")
        if use is None:
            return self._source.problem(path, f"is required: one of {', '.join(known)}")
        if not isinstance(use, str):
            return self._source.problem(path, f"must be text, the name of a {thing}")
        return self._source.problem(path, f"unknown {thing}{offer(use, known)}")

    def _value(self, path: Path) -> Any:
        value = self._document.tree
        for part in path:
            value = value[part]
        return value

    def _message(self, error: ErrorDetails, path: Path, value: Any) -> str:
        kind = error["type"]
        context = error.get("ctx", {})
        if kind in _MUST_BE:
            from_env = ", which ${…} always gives" if path in self._document.filled else ""
            return f"must be {_MUST_BE[kind]}, not {_KINDS[type(value)]}{from_env}"
        if kind in _BOUNDS:
            return _BOUNDS[kind].format(**context)
        if kind in ("literal_error", "enum"):
            expected = str(context["expected"])
            choices = re.findall(r"'([^']+)'", expected)
            return f"must be {expected}{nearest(value, choices) if type(value) is str else ''}"
        if kind == "use":
            return f"must be a mapping with 'use', not {_KINDS[type(value)]}"
        if kind == "string_pattern_mismatch":
            pattern = context["pattern"]
            return _NAME if pattern == NAME_PATTERN else f"must match {pattern}"
        return self._without_secrets(str(context["error"]) if "error" in context else error["msg"])

    def _without_secrets(self, message: str) -> str:
        """Words of somebody else's validator, which may repeat what it was given."""
        for name, value in self._secrets:
            if len(value) >= _SHORTEST_SECRET:
                message = message.replace(value, f"${{{name}}}")
        return " ".join(message.split()) or "is not valid"
