import tracemalloc

from policies.prefix.forest import Forest, Node

MEGABYTE = 1_000_000


def key(number):
    return number.to_bytes(24)


def test_memory_stays_within_its_bound():
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        forest = Forest(4 * MEGABYTE)
        for number in range(60_000):
            node, _ = forest.reach(key(number))
            node.visit(1e9 + number, 300.0)
            node.visit(1e9 + number + 1.5, 300.0)
            node.warm = 1e9 + number + 300.25
            node.child = number + 2**50
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEGABYTE
    assert len(forest) > 3000


def test_what_is_visited_is_kept():
    forest = Forest(MEGABYTE)
    shared, _ = forest.reach(b"shared")
    for number in range(10_000):
        forest.reach(key(number))
        assert forest.reach(b"shared") == (shared, False)
    assert forest.get(key(0)) is None
    assert forest.get(key(9_999)) is not None


def test_looking_changes_nothing():
    forest = Forest(MEGABYTE)
    assert forest.get(b"a") is None
    assert len(forest) == 0


def test_gaps_are_counted_against_the_lifetime():
    node = Node()
    for time in (1000.0, 1100.0, 1900.0, 1950.0):
        node.visit(time, 300.0)
    assert (node.gaps, node.short) == (3.0, 2.0)


def test_old_gaps_count_less_and_less():
    node = Node()
    for step in range(500):
        node.visit(1000.0 + 400.0 * step, 300.0)
    for step in range(40):
        node.visit(300_000.0 + step, 300.0)
    assert node.gaps <= 32.0
    assert node.short / node.gaps > 0.8


def test_a_clock_that_goes_back_is_no_gap():
    node = Node()
    for time in (1000.0, 10.0, 1001.0):
        node.visit(time, 300.0)
    assert (node.gaps, node.short, node.last) == (2.0, 2.0, 1001.0)


def test_the_rate_is_that_of_the_last_minute():
    node = Node()
    for step in range(600):
        node.visit(1000.0 + step, 300.0)
    assert 55 < node.rate < 65
    node.visit(9000.0, 300.0)
    assert node.rate == 1.0
