import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.text_prefilter import prefilter

PATTERN = r"(?m)^ab+$|(?i:c[0-9])|\.\.x"


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="abcC0x.\n\u00e9\U0001f600", max_size=12))
def test_it_finds_what_re_finds(text):
    assert prefilter(PATTERN)(text) == bool(re.search(PATTERN, text))


@pytest.mark.parametrize("text", ["\ud800", "ab c \udfff", "\u00e9\ud83d"])
def test_texts_that_are_no_utf8_may_hold_anything(text):
    assert prefilter("nowhere")(text)


def test_it_is_linear():
    text = "a" * 300_000
    assert not prefilter(r"(a*)*b|(a|aa)+c")(text)
