import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.text_protected import (
    _CODE,
    _NUMBER,
    _SURE,
    _may_be_code,
    looks_like_code_or_diff,
)

ROOT = Path(__file__).parents[3]

DIFF = """\
--- a/proxy/app.py
+++ b/proxy/app.py
@@ -1,3 +1,4 @@
 import os
+import sys
"""
C = """\
#include <stdio.h>

int main(void)
{
    puts("hello");
    return 0;
}
"""
JAVASCRIPT = """\
const app = express();
app.get('/', (req, res) => {
  res.send('hello');
});
"""
SCRIPTS = {
    "make": """\
# build all
.PHONY: all
CC := gcc
all: main.o
\t$(CC) -o main main.o
""",
    "cmake": """\
set(NAME
  one two)
foreach(each ${NAME})
  message(STATUS "x")
endforeach()
""",
    "shell": """\
#!/bin/sh
set -e
for each in "$@"
do
    ls ${each}
done
""",
    "sql": """\
CREATE OPERATOR CLASS int4_ops
DEFAULT FOR TYPE int4 USING gin
AS
    OPERATOR        1       <,
    FUNCTION        1       btint4cmp(int4,int4),
STORAGE int4;
""",
    "html": """\
<!doctype html>
<html>
<body>
  <p class="x">hello</p>
</body>
</html>
""",
    "batch": """\
@echo off
if "%1" == "help" (
\techo.Please use make
\tgoto end
)
""",
    "docker": """\
FROM debian:12
RUN apt-get update
COPY . /app
CMD ["run"]
""",
    "vim": """\
hi clear
syn match One "x"
hi def link One Two
""",
    "fortran": """\
subroutine foo(x)
  implicit none
  integer, intent(in) :: x
end subroutine foo
""",
    "grep": """\
src/a.py:1:import os
src/a.py:2:from pathlib import Path
src/b.py:10:import sys
src/b.py:11:    return os
""",
}
LOG = """\
2026-01-31 10:00:59 status installed libc6:amd64 2.36-9
2026-01-31 10:00:59 configure man-db:amd64 2.11.2-2 <none>
2026-01-31 10:01:00 trigproc man-db:amd64 2.11.2-2 <none>
2026-01-31 10:01:02 status half-configured man-db:amd64 2.11.2-2
"""


@pytest.mark.parametrize(
    "path", ["proxy/engine.py", "policies/base/body.py", "benchmarks/overhead.py"]
)
def test_source_files_are_code_numbered_or_not(path):
    text = (ROOT / path).read_text()
    numbered = "".join(f"{n:6}\t{line}" for n, line in enumerate(text.splitlines(True), 1))
    assert looks_like_code_or_diff(text)
    assert looks_like_code_or_diff(numbered)


@pytest.mark.parametrize("text", [DIFF, C, JAVASCRIPT, f"diff --git a/x b/x\n{LOG}"])
def test_diffs_and_other_languages_are_too(text):
    assert looks_like_code_or_diff(text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_and_markup_are_too(name):
    assert looks_like_code_or_diff(SCRIPTS[name])


def test_diffs_of_other_kinds_are_too():
    assert looks_like_code_or_diff(f"{LOG}3,4c3\n< one\n< two\n---\n> three\n")
    assert looks_like_code_or_diff(f"{LOG}@@@ -1,2 -1,2 +1,3 @@@\n  one\n++two\n")


def test_a_fence_in_a_list_or_a_quotation_is_one():
    assert looks_like_code_or_diff(f"{LOG}1. so:\n\n       ```\n       ls\n       ```\n")
    assert looks_like_code_or_diff(f"{LOG}> ```\n> ls\n> ```\n")
    assert not looks_like_code_or_diff(f"{LOG}      ~~~~^~~~\n{LOG}")


def test_a_fence_or_a_diff_in_a_line_of_json_is_one():
    assert looks_like_code_or_diff(LOG + '{"body": "so:\\n```\\nls\\n```"}\n')
    assert looks_like_code_or_diff(LOG + '{"patch": "x\\n@@ -1 +1 @@\\n-a\\n+b"}\n')
    assert not looks_like_code_or_diff(LOG + '{"log": "started\\n"}\n')


def test_code_in_the_strings_of_lines_of_json_is_code():
    source = "def f(x):\n    if x:\n\treturn g(x)\n\nclass A:\n    name = 'a'\n"
    rows = [json.dumps({"id": n, "text": source}) for n in range(20)]
    assert looks_like_code_or_diff("\n".join(rows))
    assert looks_like_code_or_diff("\n".join(f"12:00:0{n % 9} {row}" for n, row in enumerate(rows)))
    events = [json.dumps({"id": n, "message": f"request {n} ended\nok"}) for n in range(20)]
    assert not looks_like_code_or_diff("\n".join(events))


def test_a_fence_anywhere_protects_the_whole_text():
    assert looks_like_code_or_diff(f"{LOG}\n```\n{LOG}```\n")
    assert looks_like_code_or_diff(f"{LOG}\n   ~~~sh\nls\n")


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", LOG, LOG * 300, '{"a": 1}\n' * 20, "Some prose, a sentence; and more.\n" * 9],
)
def test_logs_and_prose_are_not(text):
    assert not looks_like_code_or_diff(text)


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "if ",
        " ",
        "a.",
        "=" * 7,
        "@x(",
        "}",
        "-",
        "1",
        "\n ",
        "---",
        "a.b:",
        "$(",
        "\n1a1",
        "> ",
    ],
)
def test_no_repetition_confuses_it(piece):
    assert looks_like_code_or_diff(piece * 50_000) in (True, False)


def test_lines_with_a_time_are_no_code_however_they_end():
    lines = [f"return {n};" for n in range(40)]
    assert looks_like_code_or_diff("\n".join(lines))
    for time in ("2026-01-31 10:00:59 ", "Jan 31 10:00:59 "):
        assert not looks_like_code_or_diff("\n".join(time + line for line in lines))


def test_functions_between_much_prose_are_code():
    prose = "    A sentence of the documentation that goes on for long.\n" * 12
    assert looks_like_code_or_diff(f"def one(x):\n{prose}\ndef two(y):\n{prose}")
    assert not looks_like_code_or_diff(f"def one(x):\n{prose}")


@pytest.mark.parametrize("pattern", [_CODE, _SURE])
@settings(max_examples=1000, deadline=None)
@given(
    st.data(), st.one_of(st.just(""), st.from_regex(re.compile(f"(?:{_NUMBER.pattern})", re.ASCII)))
)
def test_no_line_is_screened_out_that_is_code(pattern, data, before):
    drawn = data.draw(
        st.from_regex(re.compile(pattern.pattern, pattern.flags & re.VERBOSE | re.ASCII))
    )
    line = (before.rstrip("\n") + drawn).replace("\n", "\x1f")
    number = _NUMBER.match(line)
    if pattern.match(line, number.end() if number else 0):
        assert _may_be_code(line)


@pytest.mark.parametrize("line", ["\x1cfn a", "if x:\x1f", "1\x1e2", "\x85fn a", "a.b:1:\x1d}"])
def test_blanks_that_few_know_are_blanks(line):
    assert looks_like_code_or_diff(f"{line}\n" * 3) == (line != "1\x1e2")


def test_lines_that_are_no_code_are_screened_out():
    assert not any(map(_may_be_code, ["some words here", "INFO: 12 files", "a b 12.5 kB/s"]))
