import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.compress.log_stamps import STAMP
from policies.compress.text_choice import choose
from policies.compress.text_records import (
    _ENDS,
    _LEVEL,
    _NEAR,
    _OPENING,
    _TIME,
    _goes_on,
    _marked,
    _may_be_built,
    _may_be_marked,
    records,
    told,
)

NUMBERS = range(1, 13)


def each(line):
    """A text of a dozen such lines."""
    return "".join(line.replace("#", str(number)) for number in NUMBERS)


FILES = {
    "yaml": "services:\n" + each("  worker#:\n    image: registry/worker:#\n    replicas: #\n"),
    "list in yaml": each("- name: rule#\n  pattern: word#\n  action: block\n"),
    "properties": each("log.appender.a#.file = /srv/logs/a#\nlog.appender.a#.level=INFO\n"),
    "ini": each("[section #]\nsize = #\ncontext = apps\n"),
    "toml": each("[tool.part#]\nversion = 'v#'\n"),
    "shell": each("    then_run step# &&\n    test_cmp expected actual# &&\n"),
    "sql": each('    "column#" INTEGER NOT NULL,\n'),
    "typescript": each("  type Resource#,\n  type Listed#,\n"),
    "array in c": each("    (void *) function_of_table_#,\n"),
    "vim": each("\\ 'element#': [['attribute#', 'id'], {}],\n"),
    "tcl": each("bind Entry <Key-#> {\n\tinsert %W #\n}\n"),
    "cmake": each(
        "  find_path(LIB#_DIR NAMES lib#\n    PATHS /opt/lib#\n    REQUIRED\n  )\n# next\n"
    ),
    "assembly": each("label#:\n\tmovq\tregister, #\n\taddq\tregister, #\n"),
}
OUTPUTS = {
    "listing": "total 12\n" + each("-rw-r--r-- 1 root root #00 Mar  1 04:00 file#.txt\n"),
    "packages": each("Unpacking lib# (1.#) over (1.0) ...\nSetting up lib# (1.#) ...\n"),
    "pip": each("Collecting part#\n  Downloading part#-1.0-py3-none-any.whl (# kB)\n"),
    "cargo": each("   Compiling crate# v0.#.0\n"),
    "counts": each("   #0 policies/file#.py\n"),
    "paths": each("/usr/share/doc/part#/copyright\n"),
    "levels": each("WARNING: Location # is ignored: it is neither a file nor a folder.\n"),
    "server": each('INFO:     10.0.0.#:50000 - "GET /livez HTTP/1.1" 200 OK\n'),
    "pairs": each("ts=2026-03-01T04:00:00Z level=info msg=started id=#\n"),
    "stacks": each(
        "2026-03-01 04:00:00 job # failed\n  at run (job.js:#)\n  at start (job.js:1)\n"
    ),
    "commits": each("commit a#\nAuthor: A\nDate: Sun Mar # 04:00:00 2026\n\n    Change #\n"),
    "lines of json": each('{"id": #, "state": "open"}\n'),
}


@pytest.mark.parametrize("kind", FILES)
def test_configuration_and_code_are_no_records(kind):
    assert not records(FILES[kind])
    chosen = choose(FILES[kind] * 4, len)
    assert "log" not in chosen.codecs


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_programs_print_is(kind):
    assert records(OUTPUTS[kind])


def test_of_a_long_text_the_middle_counts_too():
    assert records(OUTPUTS["paths"] * 100)
    assert not records(OUTPUTS["paths"] * 30 + FILES["yaml"] * 100)


@pytest.mark.parametrize("text", ["", "\n\n", " \n\t\n", "\x00", "-"])
def test_odd_texts(text):
    assert records(text)


MARK = re.compile(
    rf"(?a)[^\n]{{0,{_NEAR}}}?(?:{STAMP}|(?<![^\s\[(|])(?:{_LEVEL.pattern.removeprefix('(?a)')}))"
)
PARTS = st.sampled_from(
    [
        *("2026-01-31 10:00:59", "Jan 31 10:00:59", "10:00:59", "10:00", "[   12.345678]", "é"),
        *("1769853659", "1769853659.123", "21769853659", "0131 10:00:00", "INFO", "ERROR", "xWARN"),
        *("[error]", "|FATAL", "(TRACE", "warnings", " ", "x" * 20, "1", ":", "\u0663"),
    ]
)


@example("x " * 31 + "ERROR")
@example("x " * 30 + "ERROR")
@example("x " * 31 + "10:00:59")
@given(st.lists(PARTS, max_size=8).map("".join))
def test_a_time_or_a_level_is_found_as_one_pattern_finds_it(line):
    assert _marked(line) == (MARK.match(line) is not None)


def test_a_line_that_begins_beyond_what_is_looked_at():
    assert not told(" " * 300 + "a = b\n" + "    c = d\n" * 9 + "  e f\n" * 70)


ENDS = [re.compile(re.escape(end)) for end in _ENDS]


@pytest.mark.parametrize("pattern", [_OPENING, _TIME, _LEVEL, *ENDS])
@settings(max_examples=500, deadline=None)
@given(
    st.data(),
    st.sampled_from(["", " ", "[", "x ", "1", "\u0661"]),
    st.sampled_from(["", "\x1c", "]", "x"]),
)
def test_no_line_is_screened_out_that_tells(pattern, data, before, after):
    drawn = data.draw(
        st.from_regex(re.compile(pattern.pattern, pattern.flags & re.VERBOSE | re.ASCII))
    )
    line = (before + drawn + after).replace("\n", "\x1f")
    if _OPENING.match(line) or _goes_on(line):
        assert _may_be_built(line)
    if _marked(line):
        assert _may_be_marked(line)


def test_lines_that_tell_nothing_are_screened_out():
    for line in ("some words here", "a b 12.5 kB/s: x", "x 12:5"):
        assert not _may_be_built(line)
        assert not _may_be_marked(line)
