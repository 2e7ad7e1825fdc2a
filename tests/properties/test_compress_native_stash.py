"""Whatever the texts, their extracts are made natively as in Python."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.stash_extract import _TOLD, made
from policies.compress.stash_index import _negation
from tests.policies.compress.test_native_stash import ESCAPES, NEGATED, TOLD, VALUES

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")

WORDS = st.sampled_from([*TOLD, *NEGATED, *VALUES, *ESCAPES, "word", "x" * 161])
SIGNS = st.text("aBn01_./:@'\"\\{[,]} \t\n\r\x1c\x1fé中\u2019\u0130\u00a0", max_size=9)
FOUND = st.from_regex(_TOLD) | st.from_regex(_negation)
BETWEEN = st.sampled_from(["", " ", "\n", ", ", "'", "."])
TEXTS = st.lists(st.tuples(WORDS | SIGNS | FOUND, BETWEEN).map("".join), max_size=20).map("".join)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(["", "{", "[ "]), TEXTS, st.integers(0, 500), st.booleans())
def test_extracts_are_the_same(begin, text, size, names):
    text = begin + text
    try:
        found = native.extract(text, size, names=names)
    except native.Unfit:
        assert not text.isascii()
    else:
        assert found == made(text, size, names=names)
