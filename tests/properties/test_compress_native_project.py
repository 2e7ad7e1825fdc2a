"""Whatever the rule and the text, the native cutting makes what Python makes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.project_cut import _projected
from policies.compress.project_places import Expression

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")
KEYS = ["a", "b", "c d", "é", "\n", '"\\', "😀", ""]
scalars = st.sampled_from(
    ["0", "-0", "1.50", "1E+9", '"x"', '"\\u00e9"', "null", "null", "true", '",]"', "[]", "{}"]
)
blanks = st.sampled_from(["", "", "", " ", "\n\t"])
spelled = st.sampled_from(KEYS).flatmap(
    lambda key: st.sampled_from([json.dumps(key), json.dumps(key, ensure_ascii=False)])
)


def _list(items, blank):
    return f"[{f', {blank}'.join(items)}]"


def _object(members, blank):
    return "{" + f",{blank}".join(f"{key}:{blank}{value}" for key, value in members.items()) + "}"


texts = st.recursive(
    scalars,
    lambda inner: (
        st.builds(_list, st.lists(inner, max_size=5), blanks)
        | st.builds(_object, st.dictionaries(spelled, inner, max_size=5), blanks)
    ),
    max_leaves=30,
)
numbers = st.sampled_from([*range(-4, 5), 9, -9]).map(str)
bounds = st.one_of(st.just(""), numbers)
slices = st.tuples(bounds, bounds, st.sampled_from(["", "1", "2", "-1", "-2"])).map(":".join)
names = st.sampled_from(KEYS).map(json.dumps)
firsts = st.one_of(
    names, names, st.sampled_from(["@", "*", "[]", "[*]"]), (numbers | slices).map("[{}]".format)
)


def _longer(inner):
    several = st.lists(inner, min_size=1, max_size=3).map(lambda of: f"[{', '.join(of)}]")
    more = st.one_of(
        names.map(".{}".format),
        st.sampled_from([".*", "[]", "[*]"]),
        (numbers | slices).map("[{}]".format),
        several.map(".{}".format),
        inner.map(" | {}".format),
    )
    return st.one_of(several, inner.map("({})".format), st.tuples(inner, more).map("".join))


expressions = st.recursive(firsts, _longer, max_leaves=8)


@settings(max_examples=500, deadline=None)
@given(
    texts,
    *[st.lists(expressions, max_size=3)] * 2,
    st.none() | st.tuples(st.integers(0), st.text()),
)
def test_any_rule_cuts_any_text_the_same(text, keep, drop, change):
    if change is not None:
        at = change[0] % (len(text) + 1)
        text = text[:at] + change[1] + text[at + 1 :]
    rules = [[*map(Expression, listed)] for listed in (keep, drop)]
    try:
        found = native.project(text, *("\n".join(each.steps for each in rule) for rule in rules))
    except native.Unfit:
        return
    theirs = _projected(text, *rules)
    assert found == (theirs and tuple(theirs))
