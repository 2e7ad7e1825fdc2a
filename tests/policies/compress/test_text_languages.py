import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.text_choice import choose
from policies.compress.text_languages import OPERATION, STATEMENT
from policies.compress.text_protected import _may_be_code, looks_like_code_or_diff
from policies.compress.text_records import _may_be_built, records

LINE = re.compile(rf"\s*(?:{STATEMENT})|\s+{OPERATION}", re.VERBOSE)


def each(line):
    """A text of forty such lines."""
    return "".join(line.replace("#", str(number)) for number in range(1, 41))


SOURCES = {
    "gnu assembler": ".text\n.globl f\nf:\n" + each("\tmovl\t$#, -#(%rbp)\n\tnegl\t%eax\n"),
    "intel assembler": each("    mov rax, #\n    add rbx, rax\n    call f#\n"),
    "assembler at the margin": each("mov r#, r0\nadd r#, r#, 1\n"),
    "haskell": "module Shapes where\n\n" + each("area# :: Double -> Double\narea# r = # * r\n\n"),
    "ocaml": each("external f# : int -> int\nval g# : int -> string\n(** Of [#]. *)\n"),
    "lisp": ";;; shapes\n\n" + each("(defun area-# (r)\n  (* # r r))\n\n"),
    "clojure": "(ns shapes)\n\n" + each("(def f# [x]\n  (-> x (+ #) str))\n\n"),
    "scheme": each("(define one '(a # b))\n"),
    "erlang": each("-define(LIMIT_#, #).\n"),
    "fortran": each("      CALL STEP( N, A( # ) )\n      IF( N.GT.# ) GO TO 10\n*\n"),
    "cobol": each("       MOVE # TO WS-A.\n       ADD 1 TO WS-B.\n"),
    "cobol data": each("           05  WS-#   PIC X(#).\n"),
    "coq": each("Lemma one_# : # = #.\nProof. reflexivity. Qed.\n"),
    "roff": each(".ds word# Word #\n.nr size# #\n"),
    "pod": each("=item B<part#>\n\nOf the part # and others.\n\n"),
    "texinfo": each("@item @code{PART#} @tab yes\n"),
    "batch": each("REM ** part #\ncopy part# out\n"),
    "c with remarks": each("    part_#,        // The part #\n"),
}
OUTPUTS = {
    "prompts": each("(venv) host # of 40 is up since yesterday\n"),
    "counts in brackets": each("(#/40) installing part-# from the mirror\n"),
    "gems": each("  * part-# (1.#.0)\n"),
    "stack": each("    at run (part#.js:1#:5)\n"),
    "tasks": each("> Task :part#:compile UP-TO-DATE\n"),
    "links": each("part#.so -> part#.so.1\n"),
    "kernel": each("  CC      drivers/part#.o\n"),
    "rows": each("first last #,#,town\n"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source_code_with_few_signs_stays_as_it_is(name):
    assert looks_like_code_or_diff(SOURCES[name])
    assert not records(SOURCES[name])
    assert choose(SOURCES[name], len).codecs == ()


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_programs_print_is_no_source_code(name):
    assert not looks_like_code_or_diff(OUTPUTS[name])
    assert records(OUTPUTS[name])
    assert "log" in choose(OUTPUTS[name], len).codecs


LINES = [
    "(a)", "(a) b", "'#(a", "'#,(a", "(A b)", "((a))", "(a))  ", "(a)) b", "(+ 1", "(1 2",
    "(a\x1cb", ".de x", ".    de x", ".     de x", ".de", ".de \x0b", './"', '.\\"', ".text ",
    ".texts", ".data x", "f ::  a", "f :: a", "f::a", "f :: ", "f ::", "f :a ::",
    "a" * 61 + " :: b", "a" * 62 + " :: b", "-a_b(", "-aB(", f"-{'a' * 20}(", f"-{'a' * 21}(",
    "=item", "=item x", "=items", "=head5", "@item x", "@code{", "@items x", "@c", "05 a PIC x.",
    "05 a PIC x. ",
    "05 PIC x.", "5 a PIC x.", "05 a PIC x", "105 a PIC x.", "val x", "val(", "vals x", "Lemma (",
    "Proof.", "Proof of", "CALL x", "CALL(", "CALLS", "CALL: x", "END IF", "END-IF.", "END if",
    "ENDIF", "END", "DOUBLE PRECISION", "DOUBLE X", "mov a,b", "mov  a", "movx a,b", "lea\ta,",
    "add ,", "dnl", "dnl|", "REM x", "REMS", "(* x", "(*|", "(*x", "*> x", "* ", "* x", "a; // b",
    "a;// b", "a, /* b", "a // b", "x do", "xdo", "x  => ", "x <=>", "where", "  then", "\tab\tc",
    "\tab\tc d", "\tab\t", "ab\tc", "\tAb\tc", "\tab\t\tc", "\tab c,d", "\tab c, d", "\tab c, d e",
    "\tab c, d # e", "\tab c, d C e", "\tab c, d Ce", "\tab c,", "\tab c,,d", "\tab c, d:",
    "\tab c, d:, e", "\tab c, d:# e", "\tabcdefghijkl c,d", "\tabcdefghijklm c,d", "\ta.1 c,d\x1f",
]  # fmt: skip


@pytest.mark.parametrize("pattern", [STATEMENT, OPERATION])
@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_no_line_is_screened_out_that_is_a_statement(pattern, data):
    drawn = data.draw(st.from_regex(re.compile(pattern, re.VERBOSE | re.ASCII)))
    line = " " + drawn.replace("\n", "\x1f")
    if LINE.match(line):
        assert _may_be_code(line)
        assert _may_be_built(line)
