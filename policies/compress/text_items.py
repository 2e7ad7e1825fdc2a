"""Long lines that list things, broken so that each thing has a line, as `log_codec` needs it.

    [lines are broken after "), "; one that starts with & goes on with the line above]
    Install: libc6:amd64 (2.36-9, automatic),
    &libgcc-s1:amd64 (12.2.0-14, automatic),

Restored exactly is the whole text. By itself this saves nothing.
"""

from __future__ import annotations

from policies.base.ports import Count

_LINE = 240  # characters that the lines have on average, at least, and the things at most
_FEWEST = 20  # things
_SEPARATORS = ("), ", "; ", ", ")

_HEAD = '[lines are broken after "{}"; one that starts with & goes on with the line above]'
_HEADS = {_HEAD.format(separator): separator for separator in _SEPARATORS}


def encode(text: str, count: Count) -> str | None:  # noqa: ARG001 - the form that codecs have
    """The text with a line a thing; None where it has no long lines or few things.

    JSON is left to the codecs of its own.
    """
    lines = text.count("\n") + 1
    if text[:1] in "{[" or len(text) < _LINE * lines or "\n&" in text:
        return None
    for separator in _SEPARATORS:
        things = text.count(separator)
        if things >= _FEWEST and len(text) < _LINE * (lines + things):
            broken = text.replace(separator, f"{separator.rstrip()}\n&")
            return f"{_HEAD.format(separator)}\n{broken}"
    return None


def decode(encoded: str) -> str:
    """The inverse of `encode`. Raises `ValueError` for what has another first line."""
    head, _, text = encoded.partition("\n")
    if head not in _HEADS:
        raise ValueError("not the head of broken lines")
    separator = _HEADS[head]
    return text.replace(f"{separator.rstrip()}\n&", separator)
