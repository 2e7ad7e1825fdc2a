"""Words: how a JSON string, key or number stands in the compact notation.

A string without delimiters in it stands bare, unless it could be taken for a number, for one
of the words `true`, `false` and `null`, or for the mark of an absent cell. All others stand as
in JSON. Everything here works on strings that JSON text holds, written with as few escapes as
RFC 8259 allows.
"""

from __future__ import annotations

import re

import msgspec

ABSENT = "-"  # the cell of a row that lacks the column
NAMES = frozenset({"true", "false", "null"})

# White space, controls and what shows as nothing.
_UNSEEN = r"\x00-\x20\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_PLAIN = rf'[^{_UNSEEN}"\\{{}}\[\],]'
_WITHIN = rf'[^{_UNSEEN}"\\{{}}\[\]]'
# `{/sha}` may follow, as in URI templates: behind a bare character no object can begin.
BARE = rf"{_PLAIN}++(?:\{{{_WITHIN}*+\}}{_PLAIN}*+)*+"
QUOTED = r'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"'
KEY = rf'[^{_UNSEEN}"\\{{}}\[\],:=~<>*]++'

_NUMERIC = r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+"
_word = re.compile(rf"(?!(?:true|false|null|{ABSENT}|{_NUMERIC})\Z){BARE}").fullmatch
_piece = re.compile(rf"(?!(?:null|{ABSENT})\Z){BARE}").fullmatch
_key = re.compile(KEY).fullmatch
_SHORT = 48  # characters
_MOST = 8192  # texts
_encode = msgspec.json.Encoder().encode


def quoted(text: str) -> str:
    """The string as JSON text. Raises `UnicodeEncodeError` on a lone surrogate."""
    return _encode(text).decode()


class Memo(dict[str | None, str]):
    """Remembers what short texts become, since names and values come again; bounded."""

    def keep(self, text: str, found: str) -> str:
        """`found`, which may be remembered as what `text` becomes."""
        if len(text) <= _SHORT:
            if len(self) >= _MOST:
                self.clear()
            self[text] = found
        return found


class _Words(Memo):
    """String -> its word."""

    def __missing__(self, text: str) -> str:
        return self.keep(text, text if _word(text) else quoted(text))


class _Keys(Memo):
    """Member name -> its word. A name is always a string, so `404` can stand bare."""

    def __missing__(self, text: str) -> str:
        return self.keep(text, text if _key(text) else quoted(text))


def piece(text: str) -> str:
    """A part of a string: it cannot be a number, so digits stand bare."""
    return text if _piece(text) else quoted(text)


words, keys = _Words(), _Keys()
