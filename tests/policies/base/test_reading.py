"""A body read on from an earlier one is read as if it were the first."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.errors import MalformedBody

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
messages = st.dictionaries(st.sampled_from(["role", "content", "é", "a b"]), values, max_size=3)
lists = st.lists(messages, min_size=1, max_size=5)
rests = st.dictionaries(st.sampled_from(["model", "stream", "input", "temperature", ""]), values)
forms = st.sampled_from([frozenset(), frozenset({"stream"}), frozenset({"messages", "model"})])


@st.composite
def spelled(draw, value):
    """JSON text of a value, in one of the ways to write it."""
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")])),
    ).encode()


def read(raw, opening=None):
    """The body and its digest; the malformed key and None."""
    body = Body(raw)
    if opening is not None:
        body.read_on(opening)
    try:
        return body, body.digest()
    except MalformedBody as error:
        return error.param, None


def openings(raw):
    body, digest = read(raw)
    if digest is None or isinstance(body, str):
        return []
    return list(body.reading.openings(raw))


def assert_read_alike(raw, opening, form=frozenset()):
    afresh, digest = read(raw)
    body, found = read(raw, opening)
    assert found == digest
    assert isinstance(body, Body) or body == afresh
    if digest is not None:
        assert body.json() == afresh.json()
        assert body.digest(form) == afresh.digest(form)
        assert openings(raw) == [] or [o.text for o in body.reading.openings(raw)] == [
            o.text for o in openings(raw) if len(o.text) > len(opening.text)
        ]


@given(rests, rests, lists, lists, st.data())
def test_a_turn_that_goes_on_from_another_reads_as_if_afresh(before, after, said, more, data):
    head = {k: v for k, v in before.items() if k != "input"} | {"messages": said}
    form = data.draw(forms)
    first = data.draw(spelled(head))
    for opening in openings(first):
        rest = data.draw(spelled([*more, {}]))[1:].lstrip()
        tail = data.draw(spelled(after))
        later = opening.text + b" , " + rest.rstrip()
        later += b"," + tail[1:] if after else b"}"
        assert_read_alike(later, opening, form)


@given(lists, st.binary(max_size=40) | st.sampled_from([b",]}", b"]}", b",{}]}", b" ] , }", b"}"]))
@example([{}], b',{}],"messages":[1]}')
@example([{}], b',{"a":1,"a":2}]}')
@example([{}], b'],"messages":1}')
@example([{}], b'],"input":[2],"m":1}')
@example([{}], b',"\\ud800"]}')
@example([{}], b",\xff]}")
@example([{}], b',1e5],"x":1.0}')
def test_whatever_follows_an_opening_is_read_as_if_afresh(said, tail):
    for opening in openings(json.dumps({"model": "m", "messages": said}).encode()):
        assert_read_alike(opening.text + tail, opening)


@given(lists, lists)
def test_lists_that_differ_have_other_digests_however_they_were_read(said, more):
    first = json.dumps({"messages": said}).encode()
    for opening in openings(first):
        later = Body(opening.text + b"," + json.dumps(more).encode()[1:] + b"}")
        later.read_on(opening)
        assert later.digest() != Body(first).digest() or later.json() == Body(first).json()


def test_the_growing_list_tells_its_name():
    one, other = Body(b'{"messages":[1]}'), Body(b'{"input":[1]}')
    assert one.digest() != other.digest()
    both = Body(b'{"messages":[1],"input":[1]}')
    assert len({body.digest() for body in (one, other, both)}) == 3


@pytest.mark.parametrize("raw", [b'{"messages":[]}', b'{"messages":"x"}', b'{"messages":{}}'])
def test_without_items_there_is_no_opening(raw):
    assert openings(raw) == []


@pytest.mark.parametrize("inner", ["1", "1e5"])
def test_at_no_depth_does_a_digest_raise(inner):
    digests = []
    for depth in range(800, 1020):
        body = Body(b'{"a":%b}' % (b"[" * depth + inner.encode() + b"]" * depth))
        body.json()
        digests.append(body.digest())
    assert digests[0] is not None
    assert digests[-1] is None
