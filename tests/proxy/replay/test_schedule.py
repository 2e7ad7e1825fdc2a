"""When requests arrive in virtual time."""

from hypothesis import given
from hypothesis import strategies as st

from policies.base.call import Dialect
from proxy.replay.schedule import Pace, schedule
from proxy.replay.talk import Request, Talk
from proxy.simulation.exchange import EPOCH


def talk(key, size, at=None):
    made = (Request(Dialect.CHAT, "chat/completions", b"%d" % n) for n in range(size))
    return Talk(key, at, size, made)


def events(talks, pace):
    return [(at - EPOCH, key, int(one.body)) for at, key, one in schedule(talks, pace)]


def test_without_a_rate_conversations_follow_each_other():
    found = events([talk("a", 2), talk("b", 2)], Pace(gap=5.0))
    assert found == [(0, "a", 0), (5, "a", 1), (10, "b", 0), (15, "b", 1)]


def test_interleaved_conversations_run_at_once():
    found = events([talk("a", 2), talk("b", 2), talk("c", 1)], Pace(at_once=2, gap=6.0))
    assert found == [(0, "a", 0), (3, "b", 0), (6, "a", 1), (9, "b", 1), (12, "c", 0)]


def test_arrivals_come_at_their_rate_and_the_same_each_time():
    many = [events([talk(str(n), 1) for n in range(2000)], Pace(rate=6.0, seed=s)) for s in (1, 1)]
    assert many[0] == many[1]
    assert 0.9 < many[0][-1][0] / (2000 * 10) < 1.1


def test_times_of_the_trace_keep_their_distances():
    found = events([talk("a", 1, 1000.0), talk("b", 1, 1002.5), talk("c", 1, 1003.0)], Pace())
    assert [at for at, _, _ in found] == [0, 2.5, 3.0]


def test_a_request_that_goes_back_in_time_arrives_with_the_latest_before_it():
    found = events([talk("a", 1, 10.0), talk("b", 1, 30.0), talk("c", 1, 20.0)], Pace())
    assert [at for at, _, _ in found] == [0, 20, 20]


def test_talks_are_read_only_as_they_begin():
    read = []

    def talks():
        for number in range(1000):
            read.append(number)
            yield talk(str(number), 2)

    stream = schedule(talks(), Pace())
    next(stream)
    assert len(read) <= 2


talks = st.lists(
    st.tuples(st.integers(0, 4), st.none() | st.floats(0, 1e6, allow_nan=False)), max_size=12
)


@given(talks, st.none() | st.floats(0.1, 100), st.none() | st.integers(1, 4), st.floats(0, 60))
def test_time_never_runs_back_and_each_conversation_is_told_in_order(made, rate, at_once, gap):
    found = events(
        [talk(str(n), size, at) for n, (size, at) in enumerate(made)],
        Pace(rate, at_once, gap),
    )
    assert [at for at, _, _ in found] == sorted(at for at, _, _ in found)
    for number, (size, _) in enumerate(made):
        assert [turn for _, key, turn in found if key == str(number)] == list(range(size))
