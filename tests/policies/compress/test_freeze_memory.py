from hypothesis import given
from hypothesis import strategies as st

from policies.compress.freeze_memory import Generations


def test_what_is_asked_for_stays_and_the_rest_is_forgotten():
    memory = Generations(20_000)
    memory.put("used", "value", 1000)
    for number in range(100):
        memory.put(number, str(number), 1000)
        assert memory.get("used") == "value"
    assert memory.get(0) is None
    assert memory.get(99) == "99"


def test_what_is_too_large_is_not_kept():
    memory = Generations(2000)
    memory.put("a", "value", 900)
    assert memory.get("a") is None
    assert Generations(0).get("a") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2000), st.booleans()), max_size=60))
def test_it_holds_no_more_than_its_limit_and_the_latest_value(steps):
    memory = Generations(5000)
    latest = {}
    for key, size, puts in steps:
        if puts:
            memory.put(key, (key, size), size)
            latest[key] = (key, size)
        else:
            assert memory.get(key) in (latest.get(key), None)
        young = sum(size for _, size in memory._young.values())
        assert young == memory._held <= 2500
        assert sum(size for _, size in memory._old.values()) <= 2500
        assert not memory._young.keys() & memory._old.keys()
