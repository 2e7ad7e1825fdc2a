import json

from hypothesis import given
from hypothesis import strategies as st

from policies.compress.stash_words import spaced


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
