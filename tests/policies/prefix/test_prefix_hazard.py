from types import SimpleNamespace

import pytest

from policies.prefix.hazard import Hazard, Watch


@pytest.mark.parametrize("guess", [0.1, 0.35, 0.8])
def test_it_starts_from_the_first_guess(guess):
    assert Hazard(guess).likely == guess


def seen(hazard, times, lifetime, until):
    watch = Watch()
    for time in times:
        watch.begin(SimpleNamespace(awaits=None), hazard, time)
    watch.grow_older(until, lifetime)


def test_it_learns_long_before_a_lifetime_is_over():
    hazard = Hazard(0.8)
    seen(hazard, [n / 10 for n in range(100)], lifetime=300.0, until=10.0)
    assert hazard.likely < 0.2


def test_slow_returns_are_not_taken_for_none():
    """Nine of ten return after most of the lifetime; younger ones say nothing yet."""
    hazard = Hazard(0.8)
    for _ in range(60):
        for age in range(3):
            hazard.passed(age)
        for _ in range(9):
            hazard.passed(0)
            hazard.passed(1)
            hazard.passed(2)
            hazard.returned(0.9)
        hazard.passed(3)
    assert hazard.likely > 0.8


def test_what_returns_counts_for_its_age():
    hazard = Hazard(0.1)
    for _ in range(4):
        hazard.returned(0.001)
    assert hazard.likely > 0.5


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0, 7.0])
def test_it_stays_a_probability(part):
    hazard = Hazard(0.8)
    for _ in range(500):
        hazard.returned(part)
        assert 0.0 <= hazard.likely <= 1.0


def test_only_so_many_are_watched():
    watch, hazard = Watch(), Hazard(0.8)
    nodes = [SimpleNamespace(awaits=None) for _ in range(1000)]
    for node in nodes:
        watch.begin(node, hazard, 0.0)
    assert 100 < sum(node.awaits is hazard for node in nodes) < 200


def test_a_clock_that_goes_back_ages_nothing():
    hazard = Hazard(0.8)
    seen(hazard, [1000.0] * 50, lifetime=300.0, until=5.0)
    assert hazard.likely == 0.8
