"""What is never left out: errors, and what the question names by number or identifier.

Every pattern takes time in proportion to the text: none repeats what may begin anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Of a text with a line feed in front, which is searched for.
_FRAME = re.compile(
    r"""(?mx)\n[ \t>]*(?:
        Traceback\ \(most|File\ "|Caused\ by:|at\ [\w$.<>/]+\ ?[(:]|\#[0-9]+\ +[0-9a-z_]
      | goroutine\ [0-9] | E:\ | E\ {3} | [EF][0-9]{4}\ [0-9]{2}: | [\u2717\u2718\u00d7\u2716\u274c]
      | Failed\b | Killed$
    )"""
)
# What the pattern below cannot match without, as it is or in lower case: most texts have none.
_SHOUTED = ("ERROR", "FATAL", "CRITICAL", "SEVERE", "PANIC", "FAIL", "ALERT", "EMERG")
_SIGNS = (
    *("error", "err!", "err_", "errno", "level", "fatal", "panic", "failure", "***", "oomkilled"),
    *("exception", "fault:", "fault :", "segmentation", "warning", "stack trace", "stacktrace"),
    *("backtrace", "exit", "code", "http/", "http 4", "http 5", "denied", "connection re"),
    *("no such", "not found", "dumped", "of memory", "timed out", "assertion failed"),
    *("unhandled", "enoent", "eacces", "eperm", "econn", "etimedout", "undefined", "not ok"),
    *("rc=", "rc =", "rc:", "rc :", "status", "returned ", "curl: (", " bad ", "unauthorized"),
    *("forbidden", "unavailable", "too many", "gateway", "internal server"),
)
_TROUBLE = re.compile(
    r"""(?mx)
    \b(?:
        (?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|FAIL|FAILED|FAILURE|ALERT|EMERG)\b
      | (?i:(?:error|fatal|exception|failure|panic|warning)s?\ ?:|err!)
      | (?i:backtrace\b|panicked\ at\b)
      | (?i:exit(?:ed)?(?:\ with)?(?:\ (?:code|status))?\ ?[:=]?\ ?-?[0-9])
      | (?i:(?:(?:return(?:ed)?|error|status|exit|with)[ _]?code)["']?\ ?[:=]?\ ?-?[0-9])
      | (?i:rc\ ?[:=]\ ?-?[0-9])
      | (?i:returned\ (?:-?[0-9]{1,3}$|(?:a\ )?non-?zero))
      | ERR_[A-Z] | (?i:errno\ -?[0-9])
      | E(?:NOENT|ACCES|PERM|CONN[A-Z]+|TIMEDOUT)\b
      | error(?:\[|\ [A-Z]{1,4}[0-9]{2,5}\b)
      | (?i:level["']?\ ?[=:]\ ?["']?(?:err|fatal|critical|panic|alert|emerg))
      | OOMKilled\b | not\ ok\ [0-9] | undefined\ (?:reference|symbol)
      | (?i:status["']?[ :=]\ ?[45][0-9]{2}\b) | curl:\ \(
      | (?:4[0-9]{2}|5[0-9]{2})\ (?:Not\ Found|Internal\ Server|Bad\ |Forbidden|Unauthorized
          |Service\ Unavailable|Gateway\ Time|Too\ Many)
      | HTTP(?:/[0-9.]{1,3})?\ [45][0-9]{2}\b
    )
  | (?:Error|Exception|Failure|Fault|Warning)\b\ ?:
  | [a-z](?:Error|Exception)\b | ["']errors?["']\ ?: | \*\*\*\ \[
  | (?i:stack\ ?trace
      |permission\ denied|access\ denied|connection\ (?:refused|reset)|no\ such\ file
      |command\ not\ found|segmentation\ fault|core\ dumped|out\ of\ memory|timed\ out
      |syntax\ error|assertion\ failed|unhandled)
    """
)
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


def troubled(text: str, signs: Sequence[str] | None = None) -> bool:
    """Whether it has an error, an exit code or a stack frame in it.

    `signs`: those of `signs_in` a text that it is part of.
    """
    if _FRAME.search(f"\n{text}"):
        return True
    low = text.lower()
    return (
        any(sign in low for sign in (signs_in(text) if signs is None else signs))
        and _TROUBLE.search(text) is not None
    )


def signs_in(text: str) -> list[str]:
    """What has to be in a part of it that has trouble, one of them, in lower case."""
    low = text.lower()
    return [
        *(sign for sign in _SIGNS if sign in low),
        *(sign.lower() for sign in _SHOUTED if sign in text),
    ]


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
