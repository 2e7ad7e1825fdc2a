"""What is never left out: errors, and what the question names by number or identifier.

Every pattern takes time in proportion to the text: none repeats what may begin anywhere.
"""

from __future__ import annotations

import re

from policies.compress.text_prefilter import prefilter

_FRAMES = r"""[\ \t>]*(?:
        Traceback\ \(most|File\ "|Caused\ by:|at\ (?:(?:async|new)\ )?[\w$.<>/]+\ ?(?:[(:]|\[as\ )
      | \#[0-9]+\ +[0-9a-z_/{] | from\ [^\s:]+:[0-9]+:in\b | /[^\s:]*\.go:[0-9]+\ \+0x
      | \.{3}\ [0-9]+\ (?:more$|common\ frames\ omitted)
      | goroutine\ [0-9] | E:\ | E\ {3} | [EF][0-9]{4}\ [0-9]{2}:
      | [\u2715\u2717\u2718\u00d7\u2716\u274c] | Failed\b | Killed$ | Aborted$
    )"""
_FRAME = re.compile(rf"(?mx)\n{_FRAMES}")  # of a text with a line feed in front
# Trouble in whatever case it stands.
_PHRASES = (
    *("permission denied", "access denied", "connection refused", "connection reset"),
    *("no such file", "command not found", "segmentation fault", "core dumped", "out of memory"),
    *("timed out", "syntax error", "assertion failed", "unhandled", "stack trace", "stacktrace"),
    *(": error ", "access is denied", "stack smashing", "assertion `", "pbackoff", "lbackoff"),
    *("cannot open shared", "cannot allocate memory", "not resolve host", "unable to connect"),
    *("invalid argument", "operation not permitted", "no space left", "broken pipe"),
    *("address already in use", "too many open files", "no route to host", "unreachable"),
    "deadline exceeded",
)
_LEVELS = "err(?:or)?|fatal|crit(?:ical)?|severe|panic|alert|emerg|fail(?:ed)?"
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
    ("failed",): r"[0-9]\ failed\b",
    # Levels in brackets, but not links; behind a time; of a facility; in a column.
    ("err", "fatal", "crit", "severe", "panic", "alert", "emerg", "fail"): rf"""
        (?:^|[\ \t\]|>:])\[(?:[a-z_]*:)?(?i:{_LEVELS})\ *\](?:[^(]|$)
      | (?:^|[\ \t])<(?i:{_LEVELS})>
      | :[0-9]{{2}}:[0-9]{{2}}(?:[.,][0-9]{{1,9}})?Z?\]?\ (?i:{_LEVELS})[\ :\]]
      | \b(?:kern|daemon|authpriv|cron|syslog|local[0-7])\.(?:err|crit|alert|emerg)[\ ]
      | (?:[0-9A-Z]\ |[\[\]|:>]\ ?)ERR[\ :|\]]
    """,
    ("exit",): r"\b(?i:exit(?:ed)?(?:\ with)?(?:\ (?:code|status))?\ ?[:=]?\ ?-?[0-9])",
    ("code",): r"""
        \b(?i:(?:return(?:ed)?|error|status|exit|with)[\ _]?code["']?\ ?[:=]?\ ?-?[0-9])
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
        \b(?:(?i:status["']?[\ :=]\ ?[45][0-9]{2})|HTTP(?:/[0-9.]{1,3})?\ [45][0-9]{2})\b
    """,
    (
        *(" not found", " internal server", " bad ", " forbidden", " unauthorized"),
        *(" service unavailable", " gateway time", " too many"),
    ): r"""
        \b[45][0-9]{2}\ (?:Not\ Found|Internal\ Server|Bad\ |Forbidden|Unauthorized
          |Service\ Unavailable|Gateway\ Time|Too\ Many)
    """,
    ("backtrace", "panicked", "oomkill", "not ok", "undefined ", "curl: (", "*** "): r"""
        \b(?:(?i:backtrace\b|panicked\ at\b)|OOMKill(?:ed|ing)?\b|not\ ok\ [0-9]
          |undefined\ (?:reference|symbol)|curl:\ \() | \*\*\*\ \[ | (?:make|\]):\ \*{3}[\ ]
    """,
    ("ora-", "sqlstate", "errimage"): r"""
        \b(?:ORA-[0-9]{5}|SQLSTATE|ErrImagePull)\b
    """,
}
_TROUBLE = {signs: re.compile(f"(?mx){form}") for signs, form in _FORMS.items()}
# All of this and more: any letter outside of ASCII may part words, or be a letter in another case.
_may_trouble = prefilter(
    "|".join((rf"(?mx)^{_FRAMES}", *_FORMS.values(), f"(?i:{'|'.join(map(re.escape, _PHRASES))})"))
    .replace(r"\b", r"(?-u:\b)")
    .replace(r"\w", r"\w[:^ascii:]")
    + "|[\u0130\u0131\u017f\u212a]"
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
_APART = dict.fromkeys(map(ord, "\"'`()<>[]{},;|"), " ")  # what stands between names, and blanks
_EDGES = ".,:;!?*/#$\u20ac\u00a3\u2026"
_NUMBER = re.compile(r"[0-9][0-9.,:/%-]*[0-9%]")
_MOST = 64  # names of a question


def troubled(text: str) -> bool:
    """Whether it has an error, an exit code or a stack frame in it."""
    if not _may_trouble(text):
        return False
    low = text.lower()
    return bool(
        _FRAME.search(f"\n{text}")
        or any(phrase in low for phrase in _PHRASES)
        or any(
            any(sign in low for sign in signs) and pattern.search(text)
            for signs, pattern in _TROUBLE.items()
        )
    )


def factual(text: str) -> bool:
    """Whether it has a number, address, path, identifier, negation or word of failure in it."""
    if _FACT.search(text) or _DENIED.search(text):
        return True
    low = text.lower()
    return any(word in low for word in _FAILED)


def names(question: str) -> re.Pattern[str] | None:
    """What finds the numbers and identifiers of a question, as they stand there, if it has any."""
    found = named(question)
    if not found:
        return None
    listed = "|".join(re.escape(word) for word in found)
    return re.compile(rf"(?<![\w.])(?:{listed})(?!\w)", re.IGNORECASE)


def named(question: str) -> list[str]:
    """The numbers and identifiers of a question, the longest first.

    Numbers of one digit are in too many passages to mean this one.
    """
    found: dict[str, None] = {}
    for part in question.translate(_APART).split():
        if part.isalpha() and part[1:].islower():
            continue  # a plain word, as nearly all are
        word = part.strip(_EDGES)
        if word.isalpha() and (inner := word[1:]) == inner.lower():
            continue
        if 1 < len(word) <= 200 and (_NUMBER.fullmatch(word) or _identifies(word)):
            found.setdefault(word)
    return sorted(found, key=len, reverse=True)[:_MOST]


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
