import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base.body import Body
from policies.prefix.canonical_outline import is_text, items, members, outline, spliced

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
forms = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2]), "ensure_ascii": st.booleans()}
)


@given(st.dictionaries(st.text(), values, max_size=6), forms)
def test_members_are_where_they_stand(doc, form):
    text = json.dumps(doc, **form).encode("utf-8", "replace")
    found = members(text)
    if found is None:  # a key that JSON writes with escapes
        assert any(json.dumps(key, **form) != f'"{key}"' for key in doc)
        return
    assert {key: json.loads(text[a:b]) for key, (a, b) in found.items()} == doc


@given(st.lists(values, max_size=6), forms, st.integers(0, 9))
def test_items_are_where_they_stand(listed, form, offset):
    text = json.dumps(listed, **form).encode("utf-8", "replace")
    raws, spans = items(text, offset)
    assert [json.loads(raw) for raw in raws] == listed
    assert [text[a - offset : b - offset] for a, b in spans] == raws


@pytest.mark.parametrize("text", [b"[ 1 ,2,\n 3\t]", b"[1,  2,3]", b"[1, 2,3 , 4]"])
def test_gaps_may_differ(text):
    raws, spans = items(text)
    assert [text[a:b] for a, b in spans] == raws


@given(st.binary(max_size=60))
def test_foreign_bytes_never_raise(text):
    assert members(text) is None or isinstance(members(text), dict)
    assert items(text) is None or len(items(text)) == 2


@pytest.mark.parametrize(
    "text", [b'{"a":1,"a":2}', b'{"a":1,"b":0,"a":2}', b'{"\\u0061":1}', b"[1]", b"{", b"", b"1"]
)
def test_what_leaves_a_doubt_is_refused(text):
    assert members(text) is None


def test_the_outline_of_a_body_is_made_once():
    body = Body(b'{"messages":[1,2],"x":{}}')
    found = outline(body)
    assert outline(body) is found
    assert found.items("messages") is found.items("messages")
    assert found.items("x") is None
    assert found.items("y") is None
    assert outline(Body(b"[]")) is None


def test_splices_leave_the_rest():
    assert spliced(b"abcdef", [((4, 5), b"X"), ((1, 2), b"YY")]) == b"aYYcdXf"
    assert is_text([b"a", "é".encode()])
    assert not is_text([b"a", b"\xff"])
