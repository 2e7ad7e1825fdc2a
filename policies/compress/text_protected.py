"""Telling code and diffs, which are never rewritten, from other output of programs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.compress import native
from policies.compress.log_stamps import STARTS
from policies.compress.text_languages import OPERATION, STATEMENT
from policies.compress.text_prefilter import prefilter_ascii
from policies.compress.text_screen import shown

# Both of a text with a line feed in front, which is searched for.
_FENCE = re.compile(r"\n(?:[ \t>]*```| {0,3}~~~)")
_DIFF = re.compile(
    r"(?m)\n(?:diff --git |@@ -[0-9]+(?:,[0-9]+)? \+[0-9]+(?:,[0-9]+)? @@|@@@ -|\*{15}$"
    r"|[0-9]+(?:,[0-9]+)?[acd][0-9]+(?:,[0-9]+)?\n[<>] |--- [^\n]+\n\+\+\+ |Index: [^\n]+\n={60})"
)
_SIGNS = ("```", "~~~", "diff --git ", "@@", "*" * 15, "\n+++ ", "\n=====", "\n< ", "\n> ")
_ESCAPED = ("\\n```", "\\n@@ -")  # in a line of JSON
_JSON_LINE = re.compile(r'\s*[\[{]|[^\n{]*\{"')
_LINES = 100  # lines, from the start and from the middle
_WIDEST = 200  # characters of a line that are looked at
_ENOUGH = 3  # lines of code among the sample, and one of four
_REMARK = re.compile(r"\s*#(?:\s|$)")  # a remark in a script, or a heading: tells neither
_SURE = re.compile(
    r"\s*(?:(?:async )?def \w+\(|class \w+[^\n]*:\s*$|from [\w.]+ import |#include [<\"]|#!/)"
)
# What `cat -n`, editors and grep put in front: numbers of lines, names of files.
_NUMBER = re.compile(
    r"\s*[0-9]+(?:\t|→|[:|]\ ?)|[\w.@+/-]{1,100}\.[A-Za-z]{1,4}[:-](?:[0-9]{1,7}[:-])?"
)
_CODE = re.compile(
    r"""\s*(?:
        (?:async\ def|def|class|fn|func|function|impl|struct|enum|interface|namespace|module)\ \w
      | (?:pub|public|private|protected|static|export|const|let|var|final|abstract)\ [\w<(\[{*&]
      | (?:import|from|use|using|require|package|include)\ [\w"'<.{*]
      | \#(?:include|define|ifdef|ifndef|endif|pragma|!/)
      | (?:if|elif|else|for|while|try|except|finally|with|switch|case|do|match)\b[^\n]*[:{]\s*$
      | (?:return|raise|throw|yield|await|assert|break|continue|pass|local|end)\b
      | @\w[\w.]*(?:\([^\n]*\))?\s*$
      | [)\]}]+[;,)]?\s*$
      | (?:self\.|this\.)?[A-Za-z_][\w.\[\]]*\ [-+*/]?=\ \S
      | (?://|/\*|\*/)
      | [^\n]*[;{]\s*$
      | [^\n]*\)\s*(?::|=>|->)\s*$
      | </?[A-Za-z!?]
      | [^\n]*\$[({]\w | \w+=[$`(] | [A-Za-z_][\w.-]*\s*[:?+]=\s | \.(?:PHONY|SUFFIXES)\b
      | (?:fi|done|esac|then|endif|;;|(?:exit|shift)(?:\ [0-9])?|set\ [-+][a-z]+)\s*$
      | @?echo[.\ ][\w"'$%.] | (?:goto|setlocal|endlocal
          |proc|sub|my|cdef|cpdef|ctypedef|hi|syn|au|autocmd)!?\ [\w"'$%@-]
      | (?i:set|if|elseif|else|endif|(?:end)?(?:foreach|function|macro|while)|include|message|list
          |string|option|(?:find|add|target|cmake|check|get|set|mark)_\w+)\ ?\(
      | (?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|FROM|WHERE|LEFT|INNER
          |JOIN|ON|AND|OR|GROUP\ BY|ORDER\ BY|VALUES|RETURNS|AS|LANGUAGE|OPERATOR)\b\s*[\w(*$"']
      | (?:RUN|COPY|ADD|WORKDIR|ENV|CMD|ENTRYPOINT|EXPOSE|ARG|LABEL)\ \S
      | (?i:implicit\ none|(?:end\ )?(?:subroutine|program)\b|(?:integer|real|logical)\b[^\n]*::)
      | \\(?:begin|end|documentclass|usepackage|section|subsection|item|newcommand)\b
      |"""
    rf"{STATEMENT})|\s+{OPERATION}",
    re.VERBOSE,
)
_may_be_code = prefilter_ascii(rf"(?x)^(?:{_NUMBER.pattern})?(?:{_CODE.pattern})")  # nor `_SURE`


def looks_like_code_or_diff(text: str) -> bool:
    """Whether it has a fence or a diff anywhere, or a good part of its lines is source code.

    In doubt, yes: a log taken for code stays as it is, which costs only tokens.
    """
    return is_code_or_diff(text, shown(text))


def is_code_or_diff(text: str, seen: str) -> bool:
    """The same of a text as it came, and `seen` of it on a terminal.

    There may be colours before what a line begins with.
    """
    texts = (text,) if seen is text else (text, seen)
    try:
        return any(map(native.protected, texts))
    except native.Unfit:
        return told(texts)


def told(texts: Sequence[str]) -> bool:
    """The same of a text as it came and as it is seen, told in Python."""
    if any(map(_marked, texts)):
        return True
    samples = list(map(_sample, texts))
    kinds = {line: _kind(line) for line in {*samples[0], *samples[-1]}}
    return any(_mostly([kinds[line] for line in sample]) for sample in samples)


def _marked(text: str) -> bool:
    """Whether there is a fence or a diff; characters are found much faster than words."""
    if any(sign.strip()[0] in text and sign in text for sign in _SIGNS):
        text = f"\n{text}"
        if _FENCE.search(text) or _DIFF.search(text):
            return True
    return "\\" in text and any(sign in text for sign in _ESCAPED)


def _sample(text: str) -> list[str]:
    """Lines of the text that may be code."""
    half = len(text) // 2
    lines = _first(text[: _LINES * _WIDEST])
    if len(text) > _LINES * _WIDEST:
        lines += _first(text[half : half + _LINES * _WIDEST])
    return [line[:_WIDEST] for line in lines if line.lstrip() and not _REMARK.match(line)]


def _kind(line: str) -> tuple[bool, bool]:
    """Whether the line is surely source code, and whether it may be; none with a time is."""
    if not _may_be_code(line) or STARTS.match(line):
        return False, False
    number = _NUMBER.match(line)
    start = number.end() if number else 0
    return bool(_SURE.match(line, start)), bool(_CODE.match(line, start))


def _mostly(kinds: list[tuple[bool, bool]]) -> bool:
    """Whether lines of these kinds are source code."""
    sure = sum(one for one, _ in kinds)
    code = sum(one for _, one in kinds)
    return sure > 1 or (code >= _ENOUGH and code * 4 >= len(kinds))


def _first(text: str) -> list[str]:
    """The first lines; of lines of JSON, those in its strings."""
    if _JSON_LINE.match(text) and "\\n" in text:
        text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t")
    return text.split("\n", _LINES)[:_LINES]
