import pytest

from policies.base.terms import Terms
from policies.prefix.volatile_cost import Rates, lost, told
from policies.prefix.volatile_fitness import unfit
from policies.prefix.volatile_learner import Learner
from policies.prefix.volatile_lines import System

FIXED = ["You help.", "", "Obey.", "Be brief."]


def learnt(learner, *lines, opening=True):
    return learner.observe("scope", [*FIXED[:2], *lines, *FIXED[2:]], opening=opening)


def test_the_words_around_a_value_are_known():
    learner = Learner(1_000_000)
    found = [learnt(learner, f"It is 1{n}:0{n} in Rome, dear") for n in range(3)]
    assert found[:2] == [(), ()]
    assert found[2] == ((2, 2, 3),)  # "It is" before, "in Rome dear" after


def test_two_applications_on_one_route_do_not_mix():
    learner = Learner(1_000_000)
    for number in range(6):
        one = learner.observe("s", ["a", "b", "c", f"at 12:0{number}"], opening=True)
        two = learner.observe("s", ["d", "e", "f", "g"], opening=True)
    assert [index for index, _, _ in one] == [3]
    assert two == ()


def test_prompts_that_differ_all_over_teach_nothing():
    learner = Learner(1_000_000)
    for number in range(20):
        assert learner.observe("s", [f"{number} {i} 12:00" for i in range(20)], opening=True) == ()


@pytest.mark.parametrize("lines", [[], [""], ["at 12:00"]])
def test_short_prompts_teach_nothing(lines):
    learner = Learner(1_000_000)
    for _ in range(5):
        assert learner.observe("s", lines, opening=True) == ()


def test_a_line_that_takes_turns_is_not_new_each_time():
    learner = Learner(1_000_000)
    assert not any(learnt(learner, f"variant 12:0{n % 2}") for n in range(60))


def test_a_line_that_begins_to_change_is_found_in_time():
    learner = Learner(1_000_000)
    for _ in range(500):
        assert learnt(learner, "at 12:00") == ()
    found = [bool(learnt(learner, f"at 12:{n:05}")) for n in range(200)]
    assert found[-1]


def requests(learner, minutes, line, every=10):
    """What is found while the line is asked with every so many seconds."""
    for second in range(0, 60 * minutes, every):
        lines = [*FIXED, line(second)]
        found = learner.observe("s", lines, opening=second % 60 == 30, now=1e9 + second)
    return found


def test_a_time_that_many_requests_share_is_found():
    lines = requests(Learner(1_000_000), 6, lambda s: f"It is 26 November, 9:{s // 60:02}")
    assert lines == ((4, 5, 0),)


def test_it_is_found_also_where_requests_overtake_each_other():
    def line(second):
        return f"at 12:{(1200 + second - 60 * (second % 60 == 10)) // 60}"

    assert requests(Learner(1_000_000), 20, line)


def test_what_changes_by_the_hour_stays():
    assert requests(Learner(1_000_000), 600, lambda s: f"at {s // 3600:02}:00") == ()


def test_memory_is_bounded():
    learner = Learner(50_000)
    for number in range(500):
        learner.observe(number, [f"{number} {i}" for i in range(50)], opening=True)
    assert learner._skeletons._held <= 50_000
    assert learner.observe("s", ["x"] * 100_000, opening=True) == ()


def test_a_line_is_fit_unless_something_speaks_against_it():
    line = "Now: 12:00:01"
    assert unfit([line], [(0, 1, 0)], b'{"a":"Now: 12:00:01"}') is None
    assert unfit([line], [(0, 1, 0)], b'{"a":"Now: 12:00:01","b":"at 12:00:01"}') is not None
    assert unfit(["Monkey business 7-1"], [(0, 2, 0)], b"Monkey business 7-1") is None
    assert unfit(["Key 7-1"], [(0, 1, 0)], b"Key 7-1") is not None
    assert unfit(["<system-line>x-1"], [(0, 1, 0)], b"<system-line>x-1") is not None


def test_tokens_behind_a_line_are_counted_over_all_texts():
    rows = (["a" * 9, "b" * 9], ["c" * 9, "d" * 9])
    prompt = System(((), ()), tuple("\n".join(each) for each in rows), rows)
    assert lost(prompt, 0, 0) == 10
    assert lost(prompt, 2, 0) == 5
    assert lost(prompt, 3, 40) == 12


def test_a_rate_is_told_once_there_is_one():
    rates = Rates()
    assert rates.daily(b"p", 0.0) is None
    for hour in range(24 * 9):
        rates.count(b"p", hour * 3600.0)
    assert 20 < rates.daily(b"p", 24 * 9 * 3600.0) < 28


def test_dollars_need_a_price():
    assert "$" not in told([0], 5, Terms(), 10.0)
    assert told([0], 1000, Terms(input=1e-6, read=0.5), 4000.0).endswith("$2.00 a day")
