import pytest

from policies.compress.log_entries import RAW, Entries
from policies.compress.log_notation import read, write
from policies.compress.log_stamps import MARK
from policies.compress.log_templates import Template

TEMPLATES = [
    Template((f"{MARK} open ", " {x} ", ""), (0, 1)),
    Template((f"{MARK} one\n{MARK} two ", ""), (0,)),
    Template(("no values",), ()),
]
ROWS = [
    (0, ("a", "b"), "2026-01-31 10:00:59", False),
    (0, ("a", "c"), "2026-01-31 10:01:00", False),
    (RAW, ("A x y",), None, True),
    (RAW, ("",), None, True),
    (0, ("", "c"), "2026-01-31 10:01:00", True),
    (0, ("", "c"), "2026-01-31 10:01:00", True),
    (1, ("b",), "2026-02-01 00:00:00", False),
    (2, (), None, True),
]
ENTRIES = Entries(*map(list, zip(*ROWS, strict=True)))
WRITTEN = """\
A={t} open {0} {{x}} {1}
B={t} one
 {t} two {0}
C=no values
---
@2026-01-31 10:00:59
A a b
01:00A ^ c
 A x y

A  ^
A  ^
@2026-02-01 00:00:00
B b
C"""
TEXT = """\
2026-01-31 10:00:59 open a {x} b
2026-01-31 10:01:00 open a {x} c
A x y

2026-01-31 10:01:00 open  {x} c
2026-01-31 10:01:00 open  {x} c
2026-02-01 00:00:00 one
2026-02-01 00:00:00 two b
no values"""


def test_the_notation_is_as_its_module_says():
    assert write(ENTRIES, TEMPLATES) == WRITTEN
    assert read(WRITTEN) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A=x",
        "A=x\n---\nB",
        "A=x {0}\n---\nA",
        "A=x {0}\n---\nA ^",
        "A=x\n---\nA b",
        "A={0.real}\n---\nA b",
        "A={\n---\nA",
        "A=}\n---\nA",
        "A={name}\n---\nA",
        "A={99999999999999999999}\n---\nA b",
        " x\n---\n",
        "A=x\n---\n?",
    ],
)
def test_what_is_not_of_the_notation_is_an_error(text):
    with pytest.raises(ValueError, match=r"template|entry|values|argument|zip|longer|shorter"):
        read(text)


def test_there_are_names_for_many_templates():
    templates = [Template((f"text {number}",), ()) for number in range(3000)]
    listed = Entries(list(range(3000)), [()] * 3000, [None] * 3000, [True] * 3000)
    assert read(write(listed, templates)) == "\n".join(f"text {number}" for number in range(3000))
