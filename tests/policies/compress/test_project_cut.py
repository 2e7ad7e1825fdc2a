import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.json_exact import minified
from policies.compress.project_cut import projected
from policies.compress.project_places import Expression


def unfit(*_):
    raise native.Unfit


@pytest.fixture(autouse=True, params=["native", "python"], scope="module")
def _either(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "python":
            patch.setattr(native, "project", unfit)
        yield


def cut(text, keep=(), drop=()):
    found = projected(text, [*map(Expression, keep)], [*map(Expression, drop)])
    return None if found is None else tuple(found)


def test_only_what_is_kept_stays_in_its_order():
    text = '{"b": [{"x": 1, "y": 2}, {"y": 3}], "a": {"c": 1, "d": [1, 2]}, "e": 0}'
    assert cut(text, ["a.d", "b[].x"]) == ('{"b":[{"x":1}],"a":{"d":[1,2]}}', 4)
    assert cut(text, ["b[1]", "e"]) == ('{"b":[{"y":3}],"e":0}', 5)


def test_what_is_dropped_goes():
    text = '[{"id": 1, "url": "u"}, {"id": 2, "url": null}]'
    assert cut(text, drop=["[].url"]) == ('[{"id":1},{"id":2}]', 2)
    assert cut(text, drop=["[0]"]) == ('[{"id":2,"url":null}]', 2)
    assert cut(text, drop=["[]"]) == ("[]", 4)


def test_what_is_dropped_is_looked_for_in_the_whole_result():
    text = '[{"id": 1, "state": "open"}, {"id": 2, "state": "closed"}]'
    assert cut(text, ["[].id"], ["[?state=='closed']"]) == ('[{"id":1}]', 3)
    assert cut(text, ["[1:].id"], ["[0]"]) == ('[{"id":2}]', 3)


def test_what_is_dropped_of_what_is_kept_goes():
    text = '{"a": {"b": 1, "c": [1, 2, 3]}, "d": 4}'
    assert cut(text, ["a"], ["a.c[0]", "d"]) == ('{"a":{"b":1,"c":[2,3]}}', 2)
    assert cut(text, ["a", "a.b"], ["a.c", "a.c[0]", "a.c[1]"]) == ('{"a":{"b":1}}', 4)


def test_numbers_and_strings_keep_their_bytes():
    text = (
        '{"n": [1.0, 1e400, 12345678901234567890123, -0, 0.10], '
        '"s": "\\u00e9\\/é\\ud83d\\ude00", "k\\u0065y": 1, "x": 0}'
    )
    found, gone = cut(text, drop=["x"])
    assert found == minified(text).replace(',"x":0', "")
    assert gone == 1
    assert cut(text, keep=["key"])[0] == '{"k\\u0065y":1}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "7",
        '"text"',
        "no JSON",
        '{"a": 1',
        '{"a": 1}{"a": 2}',
        '{"a": 1}\n{"a": 2}',
        'see {"a": 1}',
        '{"a": 1, "a": 2, "x": 3}',
        '{"b": {"a": 1, "a": 2}, "a": 3}',
        '{"error": "not found"}',
        "[" * 200_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"a": "\\ud800"}',
        "\ufeff{}",
        '{"a": NaN, "b": 1}',
    ],
)
def test_what_is_no_clear_json_or_has_nothing_to_keep_stays(text):
    assert cut(text, keep=["a.b"]) is None


def test_where_nothing_goes_the_text_stays():
    assert cut('{"a": 1}', drop=["b"]) is None
    assert cut('{"a": 1}', keep=["a"]) is None
    assert cut('{"a": 1}', keep=["@"]) is None
    assert cut('{"a": 1}', drop=["@"]) is None


keys = st.sampled_from(["a", "b", "c d", "é", "\\u0061x", 'q\\"'])
scalars = st.sampled_from(["0", "-0", "1.50", "1E+9", '"x"', '"\\u00e9"', "null", "true", '","'])


def _object(members):
    return "{" + ", ".join(f'"{key}" : {value}' for key, value in members.items()) + "}"


texts = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: "[ " + " ,".join(items) + "]")
        | st.dictionaries(keys, inner, max_size=4).map(_object)
    ),
    max_leaves=25,
)
expressions = st.lists(
    st.sampled_from(
        ["a", "b", "*", "*.a", "[]", "[].a", "[0]", "[1:]", "a.b", "*.*", "[?a]", "a[]"]
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(texts, expressions, expressions)
def test_the_law_of_cutting(text, keep, drop):
    """What is left is what a cut of the parsed value leaves, in the spelling it came in."""
    found = cut(text, keep, drop)
    value = json.loads(text, parse_float=str, parse_int=str)
    if found is None:
        return
    short, gone = found
    kept = [path for each in keep for path in Expression(each).places(value)]
    assert kept or not keep
    dropped = {path for each in drop for path in Expression(each).places(value)}
    want = _left(value, kept if keep else None, dropped)
    assert json.loads(short, parse_float=str, parse_int=str) == want
    assert gone == _count(value) - _count(want)
    spelled = minified(text)
    at = 0
    for token in _tokens(short):
        at = spelled.index(token, at) + len(token)


def _left(value, kept, dropped):
    if not isinstance(value, dict | list):
        return value
    left = []
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        whole = kept is None or () in kept
        below = None if whole else [path[1:] for path in kept if path[0] == key]
        if below != [] and (key,) not in dropped:
            inner = {path[1:] for path in dropped if path[0] == key}
            left.append((key, _left(each, below, inner)))
    return dict(left) if isinstance(value, dict) else [each for _, each in left]


def _count(value):
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 1


def _tokens(text):
    return [part for part in text.replace("{", "\0").replace("}", "\0").replace("[", "\0")
            .replace("]", "\0").replace(",", "\0").split("\0") if part]  # fmt: skip
