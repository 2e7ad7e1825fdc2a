from pathlib import Path

import pytest

from policies.compress.text_protected import looks_like_code_or_diff

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
    "piece", ["(", "if ", " ", "a.", "=" * 7, "@x(", "}", "-", "1", "\n ", "---"]
)
def test_no_repetition_confuses_it(piece):
    assert looks_like_code_or_diff(piece * 50_000) in (True, False)


def test_functions_between_much_prose_are_code():
    prose = "    A sentence of the documentation that goes on for long.\n" * 12
    assert looks_like_code_or_diff(f"def one(x):\n{prose}\ndef two(y):\n{prose}")
    assert not looks_like_code_or_diff(f"def one(x):\n{prose}")
