"""Why a request was not read from the cache, in a few words for people."""

from __future__ import annotations

from policies.base.usage import Usage
from proxy.prediction.difference import Difference
from proxy.prediction.layout import Span
from proxy.prediction.predictions import Prediction

_VERBS = {
    "changed": "differs",
    "inserted": "was put in",
    "removed": "stands where others were before",
    "parameter": "differs",
    "new": "is the first that is new",
}
_NEAR = 16  # estimates are trusted to one part in so many


def why_missed(prediction: Prediction, usage: Usage | None = None) -> str:
    """What was not read that an earlier request had too, and the first difference to it.

    Empty where a request only goes on from an earlier one and was read as far as that. Without
    `usage`, or where no upstream reported it, says what is predicted. Holds no prompt text.
    """
    reported = None if usage is None or usage.estimated else usage.read
    found = [_shortfall(prediction, reported), _where(prediction)]
    return "; ".join([text for text in found if text])


def _shortfall(prediction: Prediction, reported: int | None) -> str:
    read = prediction.cached if reported is None else reported
    slack = max(prediction.step, prediction.shared // _NEAR)
    if read + slack > prediction.shared:
        return ""
    if reported is not None and reported + slack < prediction.cached:
        return f"the provider read {reported:,} tokens, {prediction.cached:,} were predicted"
    return _reason(prediction)


def _reason(prediction: Prediction) -> str:
    shared = f"{prediction.shared:,} tokens were sent before"
    if prediction.age is not None:
        shared += f", {prediction.age:,.0f} s ago"
    if prediction.lacks == "expired":
        return f"{shared}: the lifetime is over"
    if prediction.lacks == "unready":
        return f"{shared}: the reply to that had not begun"
    if prediction.lacks == "unwritten":
        return f"{shared}, without a cache mark there"
    if prediction.lacks == "short":
        return f"{shared}: too few to be cached"
    return ""


def _where(prediction: Prediction) -> str:
    found = prediction.difference
    if found is None:
        return ""
    text = f"{place_of(found)} {_VERBS[found.kind]}"
    spans = [_bytes("here", found.here), _bytes("before", found.there)]
    told = ", ".join([span for span in spans if span])
    return f"{text} ({told})" if told else text


def place_of(found: Difference) -> str:
    """A difference's place as people name it: `message 3`, `tool 0`, `system`."""
    if found.place == "parameter":
        return f"parameter {found.name}"
    if found.name not in ("tools", "functions", "system", "messages", "input"):
        return found.name
    if found.place == "system":
        return "system"
    return f"{'tool' if found.place == 'tools' else 'message'} {found.index}"


def _bytes(when: str, span: Span | None) -> str:
    return "" if span is None else f"{when} bytes {span[0]}-{span[1]}"
