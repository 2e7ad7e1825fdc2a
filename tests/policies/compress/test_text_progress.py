"""Progress is what a terminal writes over; lines that end in carriage returns are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress.text_progress import is_progress
from policies.compress.text_screen import screen

CURL = "{:3} 12.3M  {:3} 1230k    0     0  1230k      0  {}  0:00:01  {} 1230k"


@pytest.mark.parametrize(
    "pieces",
    [
        ["10%", "20%", "100%", ""],
        ["(Reading database ... ", "(Reading database ... 5%", "(Reading database ... 95 files)"],
        ["Counting: 20% (1/5)", "Counting: 100% (5/5)", "Counting: 100% (5/5), done."],
        ["train:  0%|  | 0/9 [00:00<?, ?it/s]", "train: 11%|█ | 1/9 [00:01<00:09, 1.00it/s]"],
        ["  ━━ 0.1/3.4 MB ? eta -:--:--", "  ━━━━ 1.2/3.4 MB 5.6 MB/s eta 0:00:01"],
        ["⠋ Installing", "⠙ Installing", "⠹ Installing", "3 packages"],
        ["Loading", "Loading.", "Loading..."],
        ["|", "/", "-", "\\", "done"],
        ["Working 10%", "Working 90%", " " * 12, "Done"],
        ["0% [Working]", " " * 13, "0% [Connecting to here]", " " * 25, "Hit:1 here"],
        ["", CURL.format(0, 0, "--:--:--", "--:--:--"), CURL.format(9, 9, "0:00:10", "0:00:09")],
        ["1/100 [....] - loss: 0.5", "2/100 [=...] - loss: 0.4", "3/100 [==..] - loss: 0.3"],
    ],
)
def test_what_tells_how_far_it_has_come_is_progress(pieces):
    assert is_progress(pieces)
    assert "\r" not in screen("\r".join(pieces))


@pytest.mark.parametrize(
    "pieces",
    [
        ["a,b", "1,2", "3,4", ""],
        ["id,name", "1,ann", "2,ben"],
        ["1,10%", "2,5%", "3,7%"],
        ["d,1/2/2026", "d,2/2/2026", "d,3/2/2026"],
        ["row 1,0.5", "row 2,0.7", "row 3,0.9"],
        ["at 1 10:00:00", "at 2 10:00:01", "at 3 10:00:02"],
        ["+---+", "|   |", "+---+"],
        ["one line", "another"],
        ["the same line", "the same line", "the same line"],
        ["10%", "and something else"],
        ["x" * 1000 + " 10%", "x" * 1000 + " 20%"],
    ],
)
def test_lines_that_end_in_carriage_returns_are_none(pieces):
    assert not is_progress(pieces)
    assert screen("\r".join(pieces)) == "\r".join(pieces).rstrip("\r")


@given(st.lists(st.text("ab1295%/ .-", min_size=1), min_size=2, max_size=6))
def test_all_words_of_what_is_no_progress_stay(lines):
    text = "\r".join(lines).rstrip(" \r")
    assert is_progress(text.split("\r")) or screen(text + "\n") == text + "\n"
