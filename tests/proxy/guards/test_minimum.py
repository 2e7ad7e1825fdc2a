import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.terms import Terms
from proxy.guards.minimum import loses_cache

MARKS = Terms(rule="anthropic_marks", read=0.1, write=1.25, minimum=1024)
STEPS = Terms(rule="openai_steps", read=0.1, write=1.0, minimum=1024)


@pytest.mark.parametrize(
    ("before", "after", "reuses", "loses"),
    [
        (1100, 900, 1, True),  # 110 each time against 900
        (1100, 900, 0, False),  # never read again: the shorter is cheaper
        (1100, 1000, 0.3, True),
        (5000, 900, 1, False),  # 5,500 against 1,800
        (5000, 900, 20, True),
        (1000, 500, 9, False),  # could not be cached anyway
        (9000, 2000, 9, False),  # can be cached still
        (9000, 1050, 99, True),  # too near the minimum to be sure
    ],
)
def test_an_edit_under_the_minimum_is_weighed_against_the_cache(before, after, reuses, loses):
    assert loses_cache(before, after, STEPS, reuses) is loses


def test_a_write_that_is_billed_speaks_for_the_edit():
    assert loses_cache(1100, 1000, STEPS, 0.2)
    assert not loses_cache(1100, 1000, MARKS, 0.2)


def test_without_a_prompt_cache_nothing_is_lost():
    assert not loses_cache(1100, 900, Terms(), 100)


@given(st.floats(1, 1e6), st.floats(0, 1), st.floats(0, 1e3), st.sampled_from([MARKS, STEPS]))
def test_what_it_forbids_costs_more_than_the_original(before, share, reuses, terms):
    after = before * share
    if loses_cache(before, after, terms, reuses):
        assert after + reuses * after > before * terms.write + reuses * before * terms.read
        assert before >= terms.minimum
