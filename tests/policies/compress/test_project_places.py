import re

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.project_places import Expression

DOC = {
    "items": [
        {"id": 1, "state": "open", "tags": ["a", "b"], "by": {"name": "Ann", "id": 7}},
        {"id": 2, "state": "closed", "tags": [], "by": None},
        {"id": 3, "state": "open", "by": {"name": "Bo"}},
    ],
    "pages": [[1, 2], [3], 4],
    "meta": {"x": {"n": 1}, "y": {"n": 2}, "z": 3},
    "odd key": True,
}


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("items[].id", [("items", n, "id") for n in range(3)]),
        ("items[*].by.name", [("items", 0, "by", "name"), ("items", 2, "by", "name")]),
        ("items[0]", [("items", 0)]),
        ("items[-1].id", [("items", 2, "id")]),
        ("items[9]", []),
        ("items[0:2].id", [("items", 0, "id"), ("items", 1, "id")]),
        ("items[::2].id", [("items", 0, "id"), ("items", 2, "id")]),
        ("items[?state=='open'].id", [("items", 0, "id"), ("items", 2, "id")]),
        ("items[?length(tags || `[]`) > `1`].tags[]", [("items", 0, "tags", n) for n in (0, 1)]),
        ("items[].[id, by.id]", [("items", 0, "id"), ("items", 0, "by", "id")]
            + [("items", n, "id") for n in (1, 2)]),
        ("items[].id | [0]", [("items", 0, "id")]),
        ("items[].id | [1:]", [("items", 1, "id"), ("items", 2, "id")]),
        ("pages[]", [("pages", 0, 0), ("pages", 0, 1), ("pages", 1, 0), ("pages", 2)]),
        ("pages[0][1]", [("pages", 0, 1)]),
        ("meta.*.n", [("meta", "x", "n"), ("meta", "y", "n")]),
        ("meta.*", [("meta", k) for k in "xyz"]),
        ('"odd key"', [("odd key",)]),
        ("items[1].by", [("items", 1, "by")]),
        ("items.id", []),
        ("nothing.here", []),
        ("@.meta.z", [("meta", "z")]),
    ],
)  # fmt: skip
def test_places_are_those_of_the_values_that_jmespath_finds(expression, places):
    found = Expression(expression).places(DOC)
    assert found == places
    here = []
    for path in found:
        value = DOC
        for step in path:
            value = value[step]
        here.append(value)
    answer = jmespath.search(expression, DOC)
    assert [each for each in here if each is not None] == [*_leaves(answer, expression)]


def _leaves(answer, expression):
    """What a search answers, one by one; a list is one value unless the expression made it."""
    if answer is None:
        return
    if isinstance(answer, list) and any(sign in expression for sign in ("[]", "[*", ":", "?", "*")):
        for each in answer:
            if "[id, " in expression:
                yield from (inner for inner in each if inner is not None)
            else:
                yield each
    else:
        yield answer


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("items[", "the end is too early at character 7"),
        ("a.b c", "'c' is unexpected at character 5"),
        ("a.#", "'#' is unexpected at character 3"),
        ("", "cannot be empty"),
        ("length(items)", "a function makes a new value"),
        ("items[].{id: id}", "{...} makes a new value"),
        ("a || b", "|| makes a new value"),
        ("a == b", "a comparison makes a new value"),
        ("`1`", "a literal makes a new value"),
        ("items[?f].length(@)", "a function makes a new value"),
        ("items[?size(@) > `1`]", "there is no function size()"),
        ("items[?f(g(a), `1`)]", "there is no function f()"),
        ("items[?a[?f(@)]]", "there is no function f()"),
        ("items[::0]", "a slice has no step of 0"),
        ("[" * 3_000 + "a" + "]" * 3_000, "nested too deep"),
        ("a" + "|a" * 3_000, "nested too deep"),
    ],
)
def test_what_names_no_place_is_refused_with_the_position(expression, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Expression(expression)


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@settings(max_examples=200, deadline=None)
@given(st.text("abc[]*.:?@|`'\"&!(){}0-12 ,=", max_size=12))
def test_any_text_is_an_expression_or_is_refused(text):
    try:
        found = Expression(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - both ends are right
    else:
        for path in found.places(DOC):
            value = DOC
            for step in path:
                value = value[step]
