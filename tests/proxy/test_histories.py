"""What opens a body as it opened an earlier one is not read again, and makes no difference."""

import gc
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies.base.reading
from policies.base.body import Body
from policies.base.canonical import parse
from policies.base.errors import MalformedBody
from proxy.histories import SHORTEST, Histories

WORDS = "a tool's result, or what a user has said, at some length; "


def turns(name, count, extra=0):
    """Bodies of one conversation, each with two messages more than the one before."""
    said = [{"role": "system", "content": f"{name} {WORDS * 100}"}]
    for number in range(count):
        said.append({"role": "user", "content": f"{name} {number} {WORDS * 20}"})
        yield json.dumps({"model": "m", "messages": said, "n": extra}).encode()
        said.append({"role": "assistant", "content": f"{number} {WORDS * 5}"})


@pytest.fixture
def parsed(monkeypatch):
    """Sizes of the texts that were parsed."""
    sizes = []

    def counting(raw):
        sizes.append(len(raw))
        return parse(raw)

    monkeypatch.setattr(policies.base.reading, "parse", counting)
    monkeypatch.setattr(policies.base.body, "parse", counting)
    return sizes


def test_a_turn_is_read_from_where_it_is_new(parsed):
    histories = Histories()
    for raw in turns("x", 30):
        body = Body(raw)
        histories.read(body)
        assert body.json() == json.loads(raw)
        assert body.digest() == Body(raw).digest()
    read = parsed[::2]  # every second one is that of the fresh body
    assert read[0] > SHORTEST
    assert max(read[1:]) < len(raw) / 4 + 1600  # a quarter of the longest, and a turn


def test_conversations_that_open_alike_are_told_apart(parsed):
    histories = Histories()
    for bodies in zip(*[turns(name, 8) for name in "abcdefgh"], strict=True):
        for raw in bodies:
            body = Body(raw)
            histories.read(body)
            assert body.json() == json.loads(raw)
    assert sum(size > 6000 for size in parsed) == 8


def test_other_last_messages_are_read_alone(parsed):
    histories = Histories()
    (raw,) = turns("q", 1)
    for number in range(5):
        histories.read(Body(raw.replace(b"q 0", b"q %d" % number)))
    assert sum(size > 6000 for size in parsed) == 1


def test_memory_is_bounded():
    histories = Histories(bound=2_000_000)
    for number in range(200):
        for raw in turns(f"{number}", 2):
            histories.read(Body(raw))
    held = {each.opening.text for each in all_kept(histories)}
    assert 0 < sum(map(len, held)) < 4_100_000


def all_kept(histories):
    generations = (histories._young, histories._old)
    return [each for kept in generations for alike in kept.values() for each in alike]


DENSE = {
    "empty objects": "{}",
    "deep lists": "[[[[[[[[[]]]]]]]]]",
    "short objects": '{"a":1.5}',
    "long numbers": "123456789012",
    "wide letters": '"\U0001f642 and the rest of it in letters that need one byte each"',
    "what is usual": json.dumps({"role": "user", "content": WORDS * 3}),
}


@pytest.mark.parametrize("item", DENSE.values(), ids=DENSE)
@pytest.mark.parametrize("turns", [1, 6])
def test_what_is_counted_is_no_less_than_what_is_held(item, turns):
    """However small the values, of which a byte of JSON can make thirty bytes of memory."""
    bodies, said = [], []
    for number in range(turns):
        said += [item] * (20_000 // len(item)) + [str(number)]
        bodies.append(b'{"messages":[%b]}' % ",".join(said).encode())
    gc.collect()
    tracemalloc.start()
    try:
        histories = Histories(bound=100_000_000)
        for raw in bodies:
            histories.read(Body(raw))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    counted = sum(each.weight for each in all_kept(histories))
    assert held < counted + 150_000  # what was imported or memoised on the way


@pytest.mark.parametrize("item", ["{}", "[[[[[[[[[]]]]]]]]]"])
def test_a_body_of_very_small_values_is_not_kept(item):
    histories = Histories()
    raw = b'{"messages":[%b]}' % ",".join([item] * 10_000).encode()
    body = Body(raw)
    histories.read(body)
    assert body.digest() == Body(raw).digest()
    assert all_kept(histories) == []


@pytest.mark.parametrize("name", ["input", "messages"])
def test_a_list_of_many_small_items_is_no_history(name):
    raw = json.dumps({"model": "m", name: list(range(8192))}).encode()
    body = Body(raw)
    assert list(Body(raw).reading.openings(raw)) == []
    histories = Histories()
    histories.read(body)
    assert all_kept(histories) == []


def test_one_body_beyond_the_bound_is_not_kept():
    histories = Histories(bound=2_000_000)
    said = [{"role": "user", "content": WORDS * 50}] * 400
    raw = json.dumps({"model": "m", "messages": said}).encode()
    body = Body(raw)
    histories.read(body)
    assert len(raw) * 3 > 2_000_000
    assert body.digest() == Body(raw).digest()
    assert histories.known(raw) == 0
    assert not histories._young
    assert not histories._old


def test_a_body_larger_than_the_memory_is_not_taken_apart_for_it(monkeypatch):
    monkeypatch.setattr(policies.base.reading.Reading, "openings", None)
    histories = Histories(bound=100_000)
    [raw] = turns("large", 1)
    histories.read(Body(raw.replace(WORDS.encode(), WORDS.encode() * 20)))
    with pytest.raises(TypeError):
        histories.read(Body(raw))


def test_what_is_refused_afresh_is_refused_when_it_opens_as_another():
    histories = Histories()
    (raw,) = turns("x", 1)
    histories.read(Body(raw))
    bad = raw[:-1] + b',"model":"again"}'
    body = Body(bad)
    histories.read(body)
    with pytest.raises(MalformedBody) as caught:
        body.digest()
    assert caught.value.param == "model"
    odd = Body(raw.replace(b'"n": 0', b'"n": NaN'))
    histories.read(odd)
    assert odd.digest() is None


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.integers(0, 10**6))
def test_any_bytes_behind_a_known_opening_are_read_as_if_afresh(tails, at):
    histories = Histories()
    *_, raw = turns("x", 3)
    histories.read(Body(raw))
    for tail in tails:
        text = raw[: at % len(raw)] + tail
        assert outcome(text, histories.read) == outcome(text, lambda body: body.digest())


def outcome(text, read):
    body = Body(text)
    try:
        read(body)
        return body.digest(), body.json()
    except MalformedBody as error:
        return error.message, error.param
