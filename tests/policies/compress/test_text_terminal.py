from hypothesis import given
from hypothesis import strategies as st

from policies.compress import text_terminal
from policies.compress.text_terminal import over_row, over_rows


def test_what_stands_out_beyond_the_last_piece_is_still_seen():
    assert over_row("at 5 %......\rat 10 %\r12") == "12 10 %....."
    assert over_row("at 5%\rat 10 %\r12345") == "12345 %"
    assert over_row("at 5%\rat 10 %\rdone   ") == "done   "
    assert over_row("at 5%\rat 10 %\rok \t\r") == "ok 10 %"
    assert over_row("at 5%\rat 10 %\r       \r") == "       "
    assert over_row("one\rtwo  ") == "one\rtwo"


def test_a_row_of_many_returns_costs_its_length_once():
    assert over_row("\r".join(["x" * 50 + "|", "x" * 50 + "-"] * 10_000)) == "x" * 50 + "-"


def test_erasing_clears_to_the_end_to_the_start_or_all():
    assert over_rows("abcdef\x1b[3D\x1b[K") == "abc"
    assert over_rows("abcdef\x1b[3D\x1b[1K") == "    ef"
    assert over_rows("abcdef\x1b[2Kg") == "      g"


def test_the_cursor_stays_on_the_screen():
    assert over_rows("a\x1b[9Ab\x1b[9Bc\x1b[99Dd") == "dbc"


def test_far_right_nothing_is_moved_or_erased():
    assert over_rows("x" * 2000 + "\x1b[2K") == "x" * 2000
    assert len(over_rows("x" * 900 + "\x1b[9999Cx\x1b[9999Cx")) == 1002


def test_what_would_be_mostly_blank_or_is_too_long_is_only_cleaned(monkeypatch):
    text = "\x1b[900Cx\r\n" * 9
    assert over_rows(text) == "x\r\n" * 9
    monkeypatch.setattr(text_terminal, "_LONGEST", 9)
    assert over_rows("abcdefgh\x1b[3D\x1b[K\x08\r") == "abcdefgh"


def test_line_ends_stay_as_they_were():
    assert over_rows("a\r\nb\nc\x1b[2Fd") == "d\r\nb\nc"


SIGNS = st.sampled_from(["a", "\u00e9", " ", *["\x1b[K", "\x1b[0K"] * 3, "\x1b[2K", "\x1b[D", "\r"])


@given(st.lists(SIGNS, max_size=8).map("".join))
def test_a_row_in_which_nothing_is_erased_is_seen_as_it_is_written(row):
    assert over_row(f"{row}\x1b[K") == over_rows(f"{row}\x1b[K")
