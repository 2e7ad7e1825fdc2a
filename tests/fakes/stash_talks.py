"""What tests of `compress.stash` have in common: long results, and a model that asks for them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.fakes.misbehaving import Seen

__all__ = ["KINDS", "TOOL", "WHERE", "last_id", "log", "prompt"]

TOOL = "read_original"
WHERE = {"chat/completions": "messages", "messages": "messages", "responses": "input"}
KINDS = sorted(WHERE)
_id = re.compile(TOOL + r" with \{\\*\"id\\*\": \\*\"([0-9a-f]{16})")


def log(name: str, rows: int = 900) -> str:
    """Lines that no two logs share, one of them with an error."""
    lines = [f"{n:04d} {name} worker {n % 17} took the next job and went on" for n in range(rows)]
    lines[rows // 2] += "\nERROR disk quota exceeded on /srv/data, exit code 28"
    return "\n".join(lines)


def last_id(doc: dict[str, Any]) -> dict[str, str]:
    """The arguments with which the model asks for the last extract's original."""
    return ids(doc)[-1]


def ids(doc: dict[str, Any]) -> list[dict[str, str]]:
    """The arguments that all extracts and stubs name."""
    return [{"id": each} for each in _id.findall(json.dumps(doc))]


def prompt(seen: Seen) -> list[str]:
    """The messages of a forwarded request, each as its JSON text."""
    field = WHERE[seen.target.removeprefix("/v1/")]
    return [json.dumps(each) for each in json.loads(seen.body)[field]]
