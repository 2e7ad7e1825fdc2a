import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.terms import Terms
from policies.prefix.placing import Point, pays, place, place_breakpoints

TERMS = Terms(rule="anthropic_marks", read=0.1, write=1.25, minimum=1024)


def points(*likely, **more):
    """One each 2,000 tokens."""
    return [
        Point(number, 2000.0 * (number + 1), again, **more) for number, again in enumerate(likely)
    ]


def numbers(chosen):
    return [point.block for point in chosen]


@pytest.mark.parametrize(
    ("again", "worth"), [(0.2, False), (0.23, True), (1.0, True), (0.0, False)]
)
def test_a_mark_pays_from_a_fifth_on(again, worth):
    assert pays(again, TERMS, 0.0) is worth


def test_the_last_mark_is_the_deepest_that_pays():
    assert numbers(place(points(0.9, 0.6, 0.1), TERMS, 0.0, 4)) == [0, 1]
    assert place(points(0.1, 0.1), TERMS, 0.0, 4) == ()


def test_what_can_be_read_is_read_even_where_writing_no_longer_pays():
    found = points(0.9, 0.1, 0.1)
    warm = Point(1, 4000.0, 0.1, warm=True)
    assert numbers(place([found[0], warm, found[2]], TERMS, 0.0, 4)) == [0, 1]


def test_what_another_process_may_have_written_is_looked_for():
    found = points(0.9, 0.9, 0.9)
    found[1] = Point(1, 4000.0, 0.9, blind=True)
    assert 1 in numbers(place(found, TERMS, 0.0, 2))


def test_the_head_is_always_marked_so_that_it_lives_on():
    found = [Point(0, 2000.0, 0.9, head=True), *points(0.9, 0.9, 0.9)[1:]]
    assert 0 in numbers(place(found, TERMS, 0.0, 4))


def test_nothing_is_marked_below_the_minimum():
    small = [Point(0, 100.0, 0.9), Point(1, 500.0, 0.9)]
    assert place(small, TERMS, 0.0, 4) == ()
    assert numbers(place([*small, Point(2, 3000.0, 0.9)], TERMS, 0.0, 4)) == [2]


def test_openais_own_mark_needs_no_other():
    found = points(0.9, 0.9)
    placed = place_breakpoints(found, found[-1], TERMS, 0.0)
    assert placed.implicit
    assert numbers(placed.marks) == []


def test_openais_own_mark_is_put_off_where_it_does_not_pay():
    found = points(0.9, 0.1)
    placed = place_breakpoints(found, found[-1], TERMS, 0.0)
    assert not placed.implicit
    assert numbers(placed.marks) == [0]
    assert place_breakpoints(points(0.1), points(0.1)[-1], TERMS, 0.0).marks == ()


def test_a_tail_that_takes_no_mark_is_read_by_openais_own():
    found = [*points(0.9), Point(1, 4000.0, 0.1, warm=True, markable=False), *points(0, 0, 0.1)[2:]]
    assert place_breakpoints(found, found[-1], TERMS, 0.0).implicit


several = st.lists(
    st.builds(
        Point,
        st.just(0),
        st.floats(0, 9000),
        st.floats(0, 1),
        warm=st.booleans(),
        blind=st.booleans(),
        head=st.booleans(),
        markable=st.booleans(),
    ),
    max_size=12,
)


@given(several, st.integers(1, 4))
def test_marks_are_few_ascending_and_where_they_may_stand(found, slots):
    found = [
        Point(number, point.tokens, *_rest(point))
        for number, point in enumerate(sorted(found, key=lambda p: p.tokens))
    ]
    chosen = place(found, TERMS, 0.0, slots)
    assert numbers(chosen) == sorted(set(numbers(chosen)))
    assert len(chosen) <= max(2, slots)
    assert all(point.markable for point in chosen)
    if chosen:
        last = chosen[-1]
        assert last.warm or pays(last.again, TERMS, 0.0)


def _rest(point):
    return point.again, point.warm, point.blind, point.head, point.markable
