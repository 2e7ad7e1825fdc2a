import pytest

from policies.compress.log_stamps import MARK, change, changed, cuts, take


@pytest.mark.parametrize(
    ("before", "stamp", "after"),
    [
        ("", "2026-01-31 10:00:59", " status installed"),
        ("", "2026-01-31T10:00:59.123456", "Z INFO started"),
        ("", "2026/01/31 10:00:59", " [error] 12#12: *1 open() failed"),
        ("", "Jan 31 10:00:59", " edge-7 sshd[12]: closed"),
        ("", "Jan  1 10:00:59", " edge-7 sshd[12]: closed"),
        ("10.0.0.1 - - [", "31/Jan/2026:10:00:59", ' +0000] "GET / HTTP/1.1" 200 1'),
        ("I", "0131 10:00:59.000123", " 12 kubelet.go:1] started"),
        ("[", "   12.345678", "] usb 1-1: new device"),
        ("", "1769853659.123", " 45 10.0.0.1 TCP_MISS/200"),
        ("update-alternatives ", "2026-01-31 10:00:59", ": run with --quiet"),
        ("worker-1  | ", "10:00:59,123", " INFO ready"),
    ],
)
def test_the_stamp_of_each_line_is_taken_out(before, stamp, after):
    text = f"{before}{stamp}{after}\n" * 5
    marked, stamps = take(text)
    assert marked == f"{before}{MARK}{after}\n" * 5
    assert stamps == [stamp] * 5


def test_lines_without_a_stamp_stay_and_only_the_first_of_a_line_is_taken():
    text = "10:00:01 from 10:00:02\n  at main\n10:00:03 end"
    assert take(text) == (f"{MARK} from 10:00:02\n  at main\n{MARK} end", ["10:00:01", "10:00:03"])


@pytest.mark.parametrize(
    "text", ["", "no time here\n" * 9, "10:00:01 once\n" + "never again\n" * 20]
)
def test_where_few_lines_have_one_none_is_taken(text):
    assert take(text) == (text, [])


@pytest.mark.parametrize(
    ("before", "now", "tail"),
    [
        ("2026-01-31 10:00:59", "2026-01-31 10:01:02", "01:02"),
        ("2026-01-31 10:00:58", "2026-01-31 10:00:59", "59"),
        ("10:00:59.001", "10:00:59.250", "250"),
        ("1769853659.123", "1769853659.124", "124"),
        ("10:00:59.001", "10:00:59,001", "59,001"),
        ("2026-01-31 10:00:59", "2026-02-01 00:00:00", None),
        ("10:00:59.1", "10:00:59.12", None),
        ("", "10:00:59", None),
    ],
)
def test_only_the_changed_end_is_written(before, now, tail):
    assert change(before, now, cuts(now)) == tail
    if tail is not None:
        assert changed(before, tail) == now


@pytest.mark.parametrize("piece", ["1", "10:00:", "2026-", "[", " ", "Jan ", "1.", "0131 "])
def test_lines_of_anything_are_searched_in_their_first_characters_only(piece):
    text = f"{piece * 5000}\n" * 20
    marked, stamps = take(text)
    assert (marked, stamps) == (text, []) or len(stamps) <= 20
