"""A JSON request body: immutable, parsed at most once, edited by splicing spans."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from policies.base.canonical import every_key_once, parse
from policies.base.errors import MalformedBody
from policies.base.reading import Opening, Reading, resumed
from policies.base.spans import Path, outline, splice


class Body:
    """The JSON text of a request (`raw`) and the bytes that carried it (`wire`).

    `wire` differs from `raw` only when the client compressed its request. Text that many
    parsers read but strict JSON forbids (a BOM, NaN, lone surrogates, nesting beyond the
    parser's depth) is forwarded as it came, never edited and never a cache key.
    """

    __slots__ = ("_digests", "_doc", "_fields", "_reading", "blocks", "memo", "raw", "wire")

    def __init__(self, raw: bytes, wire: bytes | None = None) -> None:
        self.raw = raw
        self.wire = raw if wire is None else wire
        self.memo: tuple[object, object] = (None, None)  # `fingerprint`'s: for whom, and what
        self.blocks: object = None  # `policies.base.prompt`'s memo
        self._reading: Reading | None = None
        self._doc: dict[str, Any] | None = None
        self._fields: Mapping[str, object] = {}  # remembered without a parse
        self._digests: dict[frozenset[str], bytes | None] = {}  # so are these

    @property
    def reading(self) -> Reading | None:
        """How it was read; None where it is no strict JSON object. See `json`."""
        self.json()
        return self._reading

    def read_on(self, opening: Opening) -> None:
        """Take over what was read of an earlier body that has this opening too."""
        reading = resumed(self.raw, opening)
        if reading is not None:
            self._reading = reading
            self._doc = self._fields = reading.doc

    def json(self) -> dict[str, Any]:
        """The parsed object, shared: callers must not change it.

        Integral numbers are ints (`1.0` reads as 1). Raises `MalformedBody` when the text
        is not one JSON object. Nested too deep to parse, only top-level scalars are there.
        """
        if self._doc is None:
            parsed = parse(self.raw)
            doc = parsed.doc if parsed else _lenient(self.raw)
            if not isinstance(doc, dict):
                raise MalformedBody("the request body must be a JSON object", None)
            self._reading = Reading(parsed, self.raw) if parsed else None
            self._doc = self._fields = doc
        return self._doc

    def field(self, name: str) -> Any:
        """A member of the outermost object, None where there is none; see `json`."""
        if self._doc is None and name not in self._fields:
            self.json()
        return self._fields.get(name)

    @property
    def opening(self) -> Opening | None:
        """The part that was read with an earlier body, if it was read on from one."""
        return None if self._reading is None else self._reading.opening

    def fields(self, names: Collection[str]) -> dict[str, Any]:
        """Members of the outermost object by name, None for those that are not there."""
        if self._doc is None and any(name not in self._fields for name in names):
            self.json()
        get = self._fields.get
        return {name: get(name) for name in names}

    def holds(self, word: bytes) -> bool:
        """Whether a word of JSON text, such as `"tools"`, stands anywhere in the body."""
        return word in self.raw if self._reading is None else self._reading.holds(word)

    def recall(
        self, fields: Mapping[str, object], without: frozenset[str], digest: bytes | None
    ) -> None:
        """Take over what was found in another body of the same bytes."""
        if self._doc is None:
            self._fields = fields
        self._digests[without] = digest

    def digest(self, without: frozenset[str] = frozenset()) -> bytes | None:
        """32 bytes that are the same for two bodies exactly when their JSON values are.

        The top-level keys `without` do not count. None when the body is not strict JSON or an
        inner object repeats a key, so that its value is uncertain. Raises `MalformedBody`
        naming the key when the outermost object repeats one.
        """
        if without in self._digests:
            return self._digests[without]
        reading = self.reading
        return None if reading is None else reading.digest(without)

    def edit(self, values: Mapping[Path, Any]) -> Body:
        """A new body with the value at each path replaced; every other byte stays.

        Raises `KeyError` for a path that is not there, `ValueError` where `digest()` is
        None, since there a span could not be named with certainty.
        """
        if self.digest() is None:
            raise ValueError("only strict JSON without repeated keys can be edited")
        return Body(splice(self.raw, values))


def _lenient(raw: bytes) -> Any:
    """Parse what strict JSON forbids but an upstream may take."""
    try:
        every_key_once(raw)
        return json.loads(raw, parse_int=_integer)
    except RecursionError:
        return _outlined(raw)
    except UnicodeDecodeError as error:
        reason = f"the request body is not UTF-8 text (byte {error.start}: {error.reason})"
        raise MalformedBody(reason, None) from None
    except MalformedBody:
        raise
    except ValueError as error:
        raise MalformedBody(f"the request body is not valid JSON: {error}", None) from None


def _integer(digits: str) -> int:
    """An integer of any length; a very long one, which Python refuses to read, by its beginning."""
    return int(digits[:4000])


def _outlined(raw: bytes) -> dict[str, Any]:
    try:
        return outline(raw)
    except ValueError as error:
        raise MalformedBody(f"the request body is not valid JSON: {error}", None) from None
