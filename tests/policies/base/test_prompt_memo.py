from hypothesis import given
from hypothesis import strategies as st

from policies.base.prompt_memo import Memo


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=200), st.integers(1, 10))
def test_it_is_bounded_and_holds_the_latest_keys(steps, bound):
    recent = Memo(bound)
    latest = []
    for number, is_put in steps:
        key = bytes([number])
        if is_put:
            recent.put(key, number)
        if is_put or recent.get(key) is not None:
            latest = [key, *(other for other in latest if other != key)]
        assert len(recent) <= 2 * bound
    for key in latest[:bound]:
        assert recent.young.get(key, recent._old.get(key)) == key[0]


def test_the_newer_value_counts():
    recent = Memo(1)
    recent.put(b"a", 1)
    recent.put(b"b", 2)
    recent.put(b"a", 3)
    assert recent.get(b"a") == 3
    assert recent.get(b"c") is None
