"""Extracts that are made natively are those that Python makes, character by character."""

import json

import pytest

from policies.compress import native
from policies.compress.stash_extract import _FAILURES, _RESULTS, made

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")

LINES = "a line\r\nb\x0bc\x0cd\x1ce\x1df\x1eg\x1fh\n\ri\r"
BESIDE = ("", "x", "_", "1", ".", " ", "é", "\u2026", "\t", "\n", "/", "@")
TOLD = [
    *(f"{word}{after}" for word in _FAILURES for after in ("", "s", ": null", ' "x": none')),
    *(word.title() for word in (*_FAILURES, *_RESULTS)),
    *(f"a {word[:-1]}" for word in (*_FAILURES, *_RESULTS)),
    *(f"{word[0]}\n{word[1:]}" for word in _RESULTS),
    *(f"error{'x' * n}=0" for n in (11, 12, 13)),
    *(f"error{' ' * n}:0" for n in (3, 4)),
    *(f"error:{' ' * n}0" for n in (3, 4)),
    *(f"error{value}" for value in ("=0", "=05", "=0.", "=0,", "=none", "=NULLs", "=''", '=""')),
    *(f"error{value}" for value in ("=[]", "={}", "='x", "=[1", "\"'=0", '"\x1f:\x1fFalse', "é=0")),
    *("exit 1", "exited with code 1", 'exit\u00a0_status"  : - 1', "exit_value' = -1", "exit -x"),
    *("exit with 1", "exited 1", "exit _1", "exit  code 1", "exit code=\t1", "exit  1", "exits 1"),
    *(f"exit {' ' * n}= 1" for n in (3, 4)),
    *(f"exit ={' ' * n}1" for n in (3, 4)),
    *(f"{' ' * n}at x" for n in (0, 1, 40, 41)),
    *("\t AT x", " at  x", " at \u3000", " at ", "x at y", " at é"),
    *(f'File "{"é" * n}", line 1' for n in (0, 1, 200, 201)),
    *('xFile "a", line 1', '_File "a", line 1', '.file "a", LINE 1', 'File "a", line x'),
    *('File "a\nb", line 1', 'File "a", line ', "\u0130\u0131 EX\u0130T ex\u0131t\u017ftatus 1"),
    *(
        "rc=1",
        "RC : -2",
        "rc 1",
        "src=1",
        "xrc: 3",
        "rc=x",
        "rc:  1",
        "rc  =1",
        "\u00e9rc=1",
    ),
    *(f"/a.go:{'1' * n} +0x1" for n in (0, 1, 9, 10)),
    *(f"/a.go:1{after}" for after in (" +0", "  +0x", "+0x", " +0X1", ": +0x")),
    *("from /a.rb:1:in `b'", "1:in 'b'", "x:in `b'", "1:in b", "1:in  `", "1:IN `"),
    *(f"{' ' * n}#1 /a" for n in (0, 1, 40, 41)),
    *(f"#{'1' * n} {{main}}" for n in (0, 1, 9, 10)),
    *("#1/a", "#1  /a", "#1 a", "#1\t/a", "x #1 /a"),
    *("m\u0131\u017f\u017f \u017fegfault", "er\u0131ror", "k\u0131lled", "fa\u0131led=fal\u017fe"),
]
SAID = """
    no not nor none never neither cannot without No Not Nor None Never Neither Cannot Without NO
    NOT NONE NEVER n't n\u2019t NOR NEITHER CANNOT nO nt N't now nobody none1 not_ can't
"""
NEGATED = SAID.split()
NAMED = """
    1 a1 aB Ab aBc. éA aÉ 中文aB 中文 a_b _a a_ a._b a_:b a:b.c1 a..1 1. .1 x=7 a-1 = /a a/ / // é/
    -/- ./. a@b @b a@ -@b a@- a/b.:!? !?a1?! a/b:c 'a/b a|b;c1,d2 (a1)[b2]{c3}<d4>`e5`'f6'"g7"
    \u200b1 \ue000\uff1a1
"""
VALUES = [
    *NAMED.split(),
    *("a\u00a0b_1\u3000c1", "/a\u00a0b1", "\u20092"),
    *(f"{sign * size}1" for sign in "xé" for size in (999, 1000)),
]
ESCAPED = r"""
    a1\nb2 a1\\nb2 a1\\\nb2 \"c3\" \u00e9d4 \u00eg5 \u12 \é6_7 a\/b x1\\/y2 a1\ \
"""
ESCAPES = [*ESCAPED.split(), "\\\n8"]


def same(text, size=0, *, names=True):
    found = native.extract(text, size, names=names)
    assert found == made(text, size, names=names)
    return found


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("text", ["", "\n", "a", LINES, f"{LINES}\n", "é\u00a0" * 400, *TOLD])
def test_parts_and_what_they_tell(text, names):
    for size in (0, 1, 2, 7, 40, len(text), 2 * len(text) - 1, 2 * len(text), 10**30):
        same(text, size, names=names)
    same(f"{text}\n\n {text}\n{text}x", names=names)


@pytest.mark.parametrize("end", list(map(chr, range(32))))
def test_lines_end_alike_wherever_they_do(end):
    for size in (0, 1, 31, 32, 33, 70):
        same(f"{'x' * size}{end}{'y' * 70}{end}{end}", 3)


@pytest.mark.parametrize("sign", ["a", "é", "中"])
@pytest.mark.parametrize("size", [*range(158, 163), *range(319, 323), 481, 482, 640, 641])
def test_long_lines_are_cut_alike(sign, size):
    same(sign * size)
    for stop in ", }]\n":
        for at in (39, 40, 41, 158, 159, 160):
            line = sign * at + stop + sign * (size - at - 1)
            same(line)
            same(f"{line}\nerror")


@pytest.mark.parametrize("word", NEGATED)
def test_negations_have_the_same_words_around(word):
    for before in (*BESIDE, "it\t", "é_é ", *("b" * n for n in (16, 17)), "b" * 16 + " ", "1b "):
        for after in (*BESIDE, " a\tb é c", " 1", "  a", *(f" {'c' * n} d" for n in (24, 25))):
            same(f"{before}{word}{after}")


@pytest.mark.parametrize("value", [*VALUES, *ESCAPES])
def test_values_are_the_same(value):
    for begin in ("", "{", " \u00a0[", "x "):
        for text in (f"{begin}{value}", f"{begin}{value} {value}. \n{value}", f"{begin}-{value}-"):
            same(text)


@pytest.mark.parametrize("sign", ["b", "é"])
@pytest.mark.parametrize("size", [39, 40, 41])
def test_values_on_the_border_of_a_gap_are_the_same(sign, size):
    kept = f"error{sign * 155}"  # one of the parts of 160 characters that the line is cut into
    for border in ";\u00a0":
        before, after = f"{sign * (159 - size)}{border}{'1' * size}", f"{'2' * size}{border}"
        for text in (f"{before}{kept}", f"{kept}{after}", f"{before}{kept}{after}{kept}"):
            same(text + sign * 400)


def test_a_negation_that_the_border_of_a_gap_cuts_is_one_outside():
    told, _, _ = same(f"error{'x' * 151}\t\tnotable{'y' * 400}\t(no)\t(not)")
    assert told.endswith('left out, with "not" ...]\n')


def test_what_stands_outside_or_in_an_earlier_gap_is_named_once():
    text = 'error a_1 no x\nb_2 a_1, no x\n{"k_3": 1}\nerror c_4 not y\nb_2 k_3 c_4 d_5 not\ty'
    told, shown, of = same(text)
    assert (shown, of) == (2, 5)
    assert told.count("a_1") == told.count("b_2") == told.count("k_3") == told.count("d_5") == 1


def test_large_numbers_have_commas():
    for lines in (999, 1000, 1_234_567):
        told, _, of = same("\n" * lines, 0)
        assert told == f"[... {lines:,} left out ...]\n"
        assert of == lines


@pytest.mark.parametrize(
    "sign", ["\u0660", "\u00b2", "\u0301", "\x85", "\u2028", "\ud800", "\u212a"]
)
def test_what_is_not_known_is_left_to_python(sign):
    with pytest.raises(native.Unfit):
        native.extract(f"a {sign} b", 0, names=True)


def test_vietnamese_and_trade_marks_are_known():
    told, _, _ = same("Không tìm thấy tệp Ẩn_1 và not đủ bộ nhớ Widget\u2122 2\u1effA")
    assert told == '[... 1 left out, with Ẩn_1 2\u1effA "và not đủ bộ nhớ" ...]\n'


def test_json_is_the_same_however_it_is_spelt():
    document = [{"id": n, "name": f"user_{n}", "note": 'say "no" é\n\t\\x/y'} for n in range(99)]
    for ascii_only in (True, False):
        for indent in (None, 2):
            text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
            for size in (0, 300, 1200):
                same(text, size)
                same(json.dumps({"text": text}), size)
