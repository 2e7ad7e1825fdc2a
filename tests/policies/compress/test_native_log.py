"""The native codecs of logs and terminal output give what those in Python do, byte for byte."""

import random
import re
from pathlib import Path

import pytest

from policies.compress import (
    log_codec,
    native,
    text_protected,
    text_records,
    text_repeats,
    text_screen,
)
from tests.policies.compress.test_log_codec import LOG
from tests.policies.compress.test_text_languages import LINES, SOURCES
from tests.policies.compress.test_text_languages import OUTPUTS as PRINTED
from tests.policies.compress.test_text_records import FILES, OUTPUTS

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
ROOT = Path(__file__).parents[3]


def rewritten(text):
    return log_codec.rewritten(text) if text.count("\n") >= 8 else None


TWINS = {
    "log": (native.log_encode, rewritten),
    "repeats": (native.repeats, text_repeats.noted),
    "records": (native.records, text_records.told),
    "protected": (native.protected, lambda text: text_protected.told([text])),
    "shown": (native.shown, text_screen.played),
    "screen": (native.screen, lambda text: text_screen.tidied(text_screen.played(text))),
}
DATES = [
    "2026-01-31 10:{:02}:{:02}", "2026/01/31T10:{:02}:{:02},123456", "2026.01.31  10:{:02}:{:02}.5",
    "Jan  3 10:{:02}:{:02}", "31/Jan/2026:10:{:02}:{:02} +0000", "I0131 10:{:02}:{:02}",
    "[10:{:02}:{:02}]", "[   12.{0:02}{1:02}00]", "[{0:02}.{1:06}]", "17000{:02}0{:02}.25",
    "ts=170000{:02}{:02}123", "é☃ 10:{:02}:{:02}.9", "10:{:02}:{:02}:",
    "x" * 79 + " 10:{:02}:{:02}", "é" * 80 + "10:{:02}:{:02}", "é" * 81 + "10:{:02}:{:02}",
]  # fmt: skip
PATTERNS = [
    "status {kind} lib{n}:amd64 1.{n}-{n}", "open {n} {n} /srv/a_{n}_b/{n}.log ok", "{n}", "",
    "user-{n} [10.0.0.{n}:80] 'key'={n}% {kind}-{n}-{kind}", "^ {{0}} {{t}} }}{{ {n}",
    "  {n}  {kind} ", "{kind}: été→{n}\u2018{n}\u2019 {n}中{n}", "\t{kind}\x1f{n}\x0b",
    "{n}:{n} {kind}.{n}. @{n}", "--- A={n} A",
]  # fmt: skip
CODE = [
    "def f(x", "async def f", "class A x:", "from a.b import c", "#include <a>", "#!/bin", "fn x",
    "pub {", "use 'a'", "#define", "if x:", "else {", "iffy:", "return", "returned", "@a.b(c d)",
    "@a.b c", "});", ")]", ")].", "self.a[0].b += 1", "a.b -= \tx", "a =  b", "// a", "*/", "a;",
    "f() =>", "f() : ", "</b", "<1", "a ${b", "$(1", "$( b", "é=$", "=(", "a-b.c  ?= d", "a:=",
    ".PHONY", ".PHONYS", "done ", "done x", "exit 1", "exit 12", "set -eu", "set -E", "@echo.a",
    "echo off", "echo", "goto! x", "my $x", "hi! !", "SET (a", "set_a(", "endMacro (", "find_(",
    "GROUP BY a", "ORDER BY", "ON*", "ANDS a", "RUN  a", "LABEL a", "implicit NONE", "End Program",
    "REAL x :: y", "\\begin", "\\items", "12: fn a", "12→fn a", "12|  fn a", "12\tfn a",
    "a/b.c:12:fn a", "a.b-fn a", "a.bcdef:fn a", "a.b.c-1234567-fn a", "a.b:12345678:fn a",
    "2026-01-01 10:00:00 fn a;", "# a", "#a",
]  # fmt: skip
MARKED = [
    "```", " > ```a", "    ~~~", "   ~~~", "x ```", "diff --git a b", "@@ -1 +1,2 @@",
    "@@ -1 +a @@", "@@@ -", "*" * 15, "*" * 16, "1,2c3\n< a", "1c3\r\n> a", "1a2,3\n<a",
    "--- a\n+++ b", "--- \n+++ b", "Index: a\n" + "=" * 60, "Index: a\n" + "=" * 59,
    '{"a": "b\\n```"}', '["\\n@@ -"]', '{"a": "\\ndef f(x):\\n  return\\n\\tif x:\\n"}',
    'x {"a": "\\n\\tfn \\"a\\"\\n"}' * 2,
]  # fmt: skip
TERMINAL = [
    "a 5%\ra 50%\ra 100%\rdone", "a 5%\ra 4%\rdone", "a 5%\rb 6%\rdone", "|\r/\r-\r\\\rok",
    "..\r...\rx", "old\rmac\rlines", "a\r\r\n\r\n\r\n\nb", "a \r\nb\t\n\n\n\nc \t", "\n\n\na",
    "\r\n\r\n\r\n", "x\r  \r", "1/10 a\r2/10 a\r\n", "1.5/2.5 MB/s\r2.5/2.5 MB/s\rb",
    "12 kB/s\r13 kB/s\r9 kB/s", "eta 3\reta 4\rx", "x eta_ 3\rx eta_ 2\rx", "9 -:--\r10 -:--\rx",
    "1 :02  0:03:\r2 :02  0:03:\rx", "1/2/3\r2/2/3\rx", "1234567890123%\r2345678901234%\rx",
    "ETA " + "9" * 30 + "\rETA 1\rx", "é 1%\r☃ 2%\rx", "y" * 401 + "1%\rx",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07x", "\x1b]8;;a\x1b\\b\x1bc\x1b(B\x1b",
    "\x1b\x1b]0;t\x07[31m", "\x1b[ q", "\x1b[31", "a\x1b[2K", "\x1b[2J", "\x1b[?25h", "a\x08b",
    "5%\r  \r6%\rx", "5%\r6%\rx \t \r", "5%\r  \t\r", "5%\r6%\rx\t\t", "5%\r6%\r \r",
    "abc\rx", "5%\r6%é\r\nabc",
]  # fmt: skip
REPEATS = [
    "a\n" * 40, "a\nb\n" * 40, "".join(f"{n}\n" for n in range(64)) * 3,
    "".join(f"{n}\n" for n in range(65)) * 3, "[the last x]\n" * 30,
    "\\\\[the last x]\r\n\\[the last]\r\n[the last \r\n[the last ]\r\n" * 30, "é" * 30 + "\n",
    ("é" * 29 + "\n") * 2, ("é" * 28 + "\n") * 3, "x" * 59 + "\n" + "x" * 59, "a\n\n" * 20 + "a",
]  # fmt: skip


def log(date, pattern, end="\n"):
    """Thirty lines, some of another form, some twice, some in blocks."""
    lines = []
    for n in range(30):
        kind = ("installed", "unpacked", "half_done")[n % 3]
        stamp = date.format(n // 7, n * n % 60)
        lines += [f"{stamp} {pattern.format(n=n * 7919 % 1000, kind=kind)}"] * (1 + (n % 5 == 0))
        if n % 4 == 0:
            lines += [f"{stamp} begin {n}", f"{stamp} end {n} of {n}", "odd ^ one" if n % 8 else ""]
    return end.join(lines) + end


def same(name, text):
    """What both make of a text."""
    ours, theirs = TWINS[name]
    made = ours(text)
    assert made == theirs(text)
    return made


@pytest.mark.parametrize("date", DATES)
def test_logs_with_times_of_all_forms(date):
    for pattern in PATTERNS:
        for end in ("\n", "\r\n", "\r"):
            text = log(date, pattern, end) + "\n" * 8
            made = same("log", text)
            assert log_codec.restored(made) == native.log_decode(made) == text


@pytest.mark.parametrize("seed", range(60))
def test_logs_whose_forms_are_parted_and_joined(seed):
    """Groups of many sizes, with columns that are frequent, equal, or equal but for some rows."""
    chance = random.Random(seed)
    size, labels, width = (
        chance.choice([11, 12, 13, 25]),
        chance.randint(2, 8),
        chance.randint(1, 14),
    )
    odd, often = chance.choice([2, 3, 4, 5]), chance.choice(["x{}", "{}-y", "[{}.2]:", "{}"])
    lines = []
    for row in range(size * labels):
        values = [f"{chance.randrange(10**6)}" for _ in range(width)]
        values[-1] = values[0] if row % odd else values[-1]
        kind = often.format(row % labels if row % 17 else row + 100)
        lines.append(f"job {kind} {' '.join(values)}")
        then = [f"done {values[0]} in {row}", f"more {values[-1]}:{kind} of {values[0]}"]
        lines += then[: chance.randint(0, 2)] if seed % 3 else then[: row % odd]
        lines += [f"{chance.random()} {chance.choice('abc[')} 12.{row:06}]"] * chance.randint(0, 3)
    date = chance.choice(["", "10:{:02}:{:02}]:  ", "Jan  1 10:{:02}:{:02}: "])
    stamped = [f"{date.format(n // 60 % 60, n % 60)}{line}" for n, line in enumerate(lines)]
    made = same("log", "\n".join(stamped))
    assert native.log_decode(made) == log_codec.restored(made) == "\n".join(stamped)


@pytest.mark.parametrize("unequal", range(2, 6))
def test_blocks_of_which_not_all_have_equal_values(unequal):
    for count in (8, 12, 15, 40):
        pairs = ((n, n if n % unequal else n + 500) for n in range(100, 100 + count))
        same(
            "log", "".join(f"begin of job {one} now\nend of job {two} then\n" for one, two in pairs)
        )


@pytest.mark.parametrize("share", range(12))
def test_records_by_the_share_of_lines_that_are_of_files(share):
    for first in (
        "key: value\n",
        "  key: value\n",
        "value,\n",
        "é" * 59 + " INFO\n",
        "é" * 60 + " INFO\n",
    ):
        for rest in (
            "some words\n",
            "  some words\n",
            "a = b\n",
            "[ 1.123456] a\n",
            "x 1.123456] = 1\n",
        ):
            for count in (1, 2, 3):
                same("records", first * count + rest * (count * 2 * share))
                same("records", rest * count + first * (count * share) + "  x\n" * count * share)


@pytest.mark.parametrize("date", DATES)
def test_records_by_a_time_in_one_line_of_eight(date):
    stamp = date.format(1, 2)
    for before in ("", "[", "x [", "1", "x" * 60, "x" * 61, "é" * 59 + "["):
        for start in range(len(stamp)):
            same("records", f"{before}{stamp[start:]}] x\n" + "a: b\n" * 7)


def test_long_logs_are_tried_at_a_few_lines_first():
    prose = "".join(f"{n * 7919 % 10007} {'x' * (n % 9)}{n}y\n" for n in range(3000))
    plain = LOG.replace("2026-01-31 ", "on ")
    texts = [LOG * 7, plain * 7, prose, prose + LOG, LOG[:9000] + prose, plain[:7500] + prose]
    made = [same("log", text) is not None for text in texts]
    assert any(made)
    assert not all(made)


@pytest.mark.parametrize("name", TWINS)
def test_the_files_of_this_project(name):
    paths = [*ROOT.glob("policies/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.toml")]
    found = {bool(same(name, path.read_text())) for path in paths}
    assert found == ({False, True} if name in ("log", "records", "protected") else found)


@pytest.mark.parametrize("name", ["records", "protected"])
def test_files_and_outputs_of_many_kinds(name):
    texts = [*FILES.values(), *OUTPUTS.values(), *SOURCES.values(), *PRINTED.values()]
    texts += ["", "\n", " " * 300 + "a = b\n" + "c d\n" * 9]
    texts += ["\n" * 3 + line.replace("WARNING", level) + "\n" for level in
              ("error", "x WARN", "(INFO", "INFOS", "xINFO", "é" * 60 + " INFO", "é" * 59 + " INFO")
              for line in ("WARNING a", "[WARNING] a: b", "a WARNING_")]  # fmt: skip
    texts += [text * 400 for text in texts[-4:]]
    assert {same(name, text) for text in texts} == {False, True}


@pytest.mark.parametrize("line", [*CODE, *LINES])
@pytest.mark.parametrize("before", ["", "  ", "9:\t", "a.py:9:", "9 "])
def test_lines_of_code(line, before):
    for count in (2, 3):
        text = f"{before}{line}\n" * count
        same("protected", text)
        same("records", f"{text}some words\n")


@pytest.mark.parametrize("text", MARKED)
def test_fences_and_diffs(text):
    for whole in (text, f"a\n{text}\nb", f"a b c\n{text}", f"a\n\n {text}", "a b\n" * 9 + text):
        same("protected", whole)


@pytest.mark.parametrize("name", ["shown", "screen"])
def test_terminal_output(name):
    left = 0
    for text in TERMINAL:
        for whole in (
            text,
            f"{text}\nlast",
            f"first\r\n{text}",
            f"{text}\r\n{text}\n\n\n{text} \r",
        ):
            try:
                same(name, whole)
            except native.Unfit:
                left += 1
                assert re.search(r"\x08|\x1b\[[ 0-9]*[A-K]|9{30}", whole)
    assert left == 4 * 4


@pytest.mark.parametrize("name", ["shown", "screen"])
@pytest.mark.parametrize(
    "text",
    [
        "a.c:1: \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Kb\n", "5%\x1b[K\r\n\x1b[0K", "a\x1b[K\r\r\n",
        "\x1b\x1b]0;t\x07[K", "\x1b[\x1b[K", "5%\r6%\r7%\n\x1b[Ka\n",
    ],
)  # fmt: skip
def test_what_has_nothing_to_erase_is_not_left_to_python(name, text):
    assert "K" not in (same(name, text) or "")
    for other in (
        "a\x1b[K\r",
        "a\x1b[00Kb",
        "a\x1b[ Kb",
        "a\r\x1b[Kb",
        "\x1b[1G\x1b[K",
        "\x08\x1b[K",
    ):
        with pytest.raises(native.Unfit):
            same(name, text + other)


@pytest.mark.parametrize("text", REPEATS)
def test_repetitions(text):
    for whole in (text, f"{text}a", f"b\n{text}", text[:-1]):
        same("repeats", whole)


def test_what_is_known_of_characters_is_what_python_knows():
    known = 0
    for code in range(0x80, 0x20000):
        sign = chr(code)
        try:
            is_word = native.protected(f"a{sign}=$\n" * 3)
        except native.Unfit:
            continue
        known += 1
        assert is_word == sign.isalnum(), sign
        assert not sign.isspace()
        assert not sign.isdigit()
        assert not sign.isdecimal()
    assert known > 40_000


@pytest.mark.parametrize("sign", ["\ud800", "\u0661", "\xb2", "\x85", "\u2028", "\u0131\u05d0"])
def test_other_characters_are_left_to_python(sign):
    for name in ("log", "records", "protected"):
        with pytest.raises(native.Unfit):
            same(name, LOG + sign)
    assert log_codec.decode(log_codec.encode(LOG + sign, len)) == LOG + sign


@pytest.mark.parametrize(
    "body",
    [
        "", "---", "---\n", "A=x\n---\nA", "A=x\n---\nA b", "A={0}\n---\nA", "A={0}\n---\nA ^",
        "A=x\n---\nB", "A={0} {1}\n---\nA b c d\nA ^ ^\nA ^", "A={0}{0}\n---\nA \nA ^",
        "A={1}\n---\nA a b", "A={00}\n---\nA b", "A={1}\n {0}\n---\nA a b",
        "A={0}\n {1}{t}\n---\n@é\n A\nA a b\n1A a b", "A={{{0}}}\n---\nA b", "A={{}\n---\nA",
        "A={{{{{t}}}}}\n---\n@10:00\nA\n5A\n123456A\n1234567A", "A=}{\n---\nA", "A={t\n---\nA",
        "A={}\n---\nA", "A={0.real}\n---\nA b", "A={9999999}\n---\nA", "A=x\nA={0}\n y\n---\nA b",
        " x\n---\nA", "=x\n---\n", "A1=x\n---\nA1", "A=x\n---\n 1\n\n2\n", "A=x\n---\n:.,A\nA x",
        "AB={0}\n---\nAB  b\nAB ^\nAB b", "\u0661=x\n---\n\u0661",
    ],
)  # fmt: skip
def test_what_is_written_is_read_the_same(body):
    head = log_codec.rewritten(LOG).partition("\n")[0]
    heads = [
        head,
        head.replace("lines", "lines, each ending in CRLF"),
        head.replace("of 3", "of x"),
    ]
    for encoded in (*(f"{each}\n{body}" for each in heads), head, body, f"{head}\n{body}\n"):
        try:
            made = native.log_decode(encoded)
        except native.Unfit:
            continue
        assert made == log_codec.restored(encoded)


def test_what_is_written_is_read_natively():
    for text in (LOG, LOG.replace("\n", "\r\n"), log(DATES[0], PATTERNS[5]), log("", "")):
        assert native.log_decode(log_codec.rewritten(text)) == text
