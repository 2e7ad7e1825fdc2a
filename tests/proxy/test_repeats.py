"""A repeated body is known by its bytes, and reads as it did the first time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.call import Dialect
from policies.base.fingerprint import DECISIVE_FIELDS, FORM
from proxy.errors import BadRequest
from proxy.repeats import Repeats


def raw(**fields):
    return json.dumps({"model": "m", "messages": [], **fields}).encode()


bodies = st.builds(
    raw,
    temperature=st.sampled_from([0, 1, 0.5, None]),
    seed=st.sampled_from([None, 7]),
    stream=st.booleans(),
    user=st.text(max_size=600),
)


@given(st.lists(bodies, min_size=1, max_size=4), st.integers(1, 4))
def test_what_is_remembered_is_what_a_fresh_reading_finds(texts, times):
    repeats = Repeats()
    for text in texts * times:
        body, fresh = Body(text), Body(text)
        found = repeats.read(Dialect.CHAT, body)
        assert found == Repeats().read(Dialect.CHAT, fresh)
        assert body.digest(FORM) == fresh.digest(FORM)
        assert [body.field(name) for name in DECISIVE_FIELDS] == [
            fresh.json().get(name) for name in DECISIVE_FIELDS
        ]
        assert body.json() == fresh.json()


def test_the_third_reading_parses_nothing(monkeypatch):
    repeats = Repeats()
    for _ in range(2):
        repeats.read(Dialect.CHAT, Body(raw()))
    body = Body(raw())
    monkeypatch.delattr(Body, "json")  # whoever calls it fails
    assert repeats.read(Dialect.CHAT, body).model == "m"
    assert body.digest(FORM) is not None


def test_bodies_that_differ_outside_the_sample_are_told_apart():
    repeats = Repeats()
    texts = [raw(user="x" * at + "Y" + "x" * (9000 - at)) for at in range(1, 400)]
    digests = set()
    for text in texts * 3:
        body = Body(text)
        repeats.read(Dialect.CHAT, body)
        digests.add(body.digest(FORM))
    assert len(digests) == len(texts)


def test_a_bad_body_is_refused_every_time():
    repeats = Repeats()
    for _ in range(4):
        with pytest.raises(BadRequest):
            repeats.read(Dialect.CHAT, Body(b'{"model": 1}'))


def test_one_body_on_two_endpoints_is_read_by_the_rules_of_each():
    repeats = Repeats()
    text = b'{"model": "m", "messages": "no list"}'
    for _ in range(3):
        assert repeats.read(Dialect.COMPLETIONS, Body(text)).model == "m"
        with pytest.raises(BadRequest):
            repeats.read(Dialect.CHAT, Body(text))


def test_memory_is_bounded():
    repeats = Repeats()
    for number in range(5000):
        repeats.read(Dialect.CHAT, Body(raw(user=str(number))))
    assert 2048 <= len(repeats._seen) <= 4096


def test_what_a_client_makes_long_is_not_kept():
    repeats = Repeats()
    text = raw(conversation={"id": "x" * 5000}, background=False)
    for _ in range(3):
        body = Body(text)
        repeats.read(Dialect.RESPONSES, body)
        assert body.digest(FORM) == Body(text).digest(FORM)
        assert body.field("conversation") == {"id": "x" * 5000}
    assert [*repeats._seen.young.values()] == ["once"]
