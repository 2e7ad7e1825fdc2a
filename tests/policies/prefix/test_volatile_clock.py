import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.prefix.volatile_clock import timed

NOW = 1_795_132_810.0  # 2026-11-20T00:00:10Z


def found(*lines, now=NOW):
    return timed(("\n".join(lines),), lines, now)


@pytest.mark.parametrize(
    ("line", "head"),
    [
        ("Current time: 2026-11-20T00:00:10Z", 2),
        ("Current time: 2026-11-20T00:00:10Z, request 1234", 2),
        ("2026-11-20 00:01", 0),
        ("Now: 2026-11-20T01:00:10.123+01:00 (Oslo)", 1),
        ("now=1795132800", 1),
        ("now 1795132800123", 1),
        ("Today is Friday, 20 November 2026, 00:01 o'clock.", 3),
        ("The date and time is November 20, 2026 at 12:00:10 AM UTC.", 5),
        ("It is Fri Nov 20 00:00:09 2026", 3),
        ("Date: Fri, 20 Nov 2026 01:00:10 +0100", 2),
        ("It is 2026-11-19 21:33 UTC-02:30", 2),
        ("11/20/2026, 12:00 a.m.", 0),
        ("Stand: 20.11.2026 00:00 Uhr", 1),
        ("Local time 2026-11-19 19:00:20", 2),  # in a zone that is not named
        ("Up since 2020-01-01 10:07, now 2026-11-20 00:00", 6),
    ],
)
def test_a_line_that_tells_the_time_of_the_request_changes(line, head):
    assert found("Be exact.", line, "Be kind.") == ((1, head, 0),)


@pytest.mark.parametrize(
    "line",
    [
        "Released 2026-11-18T00:00:10Z",
        "Today is 2026-11-20.",
        "Offer 1795132800-7 holds",
        "id 17951328001",
        "2026-13-40T00:00:10Z",
        "2026-11-20T00:20:10Z",
        "Local time 2026-11-19 19:05:20",
        "Flight at 00:00 on 21 November 2026 UTC",
        "20 November 2026",
        "99/99/2026 99:99",
        "",
    ],
)
def test_any_other_line_is_left_to_be_learnt(line):
    assert found("Be exact.", line) == ()


def test_a_log_is_no_clock():
    assert found(*[f"2026-11-20T00:00:0{n}Z started" for n in range(9)]) == ()


@given(st.text(max_size=80), st.floats() | st.just(NOW))
def test_nothing_in_a_line_breaks_it(line, now):
    for index, head, tail in timed((line,), line.split("\n"), now):
        assert (index >= 0, head >= 0, tail) == (True, True, 0)
