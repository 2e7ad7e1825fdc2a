"""Fields around a request in a log: when, in which session, and what was answered."""

from __future__ import annotations

import datetime as dt
from math import isfinite
from typing import Any

from proxy.replay.talk import Malformed

_MICROSECONDS, _MILLISECONDS = 1e14, 1e11  # Unix times from here on are not in seconds
LATEST = 1e11  # seconds, in the year 5138: what is beyond is no time


def seconds_of(doc: dict[str, Any]) -> float | None:
    """`timestamp` or `time` in seconds: a number by its size, or ISO 8601 text.

    None where there is neither; raises `Malformed` for anything else.
    """
    value = doc.get("timestamp", doc.get("time"))
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            raise Malformed("the time is not ISO 8601") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Malformed("the time is neither a number nor text")
    if abs(value) >= LATEST * 1e6:
        raise Malformed("the time is thousands of years away")
    if abs(value) >= _MICROSECONDS:
        return value / 1e6
    return value / 1e3 if abs(value) >= _MILLISECONDS else float(value)


def session_of(doc: dict[str, Any]) -> str:
    """The session that a log names; empty where it names none."""
    for name in ("session_id", "session"):
        value = doc.get(name)
        if isinstance(value, str | int):
            return str(value)
    return ""


def answer_of(response: Any) -> dict[str, Any] | str | None:
    """The assistant's message in a recorded reply of any dialect, or its text."""
    if isinstance(response, str):
        return response
    if not isinstance(response, dict):
        return None
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        found = choices[0].get("message", choices[0].get("text"))
        return found if isinstance(found, dict | str) else None
    return response if response.get("role") == "assistant" else None
