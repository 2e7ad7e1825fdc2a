import pytest

from policies.compress.json_exact import Spelling, exact, minified


def test_only_white_space_between_tokens_goes():
    text = '{ "a b" : [ 1.0 , -0, 1E5 ,\n12345678901234567890123 ],\r\n\t"a b":" x\\u00e9 \\/" }'
    short = '{"a b":[1.0,-0,1E5,12345678901234567890123],"a b":" x\\u00e9 \\/"}'
    assert minified(text) == short


@pytest.mark.parametrize(
    "text",
    ['{"a":1', "{'a':1}", '{"a":1}\n{"a":2}', "NaN", '{"a":1,}', '["\ud800"]', '["\\x"]', "",
     "[01]", 'Result: {"a":1}', '["\t"]', "[" * 100_000, "9" * 10_000],
)  # fmt: skip
def test_what_is_not_one_json_value_has_no_exact_form(text):
    assert minified(text) is None
    assert exact(text) is None


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ('["é/"]', Spelling(wide=False, slash=False)),
        ('["\\u00e9/"]', Spelling(wide=True, slash=False)),
        ('["é\\/"]', Spelling(wide=False, slash=True)),
        ('["\\ud83d\\ude00\\/"]', Spelling(wide=True, slash=True)),
    ],
)
def test_the_ways_in_which_writers_escape_are_known(text, spelling):
    found = exact(text)
    assert found.spelling == spelling
    assert "\\" not in found.plain
    assert spelling.apply(found.plain) == text


@pytest.mark.parametrize("text", ['["é\\u00e9"]', '{"a":1,"a":2}', "[-0]", '["\\u0041"]'])
def test_what_no_writer_spells_so_is_only_minified(text):
    assert exact(text) is None
    assert minified(text) == text
