"""`${NAME}` and `${NAME:-default}` in the text of a configuration file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_REFERENCE = re.compile(
    r"\$\$\{"  # `$${` stands for `${`
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<bad>\$\{)"
)
_BAD = "'${' begins no reference: write ${NAME} or ${NAME:-default}, or $${ for '${' itself"


class Filled(NamedTuple):
    """`value` may be secret. `literal`: some of it stands in the file itself."""

    value: str
    literal: bool
    taken: tuple[tuple[str, str], ...]  # variables and their values
    problems: tuple[str, ...]


def fill(text: str, environ: Mapping[str, str]) -> Filled:
    """Put variables in place; as in a shell, `:-` also replaces an empty one."""
    taken: dict[str, str] = {}
    problems: list[str] = []
    defaults: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name is None:
            problems.extend([_BAD] if match["bad"] else [])
            return "${"
        value = environ.get(name)
        if default is not None and not value:
            defaults.append(default)
            return str(default)
        if value is None:
            problems.append(f"the environment variable {name} is not set")
            return ""
        if not _is_text(value):
            problems.append(f"the environment variable {name} is not UTF-8 text")
            return ""
        taken[name] = value
        return value

    filled = _REFERENCE.sub(replace, text)
    around = _REFERENCE.sub(lambda match: "" if match["name"] else match[0], text)
    literal = bool(around) or any(defaults) or not text
    shown = [_BAD] if _BAD in problems else problems
    return Filled(filled, literal, tuple(taken.items()), tuple(shown))


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
