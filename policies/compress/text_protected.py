"""Telling code and diffs, which are never rewritten, from other output of programs."""

from __future__ import annotations

import re

from policies.compress.text_screen import shown

_FENCE = re.compile(r"(?m)^(?:[ \t>]*```| {0,3}~~~)")
_DIFF = re.compile(
    r"(?m)^(?:diff --git |@@ -[0-9]+(?:,[0-9]+)? \+[0-9]+(?:,[0-9]+)? @@|@@@ -|\*{15}$"
    r"|[0-9]+(?:,[0-9]+)?[acd][0-9]+(?:,[0-9]+)?\n[<>] |--- [^\n]+\n\+\+\+ |Index: [^\n]+\n={60})"
)
_SIGNS = ("```", "~~~", "diff --git ", "@@", "*" * 15, "\n+++ ", "\n=====", "\n< ", "\n> ")
_ESCAPED = ("\\n```", "\\n@@ -")  # in a line of JSON
_JSON_LINE = re.compile(r'\s*[\[{]|[^\n{]*\{"')
_SAMPLE = 100  # lines, from the start and from the middle
_WIDEST = 200  # characters of a line that are looked at
_ENOUGH = 3  # lines of code among the sample, and one of four
_REMARK = re.compile(r"\s*#(?:\s|$)")  # a remark in a script, or a heading: tells neither
_SURE = re.compile(
    r"\s*(?:(?:async )?def \w+\(|class \w+[^\n]*:\s*$|from [\w.]+ import |#include [<\"]|#!/)"
)
# What `cat -n`, editors and grep put in front: numbers of lines, names of files.
_NUMBER = re.compile(
    r"\s*[0-9]+(?:\t|→|[:|] ?)|[\w.@+/-]{1,100}\.[A-Za-z]{1,4}[:-](?:[0-9]{1,7}[:-])?"
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
      | @?echo[. ][\w"'$%.] | (?:goto|setlocal|endlocal
          |proc|sub|my|cdef|cpdef|ctypedef|hi|syn|au|autocmd)!?\ [\w"'$%@-]
      | (?i:set|if|elseif|else|endif|(?:end)?(?:foreach|function|macro|while)|include|message|list
          |string|option|(?:find|add|target|cmake|check|get|set|mark)_\w+)\ ?\(
      | (?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|FROM|WHERE|LEFT|INNER
          |JOIN|ON|AND|OR|GROUP\ BY|ORDER\ BY|VALUES|RETURNS|AS|LANGUAGE|OPERATOR)\b\s*[\w(*$"']
      | (?:RUN|COPY|ADD|WORKDIR|ENV|CMD|ENTRYPOINT|EXPOSE|ARG|LABEL)\ \S
      | (?i:implicit\ none|(?:end\ )?(?:subroutine|program)\b|(?:integer|real|logical)\b[^\n]*::)
      | \\(?:begin|end|documentclass|usepackage|section|subsection|item|newcommand)\b
    )""",
    re.VERBOSE,
)


def looks_like_code_or_diff(text: str) -> bool:
    """Whether it has a fence or a diff anywhere, or a good part of its lines is source code.

    In doubt, yes: a log taken for code stays as it is, which costs only tokens.
    """
    return is_code_or_diff(text, shown(text))


def is_code_or_diff(text: str, seen: str) -> bool:
    """The same of a text as it came, and `seen` of it on a terminal.

    There may be colours before what a line begins with.
    """
    return _looks(text) or (seen is not text and _looks(seen))


def _looks(text: str) -> bool:
    if any(sign in text for sign in _SIGNS) and (
        any(sign in text for sign in _ESCAPED) or _FENCE.search(text) or _DIFF.search(text)
    ):
        return True
    half = len(text) // 2
    lines = _first(text[: _SAMPLE * _WIDEST])
    if len(text) > _SAMPLE * _WIDEST:
        lines += _first(text[half : half + _SAMPLE * _WIDEST])
    lines = [line[:_WIDEST] for line in lines if line.lstrip() and not _REMARK.match(line)]
    starts = [number.end() if (number := _NUMBER.match(line)) else 0 for line in lines]
    sure, code = (
        sum(1 for line, start in zip(lines, starts, strict=True) if pattern.match(line, start))
        for pattern in (_SURE, _CODE)
    )
    return sure > 1 or (code >= _ENOUGH and code * 4 >= len(lines))


def _first(text: str) -> list[str]:
    """The first lines; of lines of JSON, those in its strings."""
    if _JSON_LINE.match(text) and "\\n" in text:
        text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t")
    return text.split("\n", _SAMPLE)[:_SAMPLE]
