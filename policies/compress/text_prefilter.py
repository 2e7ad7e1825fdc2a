"""Whether a pattern may stand in a text, told much sooner than `re` tells where nothing does."""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import SchemaValidator, core_schema


def _finder(pattern: str) -> Callable[[str], bool]:
    return SchemaValidator(core_schema.str_schema(pattern=pattern)).isinstance_python


_taken = _finder("")


def prefilter(pattern: str) -> Callable[[str], bool]:
    """Searches for a pattern in the syntax of Rust's `regex`, which pydantic has in it.

    Linear in the text whatever the pattern; so there is no looking around. Patterns for `re`
    mean the same if verbose ones have no white space in brackets, but for which letters outside of
    ASCII are words' and which are the same in another case. True also for texts with halves of
    surrogate pairs, which that engine does not take.
    """
    found = _finder(pattern)
    return lambda text: found(text) or not (text.isascii() or _taken(text))


def prefilter_ascii(pattern: str) -> Callable[[str], bool]:
    """The same of a pattern as `re` reads it, for texts of ASCII: a much smaller automaton.

    True for all other texts, and for some in which the pattern does not stand.
    """
    for letters, signs in (
        (r"\w", "[0-9A-Za-z_]"),
        (r"\s", r"[\t-\r\x1c-\x20]"),
        (r"\b", r"(?-u:\b)"),
    ):
        pattern = pattern.replace(letters, signs)
    found = _finder(pattern)
    return lambda text: not text.isascii() or found(text)
