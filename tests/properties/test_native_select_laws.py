"""Whatever the text and the question, the native `compress.select` leaves what Python leaves."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.select_passages import delimited
from policies.compress.select_pins import _DENIED, _FACT, _FRAME, _PHRASES, _TROUBLE
from policies.compress.select_question import around, asked
from tests.policies.compress.test_native_select import (
    BESIDE,
    FACTS,
    FRAMES,
    TROUBLE,
    WORDY,
    kept,
    listed,
    same,
)
from tests.policies.compress.test_native_select_split import BREAKS, HEADINGS, LONE, SHAPES, TITLES

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")

SIGNS = st.text(
    "aAzZ019 _-.:,;/()[]<>'\"#%*=~|\\\t\r\n\x0b\x1c\x85\u2028éßØЯ日\u2019\u0301\u0130\xa0²\0",
    max_size=5,
)
LINES = st.sampled_from([*HEADINGS, *LONE, *listed(FACTS), *listed(FRAMES), *listed(TROUBLE),
*WORDY,
*TITLES,
                         *SHAPES, "```", "~~~", "  ```", "| a | b |", "gold " * 90, "[1] ",
                         "<document>",
                         "</document>", "Document [2] ", '{"a": 1}', "diff --git a b",
                         "x" * 900])  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", "\n\n", "\n\n", "\n\n", "", " ", *BREAKS])
ASKED = st.lists(
    st.sampled_from([*WORDY, *listed(FACTS), "gold", "soup", "12 ORD-7 a.b"]), max_size=4
)
LIMITS = st.sampled_from([(None, None), (0.1, None), (0.5, None), (None, 20), (0.8, 60)])
PATTERNS = [
    _FRAME,
    _FACT,
    _DENIED,
    *_TROUBLE.values(),
    *(re.compile(f"(?i){each}") for each in _PHRASES),
]


@st.composite
def texts(draw):
    """Lines of all kinds, with signs put into some."""
    found = []
    for _ in range(draw(st.integers(1, 14))):
        line = draw(LINES)
        if not draw(st.integers(0, 3)):
            place = draw(st.integers(0, len(line)))
            line = line[:place] + draw(SIGNS) + line[place + draw(st.integers(0, 2)) :]
        found.append(line + draw(ENDS))
    return "".join(found)


@given(texts(), ASKED.map(" ".join), LIMITS, st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_text_is_left_the_same(text, question, limits, pasted):
    same(text, question, *limits, pasted=pasted, fit=False)


STYLES = st.sampled_from(
    [
        *(("Document [{}]", "\n"), ("[{}] ", "\n\n"), ("<document x={}>", "</document>\n")),
        *(("<Doc x={}>", "</DOC>\n"), ("<source {}>", "</source>"), ("Document [{}]", "\r\n")),
        *(("Passage {}:", "\n"), ("[Source {}]", "\n\n"), ("[doc{}]", "\r\n")),
    ]
)


@given(st.lists(texts(), max_size=6), texts(), ASKED.map(" ".join), LIMITS, STYLES)
@settings(max_examples=500, deadline=None)
def test_any_documents_are_left_the_same(parts, behind, question, limits, style):
    label, end = style
    shown = [label.format(n) + part.replace("\n\n", "\n") + end for n, part in enumerate(parts, 1)]
    text = "".join(shown) + "\n\n" + behind
    same(text, question, *limits, pasted=True, fit=False)
    split = delimited(text)
    assert asked(text) == (None if split is None else around(text, split))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern[:40])
@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(BESIDE), st.sampled_from(BESIDE))
def test_what_a_pattern_matches_stays_alike(pattern, data, before, after):
    text = data.draw(st.from_regex(pattern))
    place = data.draw(st.integers(0, len(text)))
    for changed in (text, text[:place] + data.draw(SIGNS) + text[place + 1 :]):
        passage = f"so {before}{changed}{after}".replace("\n\n", "\n")
        kept(passage, tokens=1, alone=False, fit=False)
        kept(passage, alone=False, fit=False)
