import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.base.errors import MalformedBody

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(names, values, max_size=5)


def valued(value):
    """A value in which JSON's equality is Python's: numbers by value, booleans apart."""
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, (int, float)):
        return ("number", value)
    if isinstance(value, dict):
        return ("object", {key: valued(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return ("array", [valued(inner) for inner in value])
    return ("string", value)


def written(value, draw):
    """JSON text of a value in some of the many ways to write it."""
    if isinstance(value, dict):
        pairs = draw(st.permutations(list(value.items())))
        space = draw(st.sampled_from(["", " ", "\n\t"]))
        inner = ("," + space).join(
            f"{written(key, draw)}{space}:{space}{written(item, draw)}" for key, item in pairs
        )
        return "{" + space + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item, draw) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return draw(st.sampled_from([str(value), f"{value}.0", f"{value}.0e0"]))
    return json.dumps(value)


@given(objects, st.data())
def test_two_ways_to_write_one_value_have_one_canonical_form(value, data):
    one, other = written(value, data.draw), written(value, data.draw)
    assert Body(one.encode()).digest() == Body(other.encode()).digest() is not None


@given(objects, objects)
def test_canonical_forms_are_equal_exactly_when_the_values_are(one, other):
    same = Body(json.dumps(one).encode()).digest() == Body(json.dumps(other).encode()).digest()
    assert same == (valued(one) == valued(other))


@given(objects, st.data())
def test_a_changed_leaf_changes_the_canonical_form(value, data):
    other = dict(value) | {data.draw(names): data.draw(values)}
    same = Body(json.dumps(value).encode()).digest() == Body(json.dumps(other).encode()).digest()
    assert same == (valued(value) == valued(other))


@given(objects)
def test_excluded_keys_do_not_count(value):
    with_form = Body(json.dumps(value | {"stream": True}).encode())
    without = Body(json.dumps(value | {"stream": False}, indent=1).encode())
    form = frozenset({"stream"})
    assert with_form.digest(form) == without.digest(form)
    assert with_form.digest() != without.digest()


@given(objects, st.data())
def test_an_edit_replaces_its_own_span_only(value, data):
    raw = written(value, data.draw).encode()
    paths = [(key,) for key in value]
    paths += [(k, i) for k, v in value.items() if isinstance(v, list) for i in range(len(v))]
    paths += [(k, i) for k, v in value.items() if isinstance(v, dict) for i in v]
    if not paths:
        return
    path, new = data.draw(st.sampled_from(paths)), data.draw(values)
    edited = Body(raw).edit({path: new})
    holder = expected = json.loads(raw)
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = new
    assert valued(json.loads(edited.raw)) == valued(expected)
    kept = len(raw) + len(edited.raw)
    head = next((i for i, (a, b) in enumerate(zip(raw, edited.raw, strict=False)) if a != b), kept)
    assert edited.raw[:head] == raw[:head]


def test_an_edit_of_several_paths_leaves_every_other_byte():
    raw = b'{ "a" : [1 , {"b": "x\\"{"}] , "c":2 }'
    edited = Body(raw).edit({("a", 1, "b"): "y", ("c",): [3]})
    assert edited.raw == b'{ "a" : [1 , {"b": "y"}] , "c":[3] }'


@pytest.mark.parametrize("path", [("z",), ("a", 5), ("a", "x"), ("c", 0)])
def test_an_edit_of_a_path_that_is_not_there_is_a_key_error(path):
    with pytest.raises(KeyError):
        Body(b'{"a":[1],"c":2}').edit({path: 1})


@pytest.mark.parametrize(
    "raw",
    [
        b'\xef\xbb\xbf{"model":"m"}',
        b'{"model":"m","x":NaN}',
        b'{"model":"m","x":"\\ud800"}',
        b'{"model":"m","x":1e999}',
        b'{"model":"m","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b',"model":"m"}',
        b'{"model":"m","x":' + b"9" * 6000 + b"}",
    ],
)
def test_what_strict_json_forbids_is_read_but_never_keyed_or_edited(raw):
    body = Body(raw)
    assert body.json()["model"] == "m"
    assert body.digest() is None
    assert body.raw == raw
    with pytest.raises(ValueError, match="strict JSON"):
        body.edit({("model",): "n"})


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"nul", b'{"a":1,}', b"[1]", b'"x"', b'{"a":"\xff"}', b"{" * 20_000]
)
def test_what_is_no_json_object_is_malformed(raw):
    with pytest.raises(MalformedBody):
        Body(raw).json()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model" : "a", "x": {"y": 1}, "model" : "b"}',
        b'\xef\xbb\xbf{"model":"a","model":"b"}',
        b'{"mod\\u0065l":"a","model":"b","x":1e5}',
    ],
)
def test_a_key_that_stands_twice_at_the_top_is_named(raw):
    with pytest.raises(MalformedBody) as caught:
        Body(raw).digest()
    assert caught.value.param == "model"


def test_a_key_that_stands_twice_further_in_makes_the_value_uncertain():
    assert Body(b'{"m":[{"a":1,"a":2}]}').digest() is None
    assert Body(b'{"x":1e5,"m":[{"a":1,"a":2}]}').digest() is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(raw):
    try:
        body = Body(raw)
        body.json()
        body.digest()
    except MalformedBody:
        return
    assert body.raw == raw


def test_what_another_body_said_hides_nothing_that_was_read_here():
    body = Body(b'{"n":1,"tools":[2]}')
    body.json()
    body.recall({"n": 1}, frozenset({"stream"}), b"digest")
    assert body.field("tools") == [2]
    assert body.digest(frozenset({"stream"})) == b"digest"
    fresh = Body(b'{"n":1,"tools":[2]}')
    fresh.recall({"n": 1}, frozenset(), None)
    assert (fresh.field("n"), fresh.field("tools")) == (1, [2])
