import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.compress.stash_index import _NEGATIONS, _negation, index

KINDS = [
    re.compile(r"\d+(?:[.:]\d+)*"),
    re.compile(r"\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"),
    re.compile(r"https?://[^\s\"'<>\\(){}\[\],;|]+|\w+@[\w-]+\.\w+"),
    re.compile(r"(?<!\S)[\w.~-]*/[\w./-]+"),
]
NEGATIONS = re.compile(r"(?i)\b(?:not|never|none|cannot) \w+|\w+n't")
WORDS = st.sampled_from(
    [
        *(
            "the",
            "worker_17",
            "getName",
            "42",
            "10:03:59",
            "2.36-9",
            "a1b2c3d",
            "x=7",
            "(8)",
            "9,10",
        ),
        *("https://a.example/b?c=1.", "/srv/data", "../x.py:3", "ann@b.example", "'q_r'", "é_ü"),
        *(
            "not that",
            "never ends",
            "None here",
            "can't",
            "cannot be",
            "knot",
            "nothing",
            "\n",
            "<none>",
        ),
    ]
)
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)


def names(text):
    return index(text, [(0, len(text))])[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain words only", ""),
        ("id 4711, again 4711", "4711"),
        ("see https://a.example/b?c=1. Or /srv/x.", "https://a.example/b?c=1 /srv/x"),
        ('{"user_id":7,"name":"x","tags":[1.5,"v2"]}', "user_id 7 1.5 v2"),
        (r'{"a":"one\nfoo_bar \u00e9t\u00e9 C3"}', "foo_bar C3"),
        (r'{"url":"https:\/\/a.example\/b"}', r"https:\/\/a.example\/b"),
        ("You must not delete it twice.", '"must not delete it twice"'),
        ("It doesn\u2019t start", '"doesn\u2019t start"'),
        ("knot nothing denote", ""),
        ("[none] Not", '"none" "Not"'),
        ("x" * 1001 + "_1", ""),
        ("aB" * 501, ""),
    ],
)
def test_what_is_named(text, told):
    assert names(text) == told


def test_what_is_shown_or_named_before_is_not_named():
    text = "a_1 b_2 no x / c_3 b_2 / a_1 c_3 d_4 no x"
    first, second = text.index("c_3"), text.rindex("a_1")
    assert index(text, [(first, second - 2), (second, len(text))]) == ["c_3", "d_4"]
    assert index(text, []) == []


def test_a_value_on_the_border_of_a_gap_is_whole():
    text = "the commit 0123456789abcdef is the last"
    assert index(text, [(0, 17)]) == index(text, [(15, 20)]) == ["0123456789abcdef"]


@given(TEXTS, st.lists(st.integers(0, 200), max_size=6))
def test_all_that_matters_is_outside_or_named(text, cuts):
    places = sorted({min(cut, len(text)) for cut in cuts})
    gaps = list(zip(places[::2], places[1::2], strict=False))
    left, at = [], 0
    for (start, end), told in zip(gaps, index(text, gaps), strict=True):
        left += [text[at:start], told]
        at = end
    shown = " ".join([*left, text[at:]])
    for kind in KINDS:
        wanted = {each.rstrip(".:") for each in kind.findall(text)}
        assert wanted <= {each.rstrip(".:") for each in kind.findall(shown)}


@given(TEXTS)
def test_negations_are_named_with_a_word_of_what_they_deny(text):
    assert set(NEGATIONS.findall(text)) <= set(NEGATIONS.findall(names(text)))


@given(st.recursive(st.integers() | TEXTS, lambda it: st.dictionaries(TEXTS, it, max_size=3)))
def test_numbers_of_json_are_named(value):
    text = json.dumps(value)
    assert set(re.findall(r"(?<![\w:.-])\d+(?=[,}])", text)) <= set(names(text).split())


@given(st.from_regex(_negation) | TEXTS)
def test_all_negations_begin_with_a_sign(text):
    for found in _negation.finditer(text):
        assert any(found[0].startswith(sign) for sign in _NEGATIONS)
    for sign, stands in _NEGATIONS.items():
        assert stands(text) or sign not in text
