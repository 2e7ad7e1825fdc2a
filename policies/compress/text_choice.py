"""The form of a program's output with the fewest tokens, and the way back from it."""

from __future__ import annotations

from typing import NamedTuple

from policies.base.ports import Count
from policies.compress import log_codec, text_items, text_repeats
from policies.compress.text_protected import is_code_or_diff
from policies.compress.text_records import records
from policies.compress.text_screen import screen, shown

_CODECS = {"items": text_items, "log": log_codec, "repeats": text_repeats}


class Chosen(NamedTuple):
    """A text, and the codecs that made it, the first first; `decode` undoes them."""

    text: str
    codecs: tuple[str, ...]


def normal(text: str) -> str:
    """What a person sees of `text`; code and diffs as they came."""
    seen = _screened(text)
    return text if seen is None else seen


def choose(text: str, count: Count) -> Chosen:
    """The shortest by counted tokens; `decode` of it is `normal(text)`, always."""
    seen = _screened(text)
    return Chosen(text, ()) if seen is None else _shortest(seen, count)


def checked(text: str, count: Count) -> str | None:
    """The text of what `choose` chooses, read back and compared; None if it is to stay."""
    seen = _screened(text)
    if seen is None:
        return None
    chosen = _shortest(seen, count)
    return chosen.text if decode(chosen) == seen else None


def _screened(text: str) -> str | None:
    """The normal form of what may change; None for code and diffs."""
    seen = shown(text)
    return None if is_code_or_diff(text, seen) else screen(seen)


def _shortest(seen: str, count: Count) -> Chosen:
    forms = [Chosen(seen, ())]
    repeats = text_repeats.encode(seen, count)
    if repeats is not None:
        forms.append(Chosen(repeats, ("repeats",)))
    items = text_items.encode(seen, count)
    before = () if items is None else ("items",)
    log = log_codec.encode(items or seen, count) if items or records(seen) else None
    if log is not None:
        again = text_repeats.encode(log, count)
        after = Chosen(log, ("log",)) if again is None else Chosen(again, ("log", "repeats"))
        forms.append(after._replace(codecs=(*before, *after.codecs)))
    if len(forms) == 1:
        return forms[0]
    return min(forms, key=lambda form: count(form.text))


def decode(chosen: Chosen) -> str:
    """The normal form of the text that was chosen for. Raises `ValueError`."""
    text = chosen.text
    for codec in reversed(chosen.codecs):
        text = _CODECS[codec].decode(text)
    return text
