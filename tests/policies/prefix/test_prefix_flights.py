from policies.prefix.flights import Flights

NOW = 1e9


def test_others_are_seen_until_they_land():
    flights = Flights()
    assert flights.of(b"a", NOW) == (False, False)
    flights.begin(b"a", NOW, writes=False)
    assert flights.of(b"a", NOW + 1) == (True, False)
    flights.begin(b"a", NOW + 1, writes=True)
    flights.end(b"a")
    assert flights.of(b"a", NOW + 2) == (True, True)
    flights.end(b"a")
    assert flights.of(b"a", NOW + 2) == (False, False)


def test_what_never_lands_is_forgotten_and_a_clock_that_jumps_forgets_too():
    flights = Flights()
    flights.begin(b"a", NOW, writes=True)
    assert flights.of(b"a", NOW + 61) == (False, False)
    assert flights.of(b"a", NOW - 61) == (False, False)
    flights.begin(b"a", NOW + 61, writes=False)
    assert flights.of(b"a", NOW + 62) == (True, False)


def test_few_are_remembered():
    flights = Flights()
    for number in range(10_000):
        flights.begin(number.to_bytes(4), NOW, writes=False)
    assert len(flights._known) <= 256
    flights.end(b"never begun")
