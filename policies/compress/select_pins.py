"""What is never left out: errors, and what the question names by number or identifier.

Every pattern takes time in proportion to the text: none repeats what may begin anywhere.
"""

from __future__ import annotations

import re

_FRAME = re.compile(
    r"""(?mx)^[ \t>]*(?:
        Traceback\ \(most|File\ "|Caused\ by:|at\ [\w$.<>/]+\ ?[(:]|\#[0-9]+\ +[0-9a-z_]
      | goroutine\ [0-9] | E:\ | E\ {3} | [EF][0-9]{4}\ [0-9]{2}: | [\u2717\u2718\u00d7\u2716\u274c]
      | Failed\b | Killed$
    )"""
)
# What the pattern below cannot match without, in lower case: most texts have none of it.
_SIGNS = (
    *("err", "fatal", "critical", "severe", "panic", "fail", "alert", "emerg", "***", "killed"),
    *("exception", "fault", "warning", "stack trace", "stacktrace", "backtrace", "exit", "code"),
    *("http", "denied", "connection", "no such", "not found", "dumped", "memory", "timed out"),
    *("unhandled", "enoent", "eacces", "eperm", "econn", "etimedout", "undefined", "not ok"),
    *("rc=", "rc =", "rc:", "status", "returned", "curl: (", " bad ", "unauthorized"),
    *("forbidden", "unavailable", "too many", "gateway", "internal server"),
)
_TROUBLE = re.compile(
    r"""(?mx)
    \b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|FAIL|FAILED|FAILURE|ALERT|EMERG)\b
  | (?:Error|Exception|Failure|Fault|Warning)\b\ ?:
  | (?i:\b(?:error|fatal|exception|failure|panic|warning)s?\ ?:|\berr!)
  | (?i:stack\ ?trace|\bbacktrace\b|\bpanicked\ at\b)
  | (?i:\bexit(?:ed)?(?:\ with)?(?:\ (?:code|status))?\ ?[:=]?\ ?-?[0-9])
  | (?i:\b(?:(?:return(?:ed)?|error|status|exit|with)[ _]?code)["']?\ ?[:=]?\ ?-?[0-9])
  | (?i:\brc\ ?[:=]\ ?-?[0-9])
  | (?i:\breturned\ (?:-?[0-9]{1,3}$|(?:a\ )?non-?zero))
  | [a-z](?:Error|Exception)\b | \bERR_[A-Z] | (?i:\berrno\ -?[0-9])
  | \bE(?:NOENT|ACCES|PERM|CONN[A-Z]+|TIMEDOUT)\b
  | \berror(?:\[|\ [A-Z]{1,4}[0-9]{2,5}\b) | ["']errors?["']\ ?:
  | (?i:\blevel["']?\ ?[=:]\ ?["']?(?:err|fatal|critical|panic|alert|emerg))
  | \*\*\*\ \[ | \bOOMKilled\b | \bnot\ ok\ [0-9] | \bundefined\ (?:reference|symbol)
  | (?i:\bstatus["']?[ :=]\ ?[45][0-9]{2}\b) | \bcurl:\ \(
  | \b(?:4[0-9]{2}|5[0-9]{2})\ (?:Not\ Found|Internal\ Server|Bad\ |Forbidden|Unauthorized
      |Service\ Unavailable|Gateway\ Time|Too\ Many)
  | \bHTTP(?:/[0-9.]{1,3})?\ [45][0-9]{2}\b
  | (?i:permission\ denied|access\ denied|connection\ (?:refused|reset)|no\ such\ file
      |command\ not\ found|segmentation\ fault|core\ dumped|out\ of\ memory|timed\ out
      |syntax\ error|assertion\ failed|unhandled)
    """
)
_FACT = re.compile(
    r"""(?x)
    [0-9]                                       # numbers, dates, versions, hashes
  | ://|\bwww\.|[\w-]@[\w-]                     # addresses
  | [\w.~-]/[\w.~]|(?:^|[\s"'(])~?/\w|\w\\\w|[A-Za-z]:\\   # paths
  | \w_\w|[a-z][A-Z]|\w\(\)|\w::\w|[a-z]\.[a-z] # identifiers, names of files
  | (?i:\b(?:no|not|never|none|nor|neither|nothing|nobody|nowhere|cannot|without|unless|except
      |hardly|non)\b|n['\u2019]t\b|\bun(?:able|available|known|supported)\b)
  | (?i:error|exception|fail|fatal|panic|traceback|denied|refused|invalid|missing|abort|crash
      |warn|critical|timeout|timed\ out)
    """
)
_NAME = re.compile(r"[^\s\"'`()<>\[\]{},;|]+")
_EDGES = ".,:;!?*/#$\u20ac\u00a3\u2026"
_NUMBER = re.compile(r"[0-9][0-9.,:/%-]*[0-9%]")
_MOST = 64  # names of a question


def troubled(text: str) -> bool:
    """Whether it has an error, an exit code or a stack frame in it."""
    if _FRAME.search(text):
        return True
    low = text.lower()
    return any(sign in low for sign in _SIGNS) and _TROUBLE.search(text) is not None


def factual(text: str) -> bool:
    """Whether it has a number, address, path, identifier, negation or word of failure in it."""
    return _FACT.search(text) is not None


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
