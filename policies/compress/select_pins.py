"""What is never left out: errors, and what the question names by number or identifier.

Every pattern takes time in proportion to the text: none repeats what may begin anywhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Of a text with a line feed in front, which is searched for.
_FRAME = re.compile(
    r"""(?mx)\n[ \t>]*(?:
        Traceback\ \(most|File\ "|Caused\ by:|at\ [\w$.<>/]+\ ?[(:]|\#[0-9]+\ +[0-9a-z_]
      | goroutine\ [0-9] | E:\ | E\ {3} | [EF][0-9]{4}\ [0-9]{2}: | [\u2717\u2718\u00d7\u2716\u274c]
      | Failed\b | Killed$
    )"""
)
# Trouble in whatever case it stands.
_PHRASES = (
    *("permission denied", "access denied", "connection refused", "connection reset"),
    *("no such file", "command not found", "segmentation fault", "core dumped", "out of memory"),
    *("timed out", "syntax error", "assertion failed", "unhandled", "stack trace", "stacktrace"),
)
# Trouble of a certain form, and the words, one of which is in it, in lower case.
_FORMS = {
    ("error", "fatal", "critical", "severe", "panic", "fail", "alert", "emerg"): r"""
        \b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|FAIL|FAILED|FAILURE|ALERT|EMERG)\b
    """,
    ("error", "fatal", "exception", "failure", "panic", "warning", "fault"): r"""
        (?:Error|Exception|Failure|Fault|Warning)\b\ ?:
      | \b(?i:(?:error|fatal|exception|failure|panic|warning)s?\ ?:)
      | [a-z](?:Error|Exception)\b | ["']errors?["']\ ?:
      | \berror(?:\[|\ [A-Z]{1,4}[0-9]{2,5}\b)
    """,
    ("exit",): r"\b(?i:exit(?:ed)?(?:\ with)?(?:\ (?:code|status))?\ ?[:=]?\ ?-?[0-9])",
    ("code",): r"""
        \b(?i:(?:return(?:ed)?|error|status|exit|with)[ _]?code["']?\ ?[:=]?\ ?-?[0-9])
    """,
    ("rc=", "rc =", "rc:", "rc :"): r"\b(?i:rc\ ?[:=]\ ?-?[0-9])",
    ("returned ",): r"\b(?i:returned\ (?:-?[0-9]{1,3}$|(?:a\ )?non-?zero))",
    ("err!", "err_", "errno"): r"\b(?:(?i:err!|errno\ -?[0-9])|ERR_[A-Z])",
    ("enoent", "eacces", "eperm", "econn", "etimedout"): r"""
        \bE(?:NOENT|ACCES|PERM|CONN[A-Z]+|TIMEDOUT)\b
    """,
    ("level",): r"""
        \b(?i:level["']?\ ?[=:]\ ?["']?(?:err|fatal|critical|panic|alert|emerg))
    """,
    ("status", "http"): r"""
        \b(?:(?i:status["']?[ :=]\ ?[45][0-9]{2})|HTTP(?:/[0-9.]{1,3})?\ [45][0-9]{2})\b
    """,
    (
        *(" not found", " internal server", " bad ", " forbidden", " unauthorized"),
        *(" service unavailable", " gateway time", " too many"),
    ): r"""
        \b[45][0-9]{2}\ (?:Not\ Found|Internal\ Server|Bad\ |Forbidden|Unauthorized
          |Service\ Unavailable|Gateway\ Time|Too\ Many)
    """,
    ("backtrace", "panicked", "oomkilled", "not ok", "undefined ", "curl: (", "*** ["): r"""
        \b(?:(?i:backtrace\b|panicked\ at\b)|OOMKilled\b|not\ ok\ [0-9]
          |undefined\ (?:reference|symbol)|curl:\ \() | \*\*\*\ \[
    """,
}
_TROUBLE = {signs: re.compile(f"(?mx){form}") for signs, form in _FORMS.items()}
# Each begins at a sign that is rare in prose, so that a search passes over the rest.
_FACT = re.compile(
    r"""(?x)
    [0-9A-Z:@/_\\(.](?:
        (?<=[0-9])                                       # numbers, dates, versions, hashes
      | (?<=:)// | (?<=\bwww\.) | (?<=[\w-]@)[\w-]         # addresses
      | (?<=[\w.~-]/)[\w.~] | (?<![^\s"'(]/)(?<=/)\w     # paths
      | (?<=\w\\)\w | (?<=[A-Za-z]:)\\
      | (?<=\w_)\w | (?<=[a-z][A-Z]) | (?<=\w\()\) | (?<=\w:):\w | (?<=[a-z]\.)[a-z]
                                                         # identifiers, names of files
    )"""
)
_DENIED = re.compile(
    r"""(?x)
    [NCWUEHncwueh'\u2019](?:
        (?<!\w.)(?:(?i:
            (?<=n)(?:o|ot|ever|one|or|either|othing|obody|owhere|on)|(?<=c)annot|(?<=w)ithout
          | (?<=u)nless|(?<=e)xcept|(?<=h)ardly|(?<=u)n(?:able|available|known|supported)
        )\b)
      | (?i:(?<=n['\u2019])t\b)
    )"""
)
_FAILED = (
    *("error", "exception", "fail", "fatal", "panic", "traceback", "denied", "refused", "invalid"),
    *("missing", "abort", "crash", "warn", "critical", "timeout", "timed out"),
)
_NAME = re.compile(r"[^\s\"'`()<>\[\]{},;|]+")
_EDGES = ".,:;!?*/#$\u20ac\u00a3\u2026"
_NUMBER = re.compile(r"[0-9][0-9.,:/%-]*[0-9%]")
_MOST = 64  # names of a question


class Signs(NamedTuple):
    """What parts of a text have in them that have trouble: a phrase, or words of a pattern."""

    phrases: list[str]
    words: list[tuple[list[str], re.Pattern[str]]]


def signs_in(text: str) -> Signs:
    """Those of a text and of its parts."""
    low = text.lower()
    words = [
        ([sign for sign in signs if sign in low], pattern) for signs, pattern in _TROUBLE.items()
    ]
    return Signs(
        [phrase for phrase in _PHRASES if phrase in low],
        [(found, pattern) for found, pattern in words if found],
    )


def troubled(text: str, signs: Signs | None = None) -> bool:
    """Whether it has an error, an exit code or a stack frame in it.

    `signs`: those of a text that it is part of.
    """
    if _FRAME.search(f"\n{text}"):
        return True
    phrases, words = signs or signs_in(text)
    low = text.lower()
    if any(phrase in low for phrase in phrases):
        return True
    return any(
        pattern.search(text) for found, pattern in words if any(sign in low for sign in found)
    )


def factual(text: str) -> bool:
    """Whether it has a number, address, path, identifier, negation or word of failure in it."""
    if _FACT.search(text) or _DENIED.search(text):
        return True
    low = text.lower()
    return any(word in low for word in _FAILED)


def names(question: str) -> re.Pattern[str] | None:
    """What finds the numbers and identifiers of a question, as they stand there.

    Numbers of one digit are in too many passages to mean this one. None: it has none.
    """
    found: dict[str, None] = {}
    for match in _NAME.finditer(question):
        word = match[0].strip(_EDGES)
        if 1 < len(word) <= 200 and (_NUMBER.fullmatch(word) or _identifies(word)):
            found.setdefault(word)
    if not found:
        return None
    listed = "|".join(re.escape(word) for word in sorted(found, key=len, reverse=True)[:_MOST])
    return re.compile(rf"(?<![\w.])(?:{listed})(?!\w)", re.IGNORECASE)


def _identifies(word: str) -> bool:
    """Whether it is the name of something: `user_id`, `getUser`, `src/app.py`, `ORD-7`, `HTTP2`."""
    if any(sign in word for sign in ("_", "://", "@", "::", "\\")):
        return any(each.isalnum() for each in word)
    digits = any(each.isdigit() for each in word)
    letters = any(each.isalpha() for each in word)
    if digits and letters:
        return True
    if "/" in word or "." in word:  # but not `e.g` or `U.S`
        return letters and any(len(each) > 1 for each in re.split("[./]", word))
    inner = word[1:]
    return letters and inner != inner.lower() and word != word.upper() and "-" not in word
