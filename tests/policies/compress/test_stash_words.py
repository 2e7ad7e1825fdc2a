import json

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.compress.stash_extract import _TOLD, _WORD_OF
from policies.compress.stash_words import spaced, vocabulary

SIGNS = st.sampled_from([*_WORD_OF, *map(str.upper, _WORD_OF)])
TEXTS = st.lists(SIGNS | st.text(max_size=6) | st.sampled_from(["x", "\\n", "/", "="])).map("".join)
TOLD = st.from_regex(_TOLD, alphabet=st.characters(codec="ascii"))


@given(TEXTS)
def test_what_is_not_in_the_vocabulary_is_not_in_the_text(text):
    known, small = vocabulary(text), text.lower()
    assert all(word in known for sign, word in _WORD_OF.items() if sign in small)


@settings(max_examples=500)
@given(TOLD)
def test_all_that_tells_of_a_failure_has_a_sign(text):
    assert any(sign in text.lower() for sign in _WORD_OF)


@given(st.lists(st.text() | st.sampled_from(["\n", "a\\b", 'say "x"', "é\ud800"]), min_size=1))
def test_words_of_strings_in_json_are_apart(strings):
    for ascii_only in (True, False):
        text = json.dumps(strings, ensure_ascii=ascii_only)
        assert len(spaced(text)) == len(text)
        assert "\\" not in spaced(text)


def test_only_json_has_escapes():
    assert spaced(r'["C:\\new","\u00e9t\"1"]').split() == ["C:", "new", "t", "1"]
    assert spaced(r"C:\new, \u00e9").split() == [r"C:\new", r"\u00e9"]
    assert spaced(r'["https:\/\/a\/b"]').split() == [r"https:\/\/a\/b"]
