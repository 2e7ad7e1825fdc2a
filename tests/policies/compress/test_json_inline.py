import pytest

from policies.compress.json_inline import Absent, behind, cells, cut, literal, rows_of, table_in


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ann", '"ann"'), ("true", "true"), ("007", '"007"'), ("-1.50e+3", "-1.50e+3"),
        ('"7"', '"7"'), ("06:00", '"06:00"'), ("[]", "[]"), ("{}", "{}"), ("[a 1]", '["a",1]'),
        ('["a ]" b{/c}]', '["a ]","b{/c}"]'), ("[[1] {a:b c:[]}]", '[[1],{"a":"b","c":[]}]'),
        ('{"a b":{c:{}} d:[e:f]}', '{"a b":{"c":{}},"d":["e:f"]}'),
    ],
)  # fmt: skip
def test_what_stands_on_one_line_becomes_json(word, text):
    assert literal(word) == text


def test_the_cell_of_a_row_without_the_member_stands_for_nothing():
    with pytest.raises(Absent):
        literal("-")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("1 a -", ["1", "a", "-"]),
        ('"a b" [c d] e{/f}', ['"a b"', "[c d]", "e{/f}"]),
        ('1 [2 [3 "]"]] {a:b c:[d]}', ["1", '[2 [3 "]"]]', "{a:b c:[d]}"]),
    ],
)
def test_cells_are_parted_outside_strings_and_brackets(row, found):
    assert list(cells(row)) == found


def test_a_cell_may_hold_rows():
    assert list(map(list, rows_of('[1 "a,b",2 [c,d]]'))) == [["1", '"a,b"'], ["2", "[c,d]"]]
    assert list(rows_of("[]")) == []
    with pytest.raises(ValueError, match="missing"):
        rows_of("1")


def test_a_bracket_is_closed_behind_what_it_holds():
    text = '{a=[1 "]" {b:c}] d}'
    assert text[3 : behind(text, 3)] == '[1 "]" {b:c}]'
    assert behind("[a", 0) == 2


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("{a:1 b:[2]{c d=[3]}", "[2]{c d=[3]}"),
        ("[[2][{a}]", "[2][{a}]"),
        ("{a:[2] b:[3]}", None),
        ("[2]", None),
        ('{a:"[2]{b}"}', None),
    ],
)
def test_a_table_begins_where_a_line_ends_with_its_head(line, table):
    assert table_in(cut(line)) == table
