"""The fields of a request body that Penstock reads, with their types checked. Sans-IO."""

from __future__ import annotations

from typing import Any, NamedTuple

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.errors import MalformedBody
from policies.base.fingerprint import FORM
from proxy.errors import BadRequest

DIALECTS = {
    "chat/completions": Dialect.CHAT,
    "completions": Dialect.COMPLETIONS,
    "responses": Dialect.RESPONSES,
    "embeddings": Dialect.EMBEDDINGS,
    "messages": Dialect.MESSAGES,
}

LONGEST_NAME = 256  # names are kept, in routes, prices and the ledger
_NUMBER = (int, float)
_COMMON: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "stream": (bool,),
    "temperature": _NUMBER,
    "seed": (int,),
    "n": (int,),
    "best_of": (int,),
    "stream_options": (dict,),
}
_FIELDS: dict[Dialect, dict[str, tuple[type, ...]]] = {
    Dialect.CHAT: _COMMON | {"messages": (list,), "tools": (list,)},
    Dialect.COMPLETIONS: _COMMON,
    Dialect.RESPONSES: _COMMON | {"input": (str, list), "tools": (list,)},
    Dialect.EMBEDDINGS: _COMMON,
    Dialect.MESSAGES: _COMMON | {"messages": (list,), "tools": (list,)},
}
_WORDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    list: "an array",
    dict: "an object",
}


class Envelope(NamedTuple):
    """What routing needs to know of a body."""

    model: str
    stream: bool


def read(dialect: Dialect, body: Body) -> Envelope:
    """Raises `BadRequest` naming the field that has a wrong type or stands twice."""
    try:
        doc = body.json()
        body.digest(FORM)  # finds repeated keys, and is the key that caches ask for
    except MalformedBody as error:
        raise BadRequest(error.message, param=error.param) from None
    kinds_of = _FIELDS[dialect].get
    for field, value in doc.items():
        kinds = kinds_of(field)
        if kinds is not None and value is not None and type(value) not in kinds:
            raise BadRequest(f"'{field}' must be {_wanted(kinds)}", param=field)
    model = doc.get("model") or ""
    if len(model) > LONGEST_NAME:
        raise BadRequest(f"'model' is longer than {LONGEST_NAME} characters", param="model")
    return Envelope(model, doc.get("stream") is True)


def _wanted(kinds: tuple[Any, ...]) -> str:
    if kinds is _NUMBER:
        return "a number"
    return " or ".join(_WORDS[kind] for kind in kinds)
