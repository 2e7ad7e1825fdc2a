import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.problems import Mark
from proxy.config.yaml import MAX_DEPTH, MAX_VALUES, compose, document


def read(text, environ=None):
    return document(compose(text), "f.yaml", environ or {})


def tree(text):
    found = read(text)
    assert not found.problems
    return found.tree


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"),
        ("true", True), ("False", False), ("TRUE", True), ("tRUE", "tRUE"), ('"true"', "true"),
        ("null", None), ("~", None), ("", None), ("Null", None), ("'~'", "~"),
        ("8484", 8484), ("+5", 5), ("-5", -5), ("012", 12), ("0x1F", 31), ("0o17", 15),
        ("1_000", "1_000"), ("0b11", "0b11"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1.2.3", "1.2.3"), ("5e", "5e"),
        ("!!str 5", "5"), ("=", "="), ("a\n  b", "a b"), ("|\n  a\n  b", "a\nb"),
        ("٣", "٣"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written, meant):
    found = tree(f"x: {written}")["x"]
    assert found == meant
    assert type(found) is type(meant)


def values(text):
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
        max_leaves=6,
    )


KEY = st.text("abc <", max_size=4)
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="$"))
ONE_LINE = st.text("aé€😀 \"\\:#-'")


@given(st.dictionaries(KEY, values(ANY_TEXT), max_size=4))
def test_json_is_read_as_json(data):
    assert tree(json.dumps(data)) == data


@given(st.dictionaries(KEY, values(ONE_LINE), max_size=4))
def test_positions_lead_to_the_values(data):
    text = json.dumps(data, indent=1, ensure_ascii=False)
    found = read(text)
    lines = text.split("\n")
    for path, (line, column) in found.source.values.items():
        value = found.tree
        for part in path:
            value = value[part]
        start = json.dumps(value)[:1]
        assert lines[line - 1][column - 1] == start
    for path, (line, column) in found.source.keys.items():
        assert lines[line - 1][column - 1 :].startswith(json.dumps(path[-1], ensure_ascii=False))


def test_positions_count_characters_from_one():
    source = read("é: {ü: [x,  y]}").source
    assert source.keys[("é", "ü")] == Mark(1, 5)
    assert source.values[("é", "ü", 1)] == Mark(1, 13)


def test_aliases_and_merges():
    text = """
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
alias: *base
merged: {<<: *base, b: 5}
both: {<<: [*more, *base], d: 6}
chain: {<<: {<<: *more, b: 7}}
quoted: {"<<": 8}
"""
    found = tree(text)
    assert found["alias"] == {"a": 1, "b": 2}
    assert found["merged"] == {"a": 1, "b": 5}
    assert found["both"] == {"a": 1, "b": 3, "c": 4, "d": 6}
    assert found["chain"] == {"b": 7, "c": 4}
    assert found["quoted"] == {"<<": 8}


def test_a_merged_value_stands_where_it_was_written():
    source = read("base: &base {a: 1}\nmerged: {<<: *base}").source
    assert source.values[("merged", "a")] == source.values[("base", "a")] == Mark(1, 17)


def test_a_key_that_stands_twice_is_told_with_both_places_and_the_first_counts():
    found = read("a: 1\nb: {c: 2, c: 3}\na: 4")
    assert found.tree == {"a": 1, "b": {"c": 2}}
    assert found.source.lines(found.problems) == [
        "f.yaml:2:11: b.c: stands here again; first at 2:5",
        "f.yaml:3:1: a: stands here again; first at 1:1",
    ]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}", "[" * 9999])
def test_depth_is_bounded(text):
    with pytest.raises(yaml.MarkedYAMLError, match=f"more than {MAX_DEPTH} levels"):
        read(text)


@pytest.mark.parametrize("leaf", ["[{}]", "{{a: [{}]}}"])
def test_expansion_is_bounded(leaf):
    lines = [f"x0: &x0 {leaf.format(', '.join('x' * 9))}"]
    lines += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(yaml.MarkedYAMLError, match=f"more than {MAX_VALUES} values"):
        read("\n".join(lines))


def test_merges_that_double_are_bounded():
    lines = ["x0: &x0 {a: 1}"]
    lines += [f"x{i}: &x{i} {{<<: [*x{i - 1}, *x{i - 1}]}}" for i in range(1, 30)]
    with pytest.raises(yaml.MarkedYAMLError, match="more than"):
        read("\n".join(lines))


def test_references_are_filled_in_text_only():
    found = read('a: ${X}\nb: "x${X}"\n${X}: {c: ["$${X}"]}\n', {"X": "1"})
    assert found.tree == {"a": "1", "b": "x1", "${X}": {"c": ["${X}"]}}
    assert not found.filled[("a",)].literal
    assert found.filled[("b",)].literal
