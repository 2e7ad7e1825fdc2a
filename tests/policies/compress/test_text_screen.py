import pytest

from policies.compress.text_screen import screen, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("\x1b[1;31merror\x1b[0m: x", "error: x"),
        ("\x1b[38;2;1;2;3mcolour\x1b[m", "colour"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r20%\r100%\ndone", "100%\ndone"),
        ("at 5 %......\rat 10 %\rend", "end10 %....."),
        ("longer line\r\x1b[Kshort", "short"),
        ("longer line\x1b[2K\rshort", "short"),
        ("spinner |\x08/\x08-\x08 done", "spinner  done"),
        ("a  \nb\t\nc ", "a\nb\nc"),
        ("a\n\n\n\n\nb\n\nc\n", "a\n\nb\n\nc\n"),
        ("a \r\n\r\n\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
        ("a\r\r\nb", "a\r\nb"),
        ("\x1b\x1b[0m[0m", "[0m"),
        ("\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        ("x\x1b[", "x"),
        ("1: wait\n2: wait\n\x1b[2A\x1b[K1: done\n\x1b[K2: done\n", "1: done\n2: done\n"),
        ("1\n2\n3\x1b[2A\x1b[J", "1"),
        ("ab\x1b[3Gcd\x1b[1Gx\x1b[1Cy", "xbyd"),
        ("", ""),
    ],
)
def test_what_is_seen_is_what_a_terminal_shows_in_the_end(text, seen):
    assert screen(text) == seen
    assert screen(seen) == seen


def test_of_code_no_blank_is_taken_away():
    text = "\x1b[32mdef f():\x1b[0m  \n\n\n\n    return 1  \n"
    assert shown(text) == "def f():  \n\n\n\n    return 1  \n"


def test_an_erased_screen_is_not_guessed_at():
    assert screen("before\x1b[2J\x1b[Hafter") == "beforeafter"


@pytest.mark.parametrize(
    "piece",
    [
        *("\x1b[", "\x1b[1;2;3", "\x1b]0;t", " \t ", "\r", "x\r", "\n", "\x08", "\x1b[K"),
        *("\x1b[9999Cx", "\x1b[1Ax\n", "\x1b[1K", "x\x1b[2K\x1b[999C", "\x1b[J\n"),
        "\x1b[999999999999999999999G",
    ],
)
def test_repetition_of_anything_stays_small(piece):
    text = piece * 4000
    seen = screen(text)
    assert len(seen) <= 9 * len(text) + 9
    assert screen(seen) == seen
