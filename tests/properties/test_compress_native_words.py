"""Whatever the texts, their words are read natively as in Python."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress import native
from policies.compress.select_words import Question, plain

pytestmark = pytest.mark.skipif(not native.built, reason="built without Rust")

SAID = """
    moon moons Moonlit moonlet jupiter Jupiter's going go goes the of a HTTP2 x user_id getUser
    \u0141\u00f3d\u017a \u0142\u00f3d \u00f8re \u00f8r \u6771\u4eac\u90fd \u6771\u4eac \u0e01
"""
WORDS = st.sampled_from([*SAID.split(), *("x" * size for size in (62, 63, 64, 70))])
SIGNS = st.text("aAbZ09 _-.'=\0\n\t\x1c\u2019\u00e9\u00d8\u03a3\u0130\u6771\ud800", max_size=9)
TEXTS = st.lists(WORDS | SIGNS, max_size=30).map(" ".join)


def never(*_):
    raise native.Unfit


@settings(max_examples=3000, deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=5))
def test_what_stands_for_the_words_is_the_same(asked, texts):
    question, said = Question(asked), plain(texts)
    found = question.read(said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "words_led", never)
        assert found == question.read(said)
    known = question._known(())
    assert native.words_marked(said, known)  # it is not left to Python


@settings(max_examples=1000, deadline=None)
@given(st.lists(WORDS), TEXTS)
def test_words_are_found_by_what_they_begin_with(asked, text):
    said = plain([text])
    leads = {word[:3] for word in plain(asked).replace("\0", " ").split()}
    assert set(native.words_led(said, leads)) == {
        word for word in said.split() if word[:3] in leads
    }


@pytest.mark.parametrize("given", ["", "moon", "=a\0moon", "moon\0moon", "moon=ab\0moon"])
def test_what_is_not_asked_so_is_left_to_python(given):
    with pytest.raises(native.Unfit):
        native._made(native._words_marked, given)
